//! Transactions: one request and what belongs to it, its repetitions and its answers (RFC 3261 §17, RFC 6026).
//!
//! [`Transactions`] repeats what may be lost, absorbs what comes twice, and says once what happened. It does no I/O and
//! is told the time. It does not know calls, dialogs or peers, and chooses no destination: everything leaves on the path
//! that its first message took, or, as the answer to a request that came again, on the path of that.

mod ack;
mod client;
mod key;
mod server;
mod wheel;

use std::{collections::VecDeque, time::Duration};

use client::Clients;
use sabotage::{Fault, Sabotage};
use server::Servers;
use wheel::{Wheel, Whose};

use crate::{fields::Tx, message::Message, moment::Moment, transport::Path};

/// The timers of RFC 3261 §17; B, D, F, H, J, L and M are 64 × `t1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate: the first repetition comes after it.
    pub t1: Duration,
    /// Longest time between repetitions.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Timers {
    /// How long a transaction waits for what may never come.
    #[must_use]
    pub fn t1x64(self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

/// How much is remembered at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Client transactions without a final response. A request beyond them does not leave and ends as unreachable.
    pub waiting: usize,
    /// Client transactions that absorb what comes again. Beyond them the oldest are forgotten.
    pub finished: usize,
    /// Bytes of requests of ours that are kept.
    pub client_bytes: usize,
    /// Server transactions. Beyond them those that have had their answer are forgotten, and then none is accepted.
    pub servers: usize,
    /// Bytes of responses of ours, and of what names their requests.
    pub server_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            waiting: 65_536,
            finished: 262_144,
            client_bytes: 256 << 20,
            servers: 131_072,
            server_bytes: 128 << 20,
        }
    }
}

/// Names a server transaction; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u64);

/// A message that leaves now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    pub path: Path,
    pub bytes: Vec<u8>,
}

/// What a response is to whoever sent the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForClient {
    /// A provisional response.
    Provisional(Tx),
    /// The final response, told once: a refusal of an INVITE, which was ACKed here, or any to another request.
    Final(Tx),
    /// A 2xx to an INVITE, each one that comes, whether or not its transaction is known: it is the caller's to ACK
    /// (RFC 3261 §13.2.2.4).
    Answer,
    /// Came after the final response. A refusal of an INVITE was ACKed again, here.
    Absorbed,
    /// Belongs to no transaction.
    Stray,
}

/// What a request is to whoever answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForServer {
    /// Belongs to a transaction that takes care of it: the request again, answered again here, or an ACK that was
    /// waited for here.
    Absorbed,
    /// Not seen before. Nothing is remembered of it until [`Transactions::accept`].
    New,
    /// A CANCEL of this INVITE. It is a new request itself: 200 to it, and 487 to the INVITE (RFC 3261 §9.2).
    Cancelled(ServerId),
    /// A CANCEL of nothing: 481.
    UnknownCancel,
    /// The first ACK to our 2xx. It may have an offer's answer in it.
    Acked(ServerId),
    /// An ACK to nothing. It is never answered.
    StrayAck,
}

/// What time, or the network, has done to a transaction. Nothing more comes of it afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionEvent {
    /// No final response within 64 × T1: timer B or F.
    TimedOut(Tx),
    /// The request did not leave: too many wait.
    Unreachable(Tx),
    /// The connection on which the request left is gone; whether it has arrived nobody knows.
    ConnectionLost(Tx),
    /// Our 2xx to an INVITE was not ACKed within 64 × T1 (timer L), or can no longer be.
    NeverAcked(ServerId),
    /// A server transaction is over.
    Over(ServerId),
}

/// How much is remembered now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Client transactions without a final response.
    pub waiting: usize,
    /// Client transactions that absorb what comes again.
    pub finished: usize,
    pub client_bytes: usize,
    pub servers: usize,
    pub server_bytes: usize,
}

/// The client and server transactions of one node.
///
/// Four kinds of methods, to be called in this order whenever something happens:
///
/// 1. **One input**: a command ([`send`](Self::send), [`resume`](Self::resume), [`stop`](Self::stop),
///    [`accept`](Self::accept), [`reply`](Self::reply)), or something that happened (`handle_*`,
///    [`unreachable`](Self::unreachable)). Time never goes back from one to the next.
/// 2. **All outputs**: [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event), each until nothing
///    is left. Each gives things in the order in which they were caused.
/// 3. [`poll_timeout`](Self::poll_timeout): by then, [`handle_timeout`](Self::handle_timeout) wants to be called. Earlier
///    it does nothing; later it does what it would have done in time, all of it, and in the same order.
/// 4. Questions, at any time: [`is_waiting`](Self::is_waiting), [`load`](Self::load).
///
/// A message that comes is given to [`handle_response`](Self::handle_response) or [`handle_request`](Self::handle_request)
/// before anything else is done with it; what they return says whose it is.
///
/// ```
/// use std::time::Duration;
/// use sip::{Branch, ForClient, Message, Method, Moment, Path, Timers, Transactions, Transport, Tx};
///
/// let mut transactions = Transactions::new(Timers::default());
/// let path = Path { transport: Transport::Udp, local: "192.0.2.1:5060".parse()?, remote: "192.0.2.2:5060".parse()? };
/// let at = |milliseconds| Moment::after_start(Duration::from_millis(milliseconds));
///
/// let head = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa\r\nFrom: <sip:a@192.0.2.1>;tag=1\r\n\
///     To: <sip:b@192.0.2.2>;tag=2\r\nCall-ID: c\r\nCSeq: 2 BYE\r\n\r\n";
/// let bye = Tx { branch: Branch::new("z9hG4bKa"), method: Method::Bye };
/// transactions.send(at(0), path, bye.clone(), format!("BYE sip:b@192.0.2.2 SIP/2.0\r\n{head}").into_bytes());
/// let sent = transactions.poll_transmit().expect("it leaves at once");
///
/// // Nobody answers: it leaves again, as it was.
/// assert_eq!(transactions.poll_timeout(), Some((at(500), "E")));
/// transactions.handle_timeout(at(500));
/// assert_eq!(transactions.poll_transmit(), Some(sent));
///
/// let answer = format!("SIP/2.0 200 OK\r\n{head}");
/// let answer = Message::parse(answer.as_bytes())?;
/// assert_eq!(transactions.handle_response(at(600), &answer), ForClient::Final(bye));
/// assert_eq!(transactions.handle_response(at(700), &answer), ForClient::Absorbed);
/// assert_eq!(transactions.poll_timeout(), Some((at(5_600), "K")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Transactions {
    clients: Clients,
    servers: Servers,
    shared: Shared,
}

/// What all transactions have in common: the timers, the wheel, the numbers, and the way out.
#[derive(Debug)]
struct Shared {
    timers: Timers,
    bounds: Bounds,
    wheel: Wheel,
    last: u64,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransactionEvent>,
    sabotage: Sabotage,
}

impl Shared {
    fn is_sabotaged(&self, fault: Fault) -> bool {
        self.sabotage.is(fault)
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        self.transmits.push_back(Transmit { path, bytes });
    }

    fn event(&mut self, event: TransactionEvent) {
        self.events.push_back(event);
    }
}

impl Transactions {
    #[must_use]
    pub fn new(timers: Timers) -> Self {
        Self::with_bounds(timers, Bounds::default())
    }

    /// The same with other bounds. T1 is at least a millisecond, T2 at least T1.
    #[must_use]
    pub fn with_bounds(timers: Timers, bounds: Bounds) -> Self {
        let t1 = timers.t1.max(Duration::from_millis(1));
        let t2 = timers.t2.max(t1);
        Self {
            clients: Clients::default(),
            servers: Servers::default(),
            shared: Shared {
                timers: Timers { t1, t2, ..timers },
                bounds,
                wheel: Wheel::default(),
                last: 0,
                transmits: VecDeque::new(),
                events: VecDeque::new(),
                sabotage: Sabotage::default(),
            },
        }
    }

    /// The same with a fault put in: for the simulation.
    #[must_use]
    pub fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.shared.sabotage = sabotage;
        self
    }

    /// Sends a request of ours, printed, on `path`, and repeats it there (RFC 3261 §17.1).
    ///
    /// The ACK to a 2xx is no transaction and does not come here. A transaction of the same `tx` that still lives is
    /// replaced.
    pub fn send(&mut self, now: Moment, path: Path, tx: Tx, bytes: Vec<u8>) {
        self.clients.send(now, path, tx, bytes, &mut self.shared);
    }

    /// Waits for what comes back to an INVITE that an earlier process sent. Nothing leaves; a refusal is ACKed. It waits
    /// until it is stopped.
    pub fn resume(&mut self, _now: Moment, path: Path, tx: Tx, bytes: Vec<u8>) {
        self.clients.resume(path, tx, bytes, &mut self.shared);
    }

    /// Ends a client transaction that has no final response: nothing more is told of it, and what still comes is a stray.
    /// One that has goes on absorbing.
    pub fn stop(&mut self, tx: &Tx) {
        self.clients.stop(tx, &mut self.shared);
    }

    /// Nothing can travel this path any more: a stream is gone, or a port refuses. Requests that wait there end as
    /// unreachable (RFC 3261 §17.1.4), server transactions end.
    pub fn unreachable(&mut self, _now: Moment, path: &Path) {
        self.clients.unreachable(path, &mut self.shared);
        self.servers.unreachable(path, &mut self.shared);
    }

    /// Whether a request of ours has no final response yet.
    #[must_use]
    pub fn is_waiting(&self, tx: &Tx) -> bool {
        self.clients.is_waiting(tx)
    }

    /// A response came (RFC 3261 §17.1.3).
    pub fn handle_response(&mut self, now: Moment, message: &Message<'_>) -> ForClient {
        self.clients.handle_response(now, message, &mut self.shared)
    }

    /// A request came (RFC 3261 §17.2.3).
    pub fn handle_request(&mut self, now: Moment, path: Path, message: &Message<'_>) -> ForServer {
        self.servers.handle_request(now, path, message, &mut self.shared)
    }

    /// Makes the server transaction of a request that is [`New`](ForServer::New), or of a CANCEL. Nothing when there are
    /// too many; the request can then be answered without one. The 100 to an INVITE is the caller's to send.
    pub fn accept(&mut self, _now: Moment, path: Path, message: &Message<'_>) -> Option<ServerId> {
        self.servers.accept(path, message, &mut self.shared)
    }

    /// Sends our response, printed. After a final one nothing more leaves; a transaction that is over is passed over.
    ///
    /// A 2xx to an INVITE is repeated here, T1 after it and then each time twice as late up to T2, until its ACK (RFC 3261
    /// §13.3.1.4, where that is the caller's).
    pub fn reply(&mut self, now: Moment, id: ServerId, status: u16, bytes: Vec<u8>) {
        self.servers.reply(now, id, status, bytes, &mut self.shared);
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some((at, whose)) = self.shared.wheel.take_due(now) {
            match whose {
                Whose::Client(id) => self.clients.handle_timeout(at, id, &mut self.shared),
                Whose::Server(id) => self.servers.handle_timeout(at, id, &mut self.shared),
            }
        }
    }

    /// When something is due next, and which timer that is: its letter in RFC 3261 appendix A and RFC 6026.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, &'static str)> {
        match self.shared.wheel.first()? {
            (_, Whose::Client(id)) => self.clients.next(id),
            (_, Whose::Server(id)) => self.servers.next(id),
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.shared.transmits.pop_front()
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<TransactionEvent> {
        self.shared.events.pop_front()
    }

    /// How much is remembered.
    #[must_use]
    pub fn load(&self) -> Load {
        Load {
            waiting: self.clients.waiting(),
            finished: self.clients.finished(),
            client_bytes: self.clients.bytes(),
            servers: self.servers.len(),
            server_bytes: self.servers.bytes(),
        }
    }
}
