//! What the room is told before it opens: listeners, timers, names and TLS material.
//!
//! Plain data. The configuration file has its own types; they are mapped onto these where `serve` is put together.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use sip::BranchKey;

pub use sip::{Transport, UnknownTransport};

use crate::reach::Network;

/// One place to listen at. Port 0 lets the system choose; [`Sip::listening`](super::Sip::listening) tells what it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

/// Why a text names no listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenerError {
    #[error("a SIP listener begins with udp:, tcp: or tls:")]
    NoTransport,
    #[error("after the transport comes an IP address and a port, as in udp:192.0.2.1:5060 or tcp:[::1]:5060")]
    NoAddress,
}

impl FromStr for Listener {
    type Err = ListenerError;

    /// The form of the configuration file: `udp:127.0.0.1:5060`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (transport, address) = text.split_once(':').ok_or(ListenerError::NoTransport)?;
        Ok(Self {
            transport: transport.parse().map_err(|_| ListenerError::NoTransport)?,
            address: address.parse().map_err(|_| ListenerError::NoAddress)?,
        })
    }
}

/// The timers of RFC 3261 §17; B, F, H and L are 64 × `t1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate: the first repetition comes after it.
    pub t1: Duration,
    /// Longest time between repetitions.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
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

/// Our certificate for `tls:` listeners, both files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServer {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How a peer's certificate is verified, and what we show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsClient {
    /// Roots to trust, in PEM. Without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The name the certificate must have; else the host of the URI that is called.
    pub server_name: Option<String>,
    /// Certificate and key to show when the peer asks for one, in PEM.
    pub identity: Option<TlsServer>,
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_prints_as_it_is_configured() {
        for text in ["udp:127.0.0.1:5060", "tcp:[::1]:0", "tls:0.0.0.0:5061"] {
            assert_eq!(text.parse::<Listener>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1:5060".parse::<Listener>(), Err(ListenerError::NoTransport));
        assert_eq!("udp:localhost:5060".parse::<Listener>(), Err(ListenerError::NoAddress));
        assert_eq!("udp:127.0.0.1".parse::<Listener>(), Err(ListenerError::NoAddress));
    }
}
