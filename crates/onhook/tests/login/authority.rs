//! An authority of our own, and what it signs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SanType, SerialNumber,
};
use rustls::crypto::ring;
use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What clients show beside their own certificate, PEM: nothing when the authority is a root.
    intermediates: String,
    folder: PathBuf,
    name: String,
}

/// A certificate and its key, as files.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    serial_number: SerialNumber,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(Self::params(name), KeyPair::generate().unwrap()).unwrap();
        let authority = Self {
            issuer,
            intermediates: String::new(),
            folder: folder.to_owned(),
            name: name.to_owned(),
        };
        fs::write(authority.ca(), authority.issuer.pem()).unwrap();
        authority
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// One that this one vouches for, until then.
    pub(crate) fn intermediate(&self, name: &str, not_after: SystemTime) -> Self {
        let mut params = Self::params(name);
        params.not_after = not_after.into();
        let issuer = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.issuer).unwrap();
        Self {
            intermediates: issuer.pem() + &self.intermediates,
            issuer,
            folder: self.folder.clone(),
            name: name.to_owned(),
        }
    }

    /// Its revocation list with these on it, which is good until then, PEM.
    pub(crate) fn revocation_list(&self, revoked: &[&Identity], next_update: SystemTime) -> String {
        let revocation_time = (next_update - Duration::from_secs(3_600)).into();
        let revoked = revoked.iter().map(|identity| RevokedCertParams {
            serial_number: identity.serial_number.clone(),
            revocation_time,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: revocation_time,
            next_update: next_update.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// Its own certificate, PEM.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join(format!("{}.crt", self.name))
    }

    /// For a server at 127.0.0.1.
    pub(crate) fn server(&self) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params
            .subject_alt_names
            .push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        self.sign("server", params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub(crate) fn client(&self, file: &str, names: Vec<SanType>) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        self.sign(file, params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn sign(&self, file: &str, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Identity {
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        // As good a number as another, and nobody else's.
        let serial_number = SerialNumber::from_slice(&key.public_key_raw()[1..17]);
        params.serial_number = Some(serial_number.clone());
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let path = |ending: &str| self.folder.join(format!("{}-{file}.{ending}", self.name));
        let identity = Identity {
            cert: path("crt"),
            key: path("key"),
            serial_number,
        };
        fs::write(&identity.cert, cert.pem() + &self.intermediates).unwrap();
        fs::write(&identity.key, key.serialize_pem()).unwrap();
        identity
    }

    /// How a client verifies what this authority signs; with a certificate of its own, or none.
    pub(crate) fn trust(&self, own: Option<&Identity>) -> Arc<ClientConfig> {
        self.trust_by(ALL_VERSIONS, own)
    }

    /// The same, with these versions of TLS.
    pub(crate) fn trust_by(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Identity>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match own {
            Some(own) => {
                let (chain, key) = own.read();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        })
    }
}

impl Identity {
    fn read(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_file_iter(&self.cert).unwrap();
        let chain = chain.map(Result::unwrap).collect();
        (chain, PrivateKeyDer::from_pem_file(&self.key).unwrap())
    }

    pub(crate) fn serve(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.read();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}
