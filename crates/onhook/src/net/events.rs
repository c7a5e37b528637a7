//! What tasks of the runtime tell the owner of the calls: by one queue with a bound, and a wake-up.

use std::net::IpAddr;

use sip::Path;
use tokio::sync::mpsc;

use super::udp::Wake;

/// Events that wait for the owner of the calls. Whoever has one more waits with it, and stops reading its peer meanwhile.
const EVENTS: usize = 1024;

/// Something that happened outside of the core's own thread.
#[derive(Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// A connection can be used: one that was wanted, or one that a peer has opened.
    Connected { id: Option<u64>, path: Path },
    /// A connection that was wanted did not come about, in words for whoever runs the server.
    ConnectFailed { id: u64, why: String },
    /// One whole message.
    Message { path: Path, bytes: Vec<u8> },
    /// Nothing can be sent this way any more.
    Closed { path: Path, why: String },
    /// A name was looked up and has these addresses, in the order of the resolver, IPv4 and IPv6 alike; none, if it has none.
    Found { host: String, addresses: Vec<Towards> },
    /// A name was looked up in vain: the resolver has failed, or has not answered in time. What it says later comes later.
    NotFound { host: String, why: String },
}

/// An address of a peer, and the one of ours that the system would speak from; none when there is no way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Towards {
    pub remote: IpAddr,
    pub local: Option<IpAddr>,
}

/// The way of events into the core. Clones share it.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<NetEvent>,
    wake: Wake,
}

impl Events {
    /// A queue whose reader is woken by `wake`: after [`Udp::wait`](super::Udp::wait) has returned, it takes what is there.
    #[must_use]
    pub fn new(wake: Wake) -> (Self, mpsc::Receiver<NetEvent>) {
        let (queue, events) = mpsc::channel(EVENTS);
        (Self { queue, wake }, events)
    }

    /// Waits for room. False when nobody reads any more.
    pub(super) async fn send(&self, event: NetEvent) -> bool {
        let is_read = self.queue.send(event).await.is_ok();
        self.wake.wake();
        is_read
    }
}
