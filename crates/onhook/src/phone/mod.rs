//! A small real SIP phone: it rings, answers, listens and tells what happens.
//!
//! It is `onhook phone`, the other end of `onhook demo`, and a peer for tests. It speaks by the same messages,
//! transactions and sockets as the server and uses the same dialog, in the other role. What it does not do: place calls, register, or send sound.
//!
//! ```text
//! mod    the phone, and which call a request belongs to     leg    one call
//! event  what is told                                       sound  its RTP and its offers and answers
//! line   its SIP
//! ```

mod event;
mod leg;
mod line;
mod sound;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use call::Dialog;
use media::{Codec, PortPool, PortPoolOptions};
use sip::{ALLOW, BranchKey, CallIdHeader, Method, Reply, Tag, Timers, Transport};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use event::{Direction, Ending, PhoneEvent, What};
pub use line::PhoneError;

use crate::net::Listener;
use leg::Leg;
use line::{Incoming, Line, local_on};

/// Events that wait to be read.
const EVENTS: usize = 1024;
/// Requests that wait for one call.
const INBOX: usize = 16;

/// What the phone does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Ring, then answer.
    Answer,
    /// Ring and never answer.
    NoAnswer,
    /// 486 Busy Here.
    Busy,
    /// 603 Decline.
    Decline,
}

/// How the phone is set up.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// Where it listens; port 0 lets the system choose.
    pub listeners: Vec<Listener>,
    pub behaviour: Behaviour,
    /// How long it rings before it answers.
    pub ring: Duration,
    /// Codecs it takes. The caller's order decides.
    pub codecs: Vec<Codec>,
    /// Hangs up this long after answering.
    pub hang_up_after: Option<Duration>,
    /// Sound beyond it is not kept.
    pub max_heard: Duration,
    /// One more gets 486.
    pub max_calls: usize,
    pub timers: Timers,
}

impl Default for PhoneOptions {
    /// UDP and TCP on loopback at ports the system chooses; answers at once; ten minutes are kept of each of at most 1,000
    /// calls.
    fn default() -> Self {
        let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let listener = |transport| Listener { transport, address };
        Self {
            listeners: vec![listener(Transport::Udp), listener(Transport::Tcp)],
            behaviour: Behaviour::Answer,
            ring: Duration::ZERO,
            codecs: Codec::ALL.to_vec(),
            hang_up_after: None,
            max_heard: Duration::from_secs(600),
            max_calls: 1000,
            timers: Timers::default(),
        }
    }
}

/// A phone that is on.
pub struct Phone {
    shared: Arc<Shared>,
    dispatcher: JoinHandle<()>,
    legs: TaskTracker,
}

/// What the calls share.
struct Shared {
    options: PhoneOptions,
    line: Line,
    ports: PortPool,
    /// What the RTP ports are bound to.
    address: IpAddr,
    branch_key: BranchKey,
    events: mpsc::Sender<PhoneEvent>,
    /// The phone is being switched off.
    closing: CancellationToken,
    calls: AtomicU32,
    legs: Mutex<HashMap<LegKey, mpsc::Sender<Incoming>>>,
}

/// Call-ID and our tag: forks of one call may reach the phone twice.
type LegKey = (CallIdHeader, Tag);

impl Phone {
    /// Switches the phone on; its sockets are bound when this returns. Needs a tokio runtime.
    ///
    /// Read the events, or drop the receiver: a call whose events nobody takes waits for its reader.
    ///
    /// # Errors
    ///
    /// [`PhoneError`], mostly when a listener cannot be bound.
    pub fn start(options: PhoneOptions) -> Result<(Self, mpsc::Receiver<PhoneEvent>), PhoneError> {
        let (line, incoming) = Line::open(options.listeners.clone(), options.timers)?;
        let address = options
            .listeners
            .first()
            .map_or(Ipv4Addr::LOCALHOST.into(), |listener| listener.address.ip());
        let ports = PortPool::new(PortPoolOptions {
            address,
            ..PortPoolOptions::default()
        });
        let (events, receiver) = mpsc::channel(EVENTS);
        let legs = TaskTracker::new();
        let shared = Arc::new(Shared {
            options,
            line,
            ports,
            address,
            branch_key: BranchKey::new(random()),
            events,
            closing: CancellationToken::new(),
            calls: AtomicU32::new(0),
            legs: Mutex::default(),
        });
        let dispatcher = tokio::spawn(dispatch(Arc::clone(&shared), incoming, legs.clone()));
        let phone = Self {
            shared,
            dispatcher,
            legs,
        };
        Ok((phone, receiver))
    }

    /// Where the phone listens by this transport, with the port that it really has.
    pub fn address(&self, transport: Transport) -> Option<SocketAddr> {
        let listening = self.shared.line.listening();
        listening
            .iter()
            .find(|listener| listener.transport == transport)
            .map(|listener| listener.address)
    }

    /// Calls that ring or are up.
    pub fn live_calls(&self) -> usize {
        self.shared.legs().len()
    }

    /// Hangs up every call, waits for the answers (at most 64 × T1 and a little), and switches the phone off.
    pub async fn hang_up(self) {
        self.shared.closing.cancel();
        self.legs.close();
        self.legs.wait().await;
        self.dispatcher.abort();
        self.shared.line.close().await;
    }
}

/// Finds the call that a request belongs to.
async fn dispatch(shared: Arc<Shared>, mut incoming: mpsc::Receiver<Incoming>, legs: TaskTracker) {
    while let Some(request) = incoming.recv().await {
        shared.take(request, &legs);
    }
}

impl Shared {
    fn take(self: &Arc<Self>, incoming: Incoming, legs: &TaskTracker) {
        let request = &incoming.request;
        match (&request.to_tag, &request.method) {
            (Some(tag), _) => {
                let leg = self.legs().get(&(request.call_id.clone(), tag.clone())).cloned();
                match leg {
                    // Too many at once for one call: dropped, and so answered with 500.
                    Some(leg) => drop(leg.try_send(incoming)),
                    None => incoming.reply(&Reply::status(481)),
                }
            }
            (None, Method::Invite) => self.ring(incoming, legs),
            (None, Method::Options) => incoming.reply(&Reply::status(200).with("Allow", ALLOW)),
            (None, Method::Bye) => incoming.reply(&Reply::status(481)),
            (None, _) => incoming.reply(&Reply::status(405).with("Allow", ALLOW)),
        }
    }

    fn ring(self: &Arc<Self>, invite: Incoming, tasks: &TaskTracker) {
        if self.closing.is_cancelled() {
            return invite.reply(&Reply::status(480));
        }
        let Some(local) = local_on(&invite.path) else {
            return invite.reply(&Reply::status(500));
        };
        let tag = invite.tag.clone();
        let key = (invite.request.call_id.clone(), tag.clone());
        let (sender, inbox) = mpsc::channel(INBOX);
        {
            let mut legs = self.legs();
            if legs.len() >= self.options.max_calls {
                return invite.reply(&Reply::status(486));
            }
            legs.insert(key.clone(), sender);
        }
        let leg = Leg {
            shared: Arc::clone(self),
            number: self.calls.fetch_add(1, Ordering::Relaxed) + 1,
            dialog: Dialog::answering(&invite.request, tag),
            local,
            invite,
            inbox,
        };
        let shared = Arc::clone(self);
        tasks.spawn(async move {
            leg.run().await;
            shared.legs().remove(&key);
        });
    }

    async fn tell(&self, call: u32, what: What) {
        let at = Instant::now();
        let _ = self.events.send(PhoneEvent { call, at, what }).await;
    }

    fn legs(&self) -> MutexGuard<'_, HashMap<LegKey, mpsc::Sender<Incoming>>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 128 random bits as a tag.
fn fresh_tag() -> Tag {
    Tag::new(format!("{:032x}", u128::from_be_bytes(random())))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without a random source nothing here is safe to run")]
    getrandom::fill(&mut bytes).expect("the system has a random source");
    bytes
}
