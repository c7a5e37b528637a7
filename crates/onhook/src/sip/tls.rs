//! Certificates and keys for SIP over TLS (RFC 3261 §26.3), read when the room opens and again when it is told to.

use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig, crypto::CryptoProvider};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject};

use super::listen::{TlsClient, TlsServer};

/// Where distributions keep the roots they trust.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Why TLS cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {error}", file.display())]
    Pem { file: PathBuf, error: pem::Error },
    #[error("{}: no certificate in it", .0.display())]
    Empty(PathBuf),
    #[error("no bundle of trusted roots on this system: name one with ca_file")]
    NoSystemRoots,
    #[error("certificate or key refused: {0}")]
    Refused(#[from] rustls::Error),
    #[error("{0:?} is no name that a certificate can have")]
    Name(String),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |error| TlsError::Pem {
        file: file.to_owned(),
        error,
    };
    let found = CertificateDer::pem_file_iter(file)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    if found.is_empty() {
        return Err(TlsError::Empty(file.to_owned()));
    }
    Ok(found)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| TlsError::Pem {
        file: file.to_owned(),
        error,
    })
}

/// What `tls:` listeners show to those who connect, as it was last read.
pub(super) struct Served {
    files: TlsServer,
    now: RwLock<Arc<ServerConfig>>,
}

impl Served {
    pub(super) fn load(files: &TlsServer) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            now: RwLock::new(server(files)?),
        })
    }

    /// Reads the files again; with an error, what was shown before is shown on.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let config = server(&self.files)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn now(&self) -> Arc<ServerConfig> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn server(tls: &TlsServer) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(&tls.cert)?, key(&tls.key)?)?;
    Ok(Arc::new(config))
}

/// How one peer is verified.
#[derive(Clone)]
pub(super) struct Verifier {
    pub(super) config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Verifier {
    fn load(tls: &TlsClient) -> Result<Self, TlsError> {
        let file = match &tls.ca_file {
            Some(file) => file.clone(),
            None => SYSTEM_ROOTS
                .iter()
                .map(PathBuf::from)
                .find(|file| file.exists())
                .ok_or(TlsError::NoSystemRoots)?,
        };
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(certificates(&file)?);
        if added == 0 {
            return Err(TlsError::Empty(file));
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match &tls.identity {
            Some(identity) => builder.with_client_auth_cert(certificates(&identity.cert)?, key(&identity.key)?)?,
            None => builder.with_no_client_auth(),
        };
        let server_name = tls.server_name.as_deref().map(name).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            server_name,
        })
    }

    /// The name that a certificate must have when `host` is called (RFC 5922 §7.2).
    pub(super) fn name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => name(host),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Why a peer's certificate was refused, in words for whoever runs the server; `None` when the handshake failed otherwise.
pub(super) fn refused(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(why) = error else {
        return None;
    };
    Some(match why {
        // A signature that does not fit is that of another authority of the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by no authority that is trusted for it ([sip.tls] ca)".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate has expired ({why})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for somebody else ({why})")
        }
        other => format!("its certificate is not valid ({other})"),
    })
}

fn name(text: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(text.to_owned()).map_err(|_| TlsError::Name(text.to_owned()))
}

/// The verifiers of all trunks. One trunk's private roots vouch for nobody but that trunk.
#[derive(Debug, Default)]
pub(super) struct Verifiers {
    trunks: HashMap<String, Verifier>,
    others: Option<Verifier>,
}

impl Verifiers {
    /// `trunks`: the hosts that a TLS trunk is called at, with its settings. `others` is read when TLS is used at all.
    pub(super) fn load(trunks: &[(String, TlsClient)], others: Option<&TlsClient>) -> Result<Self, TlsError> {
        Ok(Self {
            trunks: trunks
                .iter()
                .map(|(host, tls)| Ok((host.to_ascii_lowercase(), Verifier::load(tls)?)))
                .collect::<Result<_, TlsError>>()?,
            others: others.map(Verifier::load).transpose()?,
        })
    }

    /// The one for `host`, as a URI names it.
    pub(super) fn towards(&self, host: &str) -> Option<&Verifier> {
        self.trunks.get(&host.to_ascii_lowercase()).or(self.others.as_ref())
    }
}
