//! Trunks: where calls go out, and whether anybody is there.
//!
//! With a keep-alive, an OPTIONS goes to the trunk in every interval: any final response says that it is up, silence
//! or a failed connection that it is down. Without one it is taken to be up.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use call::{CSeq, CallIdHeader, Local, Method, Outgoing, Tx, digest::Credentials, uri};
use tokio::sync::watch;

use super::{
    NoResponse, SipError, drive,
    listen::{TlsClient, Transport},
    register,
    shared::{Core, random_text},
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
    Failing(register::RegisterError),
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

    fn note(&self, reachability: Reachability) {
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

/// Asks the trunk in every interval until the room closes.
pub(super) async fn keep_alive(core: Arc<Core>, kept: Arc<Kept>, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reachability = match options(&core, &kept).await {
            Ok(()) => Reachability::Up,
            Err(why) => Reachability::Down(why),
        };
        kept.note(reachability);
    }
}

async fn options(core: &Arc<Core>, kept: &Kept) -> Result<(), NoResponse> {
    let local = core
        .local(kept)
        .await
        .map_err(|error| NoResponse::Unreachable(error.to_string()))?;
    let target = request_uri(&kept.trunk.next_hop);
    let from = format!("<{}>", uri_without_parameters(&local.contact));
    let request = OutOfCall {
        method: Method::Options,
        request_uri: &target,
        from: &from,
        to: &format!("<{target}>"),
        from_tag: &random_text(),
        call_id: &CallIdHeader::new(random_text()),
        cseq: 1,
        headers: &[("Accept", call::APPLICATION_SDP.to_owned())],
    };
    drive::ask(core, &request.print(core, kept, &local)).await.map(|_| ())
}

/// A request that belongs to no call.
pub(super) struct OutOfCall<'a> {
    pub(super) method: Method,
    pub(super) request_uri: &'a str,
    /// Without tag.
    pub(super) from: &'a str,
    pub(super) from_tag: &'a str,
    pub(super) to: &'a str,
    pub(super) call_id: &'a CallIdHeader,
    pub(super) cseq: u32,
    pub(super) headers: &'a [(&'static str, String)],
}

impl OutOfCall<'_> {
    pub(super) fn print(&self, core: &Core, kept: &Kept, local: &Local) -> Outgoing {
        let cseq = CSeq {
            number: self.cseq,
            method: self.method.clone(),
        };
        let branch = core.branch_key.branch(self.call_id, &cseq, None);
        let mut lines = vec![
            format!("{} {} SIP/2.0", self.method, self.request_uri),
            format!("Via: {};branch={branch};rport", local.via),
            "Max-Forwards: 70".to_owned(),
            format!("From: {};tag={}", self.from, self.from_tag),
            format!("To: {}", self.to),
            format!("Call-ID: {}", self.call_id),
            format!("CSeq: {} {}", self.cseq, self.method),
            format!("Contact: <{}>", local.contact),
        ];
        if let Some(proxy) = &kept.trunk.outbound_proxy {
            lines.push(format!("Route: <{}>", loose(proxy)));
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("User-Agent: {}", core.user_agent));
        lines.push("Content-Length: 0\r\n\r\n".to_owned());
        Outgoing {
            tx: Tx {
                branch,
                method: self.method.clone(),
            },
            destination: kept.trunk.first_hop().to_owned(),
            text: lines.join("\r\n"),
        }
    }
}

/// The proxy as a loose router (RFC 3261 §16.12).
fn loose(proxy: &str) -> String {
    if uri::has_parameter(proxy, "lr") {
        proxy.to_owned()
    } else {
        format!("{proxy};lr")
    }
}

/// The next hop as a Request-URI: without a user.
pub(super) fn request_uri(next_hop: &str) -> String {
    match (next_hop.split_once(':'), next_hop.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}:{host}"),
        _ => next_hop.to_owned(),
    }
}

/// An address of record has no parameters.
pub(super) fn uri_without_parameters(uri: &str) -> &str {
    uri.split(';').next().unwrap_or(uri)
}
