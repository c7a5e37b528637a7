//! The door: EWS over HTTP, plain and TLS.
//!
//! Step 1 in the life of a DisconnectPhoneCall: bytes come in, within limits, and get a request id. What they ask for
//! is [`Service`]'s matter; this room knows listeners, statuses and headers, and no calls. Three ways lead out: an HTTP
//! status (the request is no EWS request, or nobody we know sent it), a SOAP fault (500: not understood), a response
//! (200: understood; done, or not).

mod answer;
mod body;
mod connection;
mod delivery;
mod description;
mod endpoint;
mod forwarded;
mod framing;
mod front;
pub mod fuzzed;
mod linger;
mod listener;
#[cfg(test)]
mod long_answers;
mod page;
mod places;
mod router;
mod service;
mod tls;
mod unread;
mod watched;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use dial::Network;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::LoginMethods;
use crate::config::{self, ClientCertificate, PlainBasic};
use connection::Serving;
use front::Front;
use linger::Leaving;
use listener::Listener;
use places::Places;

pub(crate) use linger::WITHOUT_PLACE;
pub use service::{Answer, House, Service, ServiceRequest, Unauthenticated};
pub use tls::{Clients, Tls, TlsError};

/// How the door behaves; made from `[http]`.
#[derive(Clone, Debug)]
pub struct Settings {
    pub basic_over_plain_http: PlainBasic,
    pub realm: String,
    /// The longest body of a request, in bytes.
    pub body_limit: usize,
    /// The bytes of bodies that are held at once.
    pub bodies_limit: usize,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    pub decode: ews::DecodeOptions,
    pub version: ews::ServerVersionInfo,
    /// The endpoint's address for the WSDL; without it, the one that was asked.
    pub public_url: Option<String>,
    /// Connections at a time over all listeners; for a further one the quietest makes place.
    pub max_connections: usize,
    /// The same, from one address.
    pub max_connections_per_address: usize,
    /// Whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<Network>,
}

impl From<&config::Http> for Settings {
    fn from(http: &config::Http) -> Self {
        let numbers = http.server_version;
        Self {
            basic_over_plain_http: http.basic_over_plain_http,
            realm: http.realm.clone(),
            body_limit: usize::try_from(http.body_limit).unwrap_or(usize::MAX),
            bodies_limit: usize::try_from(http.bodies_limit).unwrap_or(usize::MAX),
            header_timeout: http.header_timeout.0,
            body_timeout: http.body_timeout.0,
            idle_timeout: http.idle_timeout.0,
            decode: ews::DecodeOptions {
                strict_namespaces: http.strict_namespaces,
            },
            version: ews::ServerVersionInfo {
                major: numbers.major,
                minor: numbers.minor,
                build: numbers.major_build,
                revision: numbers.minor_build,
                // The configuration takes names of the schema only.
                version: ews::ServerVersion::named(&http.schema_version.0)
                    .unwrap_or(ews::ServerVersionInfo::default().version),
            },
            public_url: http.public_url.clone(),
            max_connections: usize::try_from(http.max_connections).unwrap_or(usize::MAX),
            max_connections_per_address: usize::try_from(http.max_connections_per_address).unwrap_or(usize::MAX),
            trusted_proxies: http.trusted_proxies.clone(),
        }
    }
}

/// Why the door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot listen on {address}: {source}")]
    Bind {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Listeners that are bound and not served yet.
#[derive(Debug)]
pub struct Door {
    listeners: Vec<Listener>,
}

impl Door {
    /// Binds what `[http]` lists. Certificates are read before any port is bound.
    ///
    /// # Errors
    /// When an address is taken or a certificate does not work.
    pub fn open(http: &config::Http) -> Result<Self, OpenError> {
        let plain = LoginMethods::of(&http.login);
        let mut wanted: Vec<_> = http.listen.0.iter().map(|address| (*address, None, plain)).collect();
        for tls in &http.tls {
            let clients = tls.client_ca.clone().map(|ca| Clients {
                ca,
                crl: tls.client_crl.clone(),
                required: tls.client_certificate == ClientCertificate::Required,
            });
            let loaded = Tls::load(&tls.cert, &tls.key, clients)?;
            wanted.push((tls.listen, Some(loaded), LoginMethods::of(&tls.login)));
        }
        let mut listeners = Vec::with_capacity(wanted.len());
        for (address, tls, methods) in wanted {
            let listener =
                Listener::bind(address, tls, methods).map_err(|source| OpenError::Bind { address, source })?;
            listeners.push(listener);
        }
        Ok(Self { listeners })
    }

    /// The certificates that are served, to be read again when their files have changed.
    pub fn certificates(&self) -> Vec<Tls> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.tls().cloned())
            .collect()
    }

    /// The bound addresses, plain ones first, each with whether it speaks TLS.
    pub fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        self.listeners
            .iter()
            .map(|listener| (listener.address(), listener.is_tls()))
    }

    /// Serves until `shutdown`; then takes no new connections, lets requests under way be answered for up to `grace`,
    /// and returns. What was asked by clients that are gone has the same time.
    pub async fn serve<S: Service>(
        self,
        settings: Settings,
        service: Arc<S>,
        shutdown: CancellationToken,
        grace: Duration,
    ) {
        let places = Places::new(
            settings.max_connections,
            settings.max_connections_per_address,
            settings.trusted_proxies.clone(),
        );
        let settings = Arc::new(settings);
        let router = router::router(Front::new(Arc::clone(&settings), service));
        let connections = Serving {
            routes: Arc::new(move || router.clone().layer(Extension(Arc::new(S::Connection::default())))),
            settings,
            leaving: Leaving::new(),
            under_way: TaskTracker::new(),
            shutdown,
        };
        let mut serving = JoinSet::new();
        for listener in self.listeners {
            serving.spawn(listener.serve(Arc::clone(&places), connections.clone(), grace));
        }
        connections.shutdown.cancelled().await;
        let deadline = Instant::now() + grace;
        serving.join_all().await;
        connections.under_way.close();
        if timeout_at(deadline, connections.under_way.wait()).await.is_err() {
            tracing::warn!("requests were cut whose clients are gone: they took too long");
        }
    }
}
