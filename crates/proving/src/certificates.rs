//! An authority of a run's own, and what it has signed for this machine: for the server in files, for phones in memory.

use std::{io, net::IpAddr, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring::default_provider};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Both ends show the same certificate.
pub struct Certificates {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) connector: TlsConnector,
    authority: String,
    certificate: String,
    key: String,
}

impl Certificates {
    /// Of whoever is at this address.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn of(address: IpAddr) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own_key = || KeyPair::generate().map_err(io::Error::other);
        let authority = CertifiedIssuer::self_signed(params, own_key()?).map_err(io::Error::other)?;
        let key = own_key()?;
        let certificate = CertificateParams::new(vec![address.to_string()])
            .and_then(|params| params.signed_by(&key, &authority))
            .map_err(io::Error::other)?;

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).map_err(io::Error::other)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let config = config.with_no_client_auth();
                config.with_single_cert(vec![certificate.der().clone()], private)
            })
            .map_err(io::Error::other)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            authority: authority.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Writes what a server needs into `folder`: `ca.crt`, `sip.crt` and `sip.key`.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        for (name, pem) in [
            ("ca.crt", &self.authority),
            ("sip.crt", &self.certificate),
            ("sip.key", &self.key),
        ] {
            std::fs::write(folder.join(name), pem)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}
