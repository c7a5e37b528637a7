//! Certificates and keys for SIP over TLS (RFC 3261 §26.3), read when the room opens and again when it is told to.

use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, ServerConfig, SignatureScheme, client::ResolvesClientCert,
    crypto::CryptoProvider, sign::CertifiedKey,
};
use rustls_pki_types::ServerName;
use tokio::{io::AsyncBufReadExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::listener::{TlsClient, TlsServer};
use crate::pem::{self, PemError};

/// Where distributions keep the roots they trust.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// How long a peer that asked for a certificate of ours may take to say that it does not like it.
const OBJECTION: Duration = Duration::from_millis(500);

/// Why TLS cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Pem(#[from] PemError),
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

/// What `tls:` listeners show to those who connect, as it was last read.
pub(crate) struct Served {
    files: TlsServer,
    now: RwLock<Arc<ServerConfig>>,
}

impl Served {
    pub(crate) fn load(files: &TlsServer) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            now: RwLock::new(server(files)?),
        })
    }

    /// Reads the files again; with an error, what was shown before is shown on.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let config = server(&self.files)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn now(&self) -> Arc<ServerConfig> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn server(tls: &TlsServer) -> Result<Arc<ServerConfig>, TlsError> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(pem::certificates(&tls.cert)?, pem::private_key(&tls.key)?)?;
    Ok(Arc::new(config))
}

/// How one peer is verified.
#[derive(Clone)]
pub(crate) struct Verifier {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Verifier {
    pub(crate) fn load(tls: &TlsClient) -> Result<Self, TlsError> {
        let file = match &tls.ca_file {
            Some(file) => file.as_path(),
            None => SYSTEM_ROOTS
                .iter()
                .map(Path::new)
                .find(|file| file.exists())
                .ok_or(TlsError::NoSystemRoots)?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(pem::authorities(file)?);
        let config = match &tls.identity {
            Some(identity) => {
                builder.with_client_auth_cert(pem::certificates(&identity.cert)?, pem::private_key(&identity.key)?)?
            }
            None => builder.with_no_client_auth(),
        };
        let server_name = tls.server_name.as_deref().map(name).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            server_name,
        })
    }

    /// The name that a certificate must have when `host` is called (RFC 5922 §7.2).
    pub(crate) fn name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => name(host),
        }
    }

    /// The handshake, with the peer's word on our certificate if it asked for one: in TLS 1.3 that comes when we are done,
    /// and without a look at it the first request would wait for Timer B.
    pub(crate) async fn handshake(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let ours = Arc::new(Ours {
            shown: self.config.client_auth_cert_resolver.clone(),
            asked: AtomicBool::new(false),
        });
        let mut config = ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver = ours.clone();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        if ours.asked.load(Ordering::Relaxed) {
            match timeout(OBJECTION, stream.fill_buf()).await {
                Ok(Ok([])) => {
                    let why = "it asked for a certificate of ours and hung up ([sip.tls] cert)";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
                }
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        Ok(stream)
    }
}

/// Our certificate, and whether it was asked for.
#[derive(Debug)]
struct Ours {
    shown: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Ours {
    fn resolve(&self, root_hint_subjects: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.shown.resolve(root_hint_subjects, schemes)
    }

    fn has_certs(&self) -> bool {
        self.shown.has_certs()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

/// Why a certificate was refused, the peer's or ours, in words for whoever runs the server; `None` when the handshake
/// failed otherwise.
pub(crate) fn refused(error: &io::Error) -> Option<String> {
    let why = match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(why) => why,
        rustls::Error::AlertReceived(alert) => return ours_refused(*alert),
        _ => return None,
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

fn ours_refused(alert: AlertDescription) -> Option<String> {
    use AlertDescription as Alert;
    let why = match alert {
        Alert::CertificateRequired | Alert::NoCertificate => "it wants a certificate of ours, and there is none",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        // A signature that does not fit is that of another authority of the same name.
        | Alert::DecryptError => "it does not take our certificate",
        _ => return None,
    };
    Some(format!("{why} ([sip.tls] cert; {alert:?})"))
}

fn name(text: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(text.to_owned()).map_err(|_| TlsError::Name(text.to_owned()))
}
