//! What a switch is told when it is made.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use call::Limits;
use dial::{CapsSettings, CountedNumbers, Network, Reach};
use sabotage::Sabotage;
use sip::{BranchKey, Destination, Timers, Transport, digest::Credentials, sdp::Codec};

/// Everything about one node.
#[derive(Clone, Debug)]
pub struct Settings {
    pub identity: Identity,
    pub limits: Limits,
    pub timers: Timers,
    /// How long an ended call can still be asked about.
    pub ended_retention: Duration,
    pub caps: CapsSettings,
    pub counted: CountedNumbers,
    /// In the order in which they are tried.
    pub trunks: Vec<TrunkSettings>,
    /// Where we are reached; the first of a transport and address family is what we speak from.
    pub listeners: Vec<Listener>,
    /// Host to put into Via and Contact instead of a listener's own, for NAT.
    pub external_address: Option<IpAddr>,
    /// Who may speak to us besides the trunks.
    pub peers: Vec<Network>,
    /// Requests that belong to no call and are looked at in a second, of all peers together; `None` for all.
    pub requests_per_second: Option<u32>,
    /// For `User-Agent` and `Server`.
    pub user_agent: String,
    /// How long a connection may take to come about, and a name to be found.
    pub connect_limit: Duration,
    /// INVITEs of one next hop that nothing has come back to; the others wait for a place. At least 1.
    pub invites_per_hop: usize,
    /// Calls that a crash left and whose ending begins within a T1. At least 1.
    pub leftovers_at_once: usize,
    /// How long the end of a call waits for others to be written with, where nobody waits for it. Zero for not at all.
    pub ends_wait: Duration,
    /// Nothing, but in the simulation.
    pub sabotage: Sabotage,
}

/// Who this node is: nothing of it is made up inside.
#[derive(Clone)]
pub struct Identity {
    /// Says which responses are to requests of ours, over restarts.
    pub branch_key: BranchKey,
    /// The keys of this process's calls are above it.
    pub before: crate::journal::CallKey,
    /// From a cryptographic source, anew for each process: what peers must not guess is made from it.
    pub secret: [u8; 32],
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}

/// A socket that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// A way out.
#[derive(Clone, Debug)]
pub struct TrunkSettings {
    pub name: String,
    /// Where INVITEs go, as it is configured: `sip:192.0.2.1:5060;transport=tcp`.
    pub next_hop: String,
    /// Where they go first: the outbound proxy, or the next hop itself.
    pub first_hop: Destination,
    /// Host (and port) of the Request-URI, without scheme and parameters.
    pub domain: String,
    /// `From` without a tag.
    pub from: String,
    /// A proxy that everything passes first, as a loose route.
    pub outbound_proxy: Option<String>,
    /// Answers to the trunk's challenges.
    pub credentials: Option<Credentials>,
    /// Offered in this order; never empty.
    pub codecs: Vec<Codec>,
    pub srtp: Srtp,
    /// Time between two OPTIONS; without, the trunk is taken to be up.
    pub keepalive: Option<Duration>,
    pub register: Option<Registration>,
    /// Where its answers may send us, as far as it is configured.
    pub reach: Reach,
}

/// Whether a trunk's sound is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Srtp {
    Off,
    /// Where the far end can.
    Prefer,
    /// Or no call.
    Require,
}

/// How to register (RFC 3261 §10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Asked for; the registrar may grant less, and is asked again ahead of the end. Whole seconds.
    pub expires: Duration,
    /// Wait after the first failure. It doubles with each further one, up to 5 minutes.
    pub retry: Duration,
    /// The address of record, in `<>`.
    pub address_of_record: String,
    pub request_uri: String,
}
