//! The server: every room opened in order, and closed in the opposite one.
//!
//! `onhook serve` runs it for an operator, `onhook demo` for a spectator, tests for themselves.

mod descriptors;
mod wiring;

pub use wiring::TrunkError;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use media::{ClipCache, Pacer, PortPool, PortPoolOptions};
use serde::Serialize;
use sip::BranchKey;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    auth::{AuthError, Authenticator, impersonation::Impersonation},
    calls::{Calls, Parts, Sockets, Sounds},
    config::Config,
    crash_points,
    gate::Gate,
    http::{self, Door, House, Tls},
    journal::{Journal, JournalError},
    messages::StoredMessages,
    metrics,
    net::{BindError, Listener},
    operations::Operations,
    panics::{Vital, vital},
    store::{Reader, Store, StoreError, UserCache},
};

/// Encoded sound that is kept for the next call: an hour and more of speech.
const CLIP_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// How long requests that are under way may take when the door closes.
const HTTP_GRACE: Duration = Duration::from_secs(5);

/// Why the server could not be started. Nothing is left open then.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Http(#[from] http::OpenError),
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    #[error(transparent)]
    Bind(BindError),
    #[error("cannot start the thread of the calls: {0}")]
    Switch(io::Error),
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
    #[error("cannot start the RTP pacer: {0}")]
    Pacer(io::Error),
    #[error("cannot listen on {address} for readers of metrics: {source}")]
    Metrics { address: SocketAddr, source: io::Error },
}

/// Where a running server really listens: what scripts read from `--ready-file`.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    pub http: Vec<SocketAddr>,
    pub https: Vec<SocketAddr>,
    /// `udp:127.0.0.1:5060` and the like.
    pub sip: Vec<String>,
    pub metrics: Option<SocketAddr>,
}

/// A running server.
pub struct Server {
    addresses: Addresses,
    calls: Calls,
    journal: Journal,
    closing: CancellationToken,
    certificates: Vec<Tls>,
    door: JoinHandle<()>,
}

impl Server {
    /// Opens everything that can fail before it lets anybody in.
    ///
    /// # Errors
    ///
    /// [`ServerError`]: which room could not be opened, and why.
    pub async fn start(config: &Config) -> Result<Self, ServerError> {
        let store = Store::open(&config.store.path)?;
        let branch_key = store.branch_key().map_err(|error| error.at(store.path()))?;
        let branch_key = BranchKey::new(branch_key);
        let disk_wait = config.store.disk_wait.0;
        let rows = Reader::start(&store, "reader", disk_wait)?;
        let users = UserCache::start(&store)?;
        let authenticator = Authenticator::new(users.clone(), &config.http.realm, &config.login)?;
        let messages = Arc::new(StoredMessages {
            rows: rows.clone(),
            sounds: Reader::start(&store, "sound-reader", disk_wait)?,
        });
        let (journal, recovered) = Journal::open(&store, wiring::journal(config))?;

        let sounds = Sounds::new(
            messages.clone(),
            ClipCache::new(CLIP_CACHE_BYTES, media::Limits::default()),
            start_pacer().map_err(ServerError::Pacer)?,
            wiring::media_addresses(config)
                .into_iter()
                .map(|address| {
                    PortPool::new(PortPoolOptions {
                        address,
                        range: Some(config.media.rtp_ports.0.clone()),
                        ..PortPoolOptions::default()
                    })
                })
                .collect(),
            config.sip.external_address,
        );
        let door = Door::open(&config.http)?;
        // Before anything that counts.
        let readers = match config.metrics.listen {
            Some(address) => {
                let readers = metrics::Listener::open(address).await;
                Some(readers.map_err(|source| ServerError::Metrics { address, source })?)
            }
            None => None,
        };
        let history = journal.history(rows.clone());
        let sockets = Sockets::open(wiring::sockets(config)?).map_err(ServerError::Bind)?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(ServerError::NoRandomness)?;
        let identity = (secret, journal.before());
        let settings = wiring::switch(config, branch_key, identity, sockets.listening())?;
        let addresses = addresses(&door, sockets.listening(), readers.as_ref());
        let parts = Parts {
            settings,
            patience: switch::Patience {
                disconnect: config.calls.disconnect_wait.0,
                disk: disk_wait,
            },
            sockets,
            journal: journal.clone(),
            history,
            recovered,
        };
        let retention = config.calls.ended_retention.0;
        let calls = Calls::start(parts, sounds, retention).map_err(ServerError::Switch)?;

        let gate = Gate::new((&config.dial).into(), users.clone());
        let impersonation = Impersonation::new(users, rows, &config.login);
        let operations = Operations::new(calls.clone(), messages, gate, impersonation);
        let closing = CancellationToken::new();
        let mut http = http::Settings::from(&config.http);
        http.max_connections = descriptors::room_for(http.max_connections, config.calls.max_live);
        if let Some(readers) = readers {
            tokio::spawn(readers.serve(closing.clone()));
        }
        let certificates = door.certificates();
        let house = Arc::new(House {
            authenticator,
            operations,
        });
        let serving = door.serve(http, house, closing.clone(), HTTP_GRACE);
        let door = tokio::spawn(vital("the HTTP door", serving));
        Ok(Self {
            addresses,
            calls,
            journal,
            closing,
            certificates,
            door,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Reads certificates again, of HTTP and of SIP. Connections that are open stay as they are; a file that cannot be used
    /// is told of, and what was served before is served on.
    pub fn reload_certificates(&self) {
        for tls in &self.certificates {
            match tls.reload() {
                Ok(()) => tracing::info!(cert = %tls.cert().display(), "HTTPS: the certificate was read again"),
                Err(error) => tracing::error!(%error, "HTTPS: the certificate stays what it was"),
            }
        }
        match self.calls.reload() {
            Ok(()) => tracing::info!("SIP: certificates were read again"),
            Err(error) => tracing::error!(%error, "SIP: certificates stay what they were"),
        }
    }

    /// How many calls are up.
    pub fn live_calls(&self) -> usize {
        self.calls.live()
    }

    /// Takes no new calls from now on.
    pub fn take_no_new_calls(&self) {
        self.calls.take_none();
    }

    /// Takes no new calls from now on, and returns when none is up any more. Running ones can still be asked about and
    /// ended.
    pub async fn drain(&self) {
        self.calls.drain().await;
    }

    /// Takes no new calls, ends the running ones, and closes every room.
    pub async fn stop(self) {
        self.calls.end_all().await;
        self.closing.cancel();
        if let Err(error) = self.door.await {
            tracing::error!(%error, "the HTTP door did not close cleanly");
        }
        self.calls.leave().await;
        if let Err(error) = self.journal.close().await {
            tracing::error!(%error, "the journal did not close cleanly");
        }
    }
}

fn start_pacer() -> io::Result<Pacer> {
    let held = Vital("the RTP pacer");
    Pacer::start_watched(move || {
        // With it the thread holds what tells of its panic.
        let _ = &held;
        crash_points::panic_at("pacer");
    })
}

fn addresses(door: &Door, listening: &[Listener], readers: Option<&metrics::Listener>) -> Addresses {
    let of = |tls| {
        door.addresses()
            .filter(|(_, is_tls)| *is_tls == tls)
            .map(|(address, _)| address)
            .collect()
    };
    Addresses {
        http: of(false),
        https: of(true),
        sip: listening.iter().map(ToString::to_string).collect(),
        metrics: readers.map(metrics::Listener::address),
    }
}
