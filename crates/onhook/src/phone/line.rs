//! The phone's SIP: its sockets and transactions, on a thread of their own.
//!
//! Whoever can reach it may speak to it. What comes as requests goes up as [`Incoming`], what is asked comes back as a status.
//! Every queue has a bound, and nobody here waits for anybody.
//!
//! ```text
//! line    the handle, opening and closing              thread    what owns sockets and transactions
//! ways    from a URI to a socket or a connection       incoming  a request of a peer, and what becomes of it
//! ```

mod incoming;
mod thread;
mod ways;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    thread::Builder,
    time::Duration,
};

use call::Local;
use sip::{Outgoing, Path, ServerId, Timers};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::net::{BindError, Events, Listener, Names, StreamSettings, Streams, Udp, Wake, local_towards};

pub(super) use incoming::{Incoming, InviteProgress};
use thread::Thread;
use ways::Ways;

/// Requests of peers that are not answered yet; more are left to be repeated.
const UNANSWERED: usize = 4096;
/// What waits for the thread: each request has two answers at most, and each call one request of ours.
const COMMANDS: usize = 4 * UNANSWERED;
/// How long a connection may take to be opened.
const CONNECT: Duration = Duration::from_secs(4);

/// For `Server`.
const NAME: &str = concat!("onhook-phone/", env!("CARGO_PKG_VERSION"));

/// Why a phone cannot be switched on.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    #[error("the phone has nowhere to listen")]
    NoListener,
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the phone's thread cannot be started: {0}")]
    Thread(io::Error),
}

/// The open line. It is closed when its last clone is dropped.
#[derive(Clone)]
pub(super) struct Line(Arc<Open>);

struct Open {
    commands: mpsc::Sender<Command>,
    wake: Wake,
    streams: Streams,
    listening: Vec<Listener>,
    closing: CancellationToken,
    /// The thread has let go of its sockets.
    ended: CancellationToken,
}

/// What the thread is to do.
enum Command {
    Reply { id: ServerId, status: u16, bytes: Vec<u8> },
    Ask(Ask),
}

/// A request of ours, and who waits for its final status. Dropped, it has none.
struct Ask {
    outgoing: Outgoing,
    answered: oneshot::Sender<u16>,
}

impl Line {
    /// Binds every listener before it returns; inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`PhoneError`].
    pub(super) fn open(
        listeners: Vec<Listener>,
        timers: Timers,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), PhoneError> {
        if listeners.is_empty() {
            return Err(PhoneError::NoListener);
        }
        let (udp, wake) = Udp::bind(&listeners)?;
        let (events, heard) = Events::new(wake.clone());
        let names = Names::new(Handle::current(), events.clone());
        let settings = StreamSettings {
            listeners,
            tls: None,
            trunks: Vec::new(),
            others: None,
            limit: CONNECT,
            admits: Arc::new(|_| true),
        };
        let streams = Streams::start(settings, events)?;
        let (commands, commanded) = mpsc::channel(COMMANDS);
        let (sender, incoming) = mpsc::channel(UNANSWERED);
        let line = Self(Arc::new(Open {
            commands,
            wake,
            listening: [udp.listening(), streams.listening()].concat(),
            streams: streams.clone(),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
        }));
        let ways = Ways::new(&udp, streams, names);
        let thread = Thread::new(timers, ways, sender, &line);
        let (closing, ended) = (line.0.closing.clone(), line.0.ended.clone().drop_guard());
        Builder::new()
            .name("phone".to_owned())
            .spawn(move || {
                thread.run(udp, heard, commanded, &closing);
                drop(ended);
            })
            .map_err(PhoneError::Thread)?;
        Ok((line, incoming))
    }

    /// The listeners with the addresses that they really have.
    pub(super) fn listening(&self) -> &[Listener] {
        &self.0.listening
    }

    /// Sends a request and repeats it; says with which status it was answered. It fails when there is no answer within
    /// 64 × T1, or no way there.
    pub(super) fn ask(&self, outgoing: Outgoing) -> oneshot::Receiver<u16> {
        let (answered, answer) = oneshot::channel();
        self.tell(Command::Ask(Ask { outgoing, answered }));
        answer
    }

    /// Frees the ports. What is still on its way is dropped; what waits on a connection is sent, within a second.
    pub(super) async fn close(&self) {
        self.0.close();
        self.0.ended.cancelled().await;
        self.0.streams.stop().await;
    }

    /// Never full while the thread lives; see [`COMMANDS`].
    fn tell(&self, command: Command) {
        if self.0.commands.try_send(command).is_err() {
            tracing::debug!("the phone is off, and what it was to send is dropped");
        }
        self.0.wake.wake();
    }

    fn downgrade(&self) -> Weak<Open> {
        Arc::downgrade(&self.0)
    }
}

impl Open {
    fn close(&self) {
        self.closing.cancel();
        self.wake.wake();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.close();
    }
}

/// What goes into Via and Contact for whom this path leads to; nothing where we do not know our own address.
pub(super) fn local_on(path: &Path) -> Option<Local> {
    let own = path.local.ip();
    let address = if own.is_unspecified() {
        local_towards(path.remote.ip()).ok()??
    } else {
        own
    };
    let (sent_by, transport) = (SocketAddr::new(address, path.local.port()), path.transport);
    Some(Local {
        via: format!("{} {sent_by}", transport.sent_protocol()),
        contact: sip::uri::with_transport(&format!("sip:onhook@{sent_by}"), transport.as_str()),
        transport: transport.as_str().to_owned(),
    })
}
