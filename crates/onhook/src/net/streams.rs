//! TCP and TLS connections: those that peers open, and those that the core wants.
//!
//! ```text
//! accept      who may open one, how many, and the handshake    dial     one that is wanted
//! connection  its reading, its writing and its end             open     what is open now, and what waits to be sent
//! ```
//!
//! All of it runs on the runtime, a task for each connection, and reports to the core by [`Events`]. A peer that sends more than the
//! core takes is not read meanwhile; one that takes less than the core sends loses its connection, and nobody waits for it.

mod accept;
mod connection;
mod dial;
mod open;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sip::{Path, Transport};
use socket2::SockRef;
use tokio::{net::TcpStream, runtime::Handle, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    bind::{self, BindError},
    events::Events,
    listener::{Listener, TlsClient, TlsServer},
    tls::{Served, TlsError, Verifier},
    udp::SendError,
};
use accept::Acceptor;
use open::Open;

/// The kernel ends a connection on which nothing we wrote was taken for so long.
const STALLED: Duration = Duration::from_secs(10);
/// Connections that we have opened, dials among them.
const DIALLED: usize = 1024;

/// Whether a host may open connections to us: asked once for each, from a thread of the runtime, and must not wait.
pub type Admits = dyn Fn(IpAddr) -> bool + Send + Sync;

/// What [`Streams::start`] is told.
pub struct StreamSettings {
    /// Those for UDP are passed over.
    pub listeners: Vec<Listener>,
    /// Needed with a `tls:` listener.
    pub tls: Option<TlsServer>,
    /// How trunks that are called over TLS are verified; see [`TlsOf::Trunk`]. One's private roots vouch for nobody else.
    pub trunks: Vec<TlsClient>,
    /// For TLS peers that are no trunk; `None` when there are none.
    pub others: Option<TlsClient>,
    /// How long a dial may take, with its handshake.
    pub limit: Duration,
    pub admits: Arc<Admits>,
}

/// A wish for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Stands in the one event that answers it.
    pub id: u64,
    pub transport: Transport,
    pub remote: SocketAddr,
    /// The host as it is called: what a certificate is for, unless the settings name another.
    pub server_name: String,
    pub tls: TlsOf,
}

/// By which settings a peer is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsOf {
    /// Those at this place in [`StreamSettings::trunks`].
    Trunk(usize),
    Others,
}

/// The connections. Clones share them.
#[derive(Clone)]
pub struct Streams(Arc<Shared>);

struct Shared {
    runtime: Handle,
    events: Events,
    open: Open,
    listening: Vec<Listener>,
    settings: StreamSettings,
    /// Our certificate, when there is one.
    served: Option<Arc<Served>>,
    verifiers: RwLock<Verifiers>,
    dialled: Arc<Semaphore>,
    turned_away: AtomicU64,
    closing: CancellationToken,
    tracker: TaskTracker,
}

/// How peers are verified, as it was last read.
struct Verifiers {
    trunks: Vec<Verifier>,
    others: Option<Verifier>,
}

impl Verifiers {
    fn load(settings: &StreamSettings) -> Result<Self, TlsError> {
        Ok(Self {
            trunks: settings.trunks.iter().map(Verifier::load).collect::<Result<_, _>>()?,
            others: settings.others.as_ref().map(Verifier::load).transpose()?,
        })
    }
}

impl Streams {
    /// Binds the `tcp:` and `tls:` listeners, all or none, and accepts connections; inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn start(settings: StreamSettings, events: Events) -> Result<Self, BindError> {
        let served = settings.tls.as_ref().map(Served::load).transpose()?.map(Arc::new);
        let verifiers = Verifiers::load(&settings)?;
        let (mut listening, mut acceptors) = (Vec::new(), Vec::new());
        for &listener in settings
            .listeners
            .iter()
            .filter(|listener| listener.transport.is_stream())
        {
            let tls = match (listener.transport, &served) {
                (Transport::Tls, Some(served)) => Some(served.clone()),
                (Transport::Tls, None) => return Err(BindError::NoCertificate(listener)),
                _ => None,
            };
            let failed = |error| BindError::new(listener, error);
            let socket = bind::tcp(listener.address).map_err(failed)?;
            let address = socket.local_addr().map_err(failed)?;
            let listener = tokio::net::TcpListener::from_std(socket).map_err(failed)?;
            listening.push(Listener {
                transport: if tls.is_some() { Transport::Tls } else { Transport::Tcp },
                address,
            });
            acceptors.push(Acceptor { listener, tls });
        }
        let streams = Self(Arc::new(Shared {
            runtime: Handle::current(),
            events,
            open: Open::default(),
            listening,
            settings,
            served,
            verifiers: RwLock::new(verifiers),
            dialled: Arc::new(Semaphore::new(DIALLED)),
            turned_away: AtomicU64::new(0),
            closing: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }));
        accept::start(acceptors, &streams.0);
        Ok(streams)
    }

    /// Where it listens, with the ports that the system chose, in the order they were asked for.
    #[must_use]
    pub fn listening(&self) -> Vec<Listener> {
        self.0.listening.clone()
    }

    /// Opens a connection, and says by [`NetEvent::Connected`](super::NetEvent::Connected) or
    /// [`NetEvent::ConnectFailed`](super::NetEvent::ConnectFailed) what became of it. Never waits.
    pub fn connect(&self, want: Connect) {
        let (shared, dial) = (self.0.clone(), dial::dial(self.0.clone(), want));
        shared.tracker.spawn_on(dial, &shared.runtime);
    }

    /// Sends bytes down a connection, behind what was sent before. Never waits.
    ///
    /// # Errors
    ///
    /// [`SendError::NoConnection`] and [`SendError::Full`], by which the connection ends; the bytes are dropped.
    pub fn send(&self, path: &Path, bytes: Vec<u8>) -> Result<(), SendError> {
        self.0.open.send(path, bytes)
    }

    /// Ends a connection when what waits has been sent, within a second.
    pub fn close(&self, path: &Path) {
        self.0.open.close(path);
    }

    /// Reads certificates, keys and roots again, for connections from now on; those that are open stay as they are.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: what could not be read stays what it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Some(served) = &self.0.served {
            served.reload()?;
        }
        let verifiers = Verifiers::load(&self.0.settings)?;
        *self.0.verifiers.write().unwrap_or_else(PoisonError::into_inner) = verifiers;
        Ok(())
    }

    /// Connections that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.open.count()
    }

    /// How many connections were closed because nobody we deal with opened them, or one too many.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.0.turned_away.load(Ordering::Relaxed)
    }

    /// Frees the ports and ends every connection when what waits there has been sent, within a second.
    pub async fn stop(&self) {
        self.0.closing.cancel();
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }
}

impl Shared {
    fn verifier(&self, tls: TlsOf) -> Option<Verifier> {
        let verifiers = self.verifiers.read().unwrap_or_else(PoisonError::into_inner);
        match tls {
            TlsOf::Trunk(place) => verifiers.trunks.get(place).cloned(),
            TlsOf::Others => verifiers.others.clone(),
        }
    }

    /// Tells at the first, second, fourth, … time: a flood must not fill the log.
    fn turn_away(&self, what: &str, host: IpAddr) {
        let times = self.turned_away.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::info!(%host, times, "{what}: it was closed at once ([sip] peers)");
        }
    }
}

/// An ACK must not wait for the answer to what was written before it, and a stuck peer must not hold a writer for ever.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(STALLED))
}

fn path(transport: Transport, stream: &TcpStream) -> io::Result<Path> {
    Ok(Path {
        transport,
        local: stream.local_addr()?,
        remote: stream.peer_addr()?,
    })
}
