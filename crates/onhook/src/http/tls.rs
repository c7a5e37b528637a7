//! Certificates: TLS 1.2 and 1.3, HTTP/1.1 in ALPN. 1.2 stays on: one client runtime has no 1.3.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

use crate::pem::{self, PemError};

/// A certificate chain with its key, ready to be served. Clones share it, and see what [`Tls::reload`] has read.
#[derive(Clone)]
pub struct Tls(Arc<Served>);

struct Served {
    cert: PathBuf,
    key: PathBuf,
    clients: Option<Clients>,
    now: RwLock<Files>,
}

/// What was in the files when they were last read.
#[derive(Clone)]
struct Files {
    acceptor: TlsAcceptor,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// Which certificates clients may show.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Who signs them, PEM.
    pub ca: PathBuf,
    /// Which of them are revoked, PEM.
    pub crl: Option<PathBuf>,
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
    #[error("a revocation list of {} cannot be used: {source}", path.display())]
    RevocationLists {
        path: PathBuf,
        source: VerifierBuilderError,
    },
}

impl Tls {
    /// Reads a chain and a key, both PEM; and who signs the certificates of clients, if they are asked for one.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path, clients: Option<Clients>) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Served {
            now: RwLock::new(read(cert, key, clients.as_ref())?),
            cert: cert.to_owned(),
            key: key.to_owned(),
            clients,
        })))
    }

    /// Reads the files again: handshakes from now on see what is in them. Connections stay as they are, but for those of
    /// clients whose certificates do not count any more ([`Tls::verify_client`]).
    ///
    /// # Errors
    /// As [`Tls::load`]; what was served before is then still served.
    pub fn reload(&self) -> Result<(), TlsError> {
        let served = &self.0;
        let files = read(&served.cert, &served.key, served.clients.as_ref())?;
        *served.now.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }

    /// The file of the certificate.
    pub fn cert(&self) -> &Path {
        &self.0.cert
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.now().acceptor
    }

    /// Whether a handshake would take a client's certificate now: by its time and that of all who vouch for it, and by the
    /// authorities and revocation lists that were read last.
    ///
    /// # Errors
    /// Why it would not.
    pub(super) fn verify_client(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), rustls::Error> {
        let verifier = self.now().verifier;
        verifier
            .verify_client_cert(certificate, intermediates, UnixTime::now())
            .map(drop)
    }

    fn now(&self) -> Files {
        self.0.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(cert: &Path, key: &Path, clients: Option<&Clients>) -> Result<Files, TlsError> {
    let chain = pem::certificates(cert)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = match clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(clients) => client_verifier(clients, &provider)?,
    };
    let private_key = pem::private_key(key)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map(|builder| builder.with_client_cert_verifier(Arc::clone(&verifier)))
        .and_then(|builder| builder.with_single_cert(chain, private_key))
        .map_err(|source| TlsError::Unusable {
            cert: cert.to_owned(),
            key: key.to_owned(),
            source,
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if clients.is_some() {
        // A resumed session (RFC 8446 §2.2, RFC 5246 §7.3) brings the certificate of an earlier handshake, and nobody
        // looks at it again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Files {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        verifier,
    })
}

/// With revocation lists, the whole path must be in them: who is on no list, because it is missing or has expired, is as
/// good as revoked.
fn client_verifier(clients: &Clients, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = Arc::new(pem::authorities(&clients.ca)?);
    let mut builder = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    if let Some(crl) = &clients.crl {
        let lists = pem::revocation_lists(crl)?;
        if lists.iter().any(has_expired) {
            tracing::warn!(crl = %crl.display(), "a revocation list has expired: nobody of its issuer is let in");
        }
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !clients.required {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map_err(|source| match (&source, &clients.crl) {
        (VerifierBuilderError::InvalidCrl(_), Some(crl)) => TlsError::RevocationLists {
            path: crl.clone(),
            source,
        },
        _ => TlsError::Clients {
            path: clients.ca.clone(),
            source,
        },
    })
}

fn has_expired(list: &CertificateRevocationListDer<'_>) -> bool {
    let list = CertificateRevocationList::from_der(list);
    let next_update = list.ok().and_then(|(_, list)| list.next_update());
    next_update.is_some_and(|next_update| next_update < ASN1Time::now())
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
