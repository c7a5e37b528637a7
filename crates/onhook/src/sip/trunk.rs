//! Trunks: where calls go out, and what is known of them. Without a keep-alive a trunk is taken to be up.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sip::digest::{Credentials, DigestError};
use tokio::sync::watch;

use super::{
    NoResponse, SipError,
    listen::{TlsClient, Transport},
    wire::{Destination, WireError},
};
use crate::reach::Reach;

/// A way out, as configured.
#[derive(Clone, Debug)]
pub struct Trunk {
    pub name: String,
    /// `sip:` or `sips:` URI of the PBX, SBC or registrar.
    pub next_hop: String,
    /// URI of a proxy that everything passes first (RFC 3261 §8.1.2).
    pub outbound_proxy: Option<String>,
    pub credentials: Option<Credentials>,
    /// User of the address that is registered; else that of the credentials.
    pub user: Option<String>,
    /// Domain of that address, and what is asked to register it; else the host of `next_hop`.
    pub domain: Option<String>,
    /// Registers our Contact there, so that requests for it come to us.
    pub register: Option<Registration>,
    /// Time between two OPTIONS.
    pub keepalive: Option<Duration>,
    pub tls: TlsClient,
    /// Where its answers may send us.
    pub reach: Reach,
}

impl Trunk {
    /// A trunk that is called without a password or a keep-alive.
    #[must_use]
    pub fn new(name: impl Into<String>, next_hop: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            next_hop: next_hop.into(),
            outbound_proxy: None,
            credentials: None,
            user: None,
            domain: None,
            register: None,
            keepalive: None,
            tls: TlsClient::default(),
            reach: Reach::default(),
        }
    }

    /// Where its requests are sent first.
    #[must_use]
    pub fn first_hop(&self) -> &str {
        self.outbound_proxy.as_deref().unwrap_or(&self.next_hop)
    }
}

/// How to register (RFC 3261 §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Asked for; the registrar may grant less, and is asked again ahead of the end. Whole seconds.
    pub expires: Duration,
    /// Wait after the first failure. It doubles with each further one, up to 5 minutes.
    pub retry: Duration,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            expires: Duration::from_secs(600),
            retry: Duration::from_secs(2),
        }
    }
}

/// What is known of a trunk now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkState {
    pub reachability: Reachability,
    pub registration: RegistrationState,
}

impl TrunkState {
    /// Whether calls may be tried.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !matches!(self.reachability, Reachability::Down(_))
    }
}

/// Whether the trunk answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// Nobody asked yet, or asking is off.
    Assumed,
    Up,
    /// With the reason.
    Down(NoResponse),
}

/// Whether the trunk knows our Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// Not asked for.
    Off,
    Pending,
    Registered,
    /// With the reason; it is tried again.
    Failing(RegisterError),
}

/// Why a trunk does not know our Contact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    #[error("registrar: {0}")]
    NoResponse(#[from] NoResponse),
    #[error("the registrar asks for a password and none is configured")]
    NoCredentials,
    #[error("registrar: {0}")]
    Digest(#[from] DigestError),
    #[error("the registrar answers {0}")]
    Refused(u16),
    #[error("no local address: {0}")]
    NoAddress(String),
}

/// A trunk with its present state.
pub(super) struct Kept {
    pub(super) trunk: Trunk,
    pub(super) state: watch::Sender<TrunkState>,
    pub(super) first_hop: Destination,
    next_hop: Option<IpAddr>,
    /// The first hop's address when it was last looked up: says which of our own addresses it sees.
    peer: Mutex<Option<IpAddr>>,
}

impl Kept {
    pub(super) fn new(trunk: Trunk) -> Result<Self, SipError> {
        let bad = |_: WireError| SipError::Trunk(trunk.name.clone());
        let next_hop = Destination::parse(&trunk.next_hop).map_err(bad)?.ip();
        let first_hop = Destination::parse(trunk.first_hop()).map_err(bad)?;
        let registration = match trunk.register {
            Some(_) => RegistrationState::Pending,
            None => RegistrationState::Off,
        };
        let (state, _) = watch::channel(TrunkState {
            reachability: Reachability::Assumed,
            registration,
        });
        let kept = Self {
            trunk,
            state,
            next_hop,
            peer: Mutex::default(),
            first_hop,
        };
        kept.found_at(kept.first_hop.ip().into_iter());
        Ok(kept)
    }

    /// The addresses of the first hop, in the order in which they are tried.
    pub(super) fn found_at(&self, addresses: impl Iterator<Item = IpAddr> + Clone) {
        if let Some(first) = addresses.clone().next() {
            *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(first);
            self.trunk.reach.found_at(addresses.chain(self.next_hop));
        }
    }

    pub(super) fn peer(&self) -> Option<IpAddr> {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn transport(&self) -> Transport {
        self.first_hop.transport
    }

    pub(super) fn note(&self, reachability: Reachability) {
        let name = &self.trunk.name;
        self.state.send_if_modified(|state| {
            if state.reachability == reachability {
                return false;
            }
            match &reachability {
                Reachability::Down(why) => tracing::warn!(trunk = %name, %why, "trunk down"),
                Reachability::Up => tracing::info!(trunk = %name, "trunk up"),
                Reachability::Assumed => {}
            }
            state.reachability = reachability;
            true
        });
    }
}
