//! Certificates: TLS 1.2 and 1.3, HTTP/1.1 in ALPN. 1.2 stays on: one client runtime has no 1.3.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use crate::pem::{self, PemError};

/// A certificate chain with its key, ready to be served. Clones share it, and see what [`Tls::reload`] has read.
#[derive(Clone)]
pub struct Tls(Arc<Served>);

struct Served {
    cert: PathBuf,
    key: PathBuf,
    /// Authorities, and whether a certificate is required.
    clients: Option<(PathBuf, bool)>,
    now: RwLock<TlsAcceptor>,
}

/// Which certificates clients may show.
#[derive(Clone, Copy, Debug)]
pub struct Clients<'c> {
    /// Who signs them, PEM.
    pub ca: &'c Path,
    /// Whether a client without one is turned away in the handshake.
    pub required: bool,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("the certificate {} and the key {} do not work together: {source}", cert.display(), key.display())]
    Unusable {
        cert: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
    #[error("the authorities in {} cannot vouch for clients: {source}", path.display())]
    Clients {
        path: PathBuf,
        source: VerifierBuilderError,
    },
}

impl Tls {
    /// Reads a chain and a key, both PEM; and who signs the certificates of clients, if they are asked for one.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path, clients: Option<Clients<'_>>) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Served {
            now: RwLock::new(acceptor(cert, key, clients)?),
            cert: cert.to_owned(),
            key: key.to_owned(),
            clients: clients.map(|clients| (clients.ca.to_owned(), clients.required)),
        })))
    }

    /// Reads the files again: handshakes from now on see what is in them, connections stay as they are.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was served before is then still served.
    pub fn reload(&self) -> Result<(), TlsError> {
        let served = &self.0;
        let clients = served.clients.as_ref().map(|(ca, required)| Clients {
            ca,
            required: *required,
        });
        let acceptor = acceptor(&served.cert, &served.key, clients)?;
        *served.now.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }

    /// The file of the certificate.
    pub fn cert(&self) -> &Path {
        &self.0.cert
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(cert: &Path, key: &Path, clients: Option<Clients<'_>>) -> Result<TlsAcceptor, TlsError> {
    let chain = pem::certificates(cert)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(Clients { ca, required }) => {
            let roots = Arc::new(pem::authorities(ca)?);
            let builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
            let builder = if required {
                builder
            } else {
                builder.allow_unauthenticated()
            };
            builder.build().map_err(|source| TlsError::Clients {
                path: ca.to_owned(),
                source,
            })?
        }
    };
    let private_key = pem::private_key(key)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map(|builder| builder.with_client_cert_verifier(verifier))
        .and_then(|builder| builder.with_single_cert(chain, private_key))
        .map_err(|source| TlsError::Unusable {
            cert: cert.to_owned(),
            key: key.to_owned(),
            source,
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
