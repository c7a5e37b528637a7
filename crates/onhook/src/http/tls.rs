//! Certificates: TLS 1.2 and 1.3, HTTP/1.1 in ALPN. 1.2 stays on: one client runtime has no 1.3.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate chain with its key, ready to be served.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read the certificate {}: {source}", path.display())]
    Certificate { path: PathBuf, source: pem::Error },
    #[error("{} holds no certificate (BEGIN CERTIFICATE)", .0.display())]
    NoCertificate(PathBuf),
    #[error("cannot read the private key {}: {source}", path.display())]
    Key { path: PathBuf, source: pem::Error },
    #[error("the certificate {} and the key {} do not work together: {source}", cert.display(), key.display())]
    Unusable {
        cert: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads a chain and a key, both PEM.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let certificate_error = |source| TlsError::Certificate {
            path: cert.to_owned(),
            source,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect)
            .map_err(certificate_error)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(cert.to_owned()));
        }
        let private_key = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::Key {
            path: key.to_owned(),
            source,
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, private_key))
            .map_err(|source| TlsError::Unusable {
                cert: cert.to_owned(),
                key: key.to_owned(),
                source,
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
