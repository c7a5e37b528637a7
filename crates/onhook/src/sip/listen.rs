//! What the room is told before it opens: listeners, timers, names and TLS material.
//!
//! Plain data. The configuration file has its own types; they are mapped onto these where `serve` is put together.

use std::time::Duration;

use dial::Network;
use sip::BranchKey;

pub use sip::{Timers, Transport, UnknownTransport};

pub use crate::net::{Listener, ListenerError, TlsClient, TlsServer};

/// Everything that [`Sip::start`](super::Sip::start) needs besides the trunks.
#[derive(Clone, Debug)]
pub struct Listen {
    /// At least one. Several of one transport are fine; the first of each address family is the one we speak from.
    pub listeners: Vec<Listener>,
    pub timers: Timers,
    /// How long a look-up with dial and handshake may take, and how long a stream may take to accept one message.
    pub stream_limit: Duration,
    /// For `User-Agent` and `Server`.
    pub user_agent: String,
    /// Host or address to put into Via and Contact instead of the listener's own, for NAT.
    pub external_address: Option<String>,
    /// Needed with a `tls:` listener.
    pub tls: Option<TlsServer>,
    /// For TLS peers that are no trunk, such as the host in a phone's Contact.
    pub tls_client: TlsClient,
    /// Who may speak to us besides the trunks; see `peers`.
    pub peers: Vec<Network>,
    /// Requests that belong to no call of ours and are looked at in a second, of all peers together; `None` for all.
    pub requests_per_second: Option<u32>,
    /// Whether calls can be placed to us. If not, an INVITE that belongs to no call of ours is refused each time it comes,
    /// without a transaction (RFC 3261 §8.2.7): a refusal is not repeated then, and one that is forged costs its victim one
    /// answer instead of twelve.
    pub takes_calls: bool,
    /// Says which responses are to requests of ours.
    pub branch_key: BranchKey,
}

impl Listen {
    /// Listeners and a key, with the timers and names of a fresh configuration; only trunks may speak to us.
    #[must_use]
    pub fn new(listeners: Vec<Listener>, branch_key: BranchKey) -> Self {
        Self {
            listeners,
            timers: Timers::default(),
            stream_limit: Duration::from_secs(4),
            user_agent: concat!("onhook/", env!("CARGO_PKG_VERSION")).to_owned(),
            external_address: None,
            tls: None,
            tls_client: TlsClient::default(),
            peers: Vec::new(),
            requests_per_second: None,
            takes_calls: true,
            branch_key,
        }
    }
}
