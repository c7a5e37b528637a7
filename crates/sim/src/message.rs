//! SIP messages as phones and proxies know them: what decides about a call. `wire` prints them and reads ours.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use sip::{Method, Path, SessionHeaders, Transport};

pub(crate) use crate::asks::Asks;

/// Who sends and receives: what stands around one call has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    House,
    Proxy(usize),
    /// A second proxy, to which that one forks.
    Behind(usize),
    Phone(At),
}

/// One phone of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) call: usize,
    pub(crate) phone: usize,
}

/// Where we are reached.
pub(crate) const HOUSE: ([u8; 4], u16) = ([192, 0, 2, 1], 5060);

/// A place that only we reach.
pub(crate) const INSIDE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A phone that has moved is known by a number so much higher, too.
pub(crate) const MOVED: usize = 100;

/// Where INVITEs go by the trunk of this number, whatever stands there for a call: a proxy, or its one phone.
pub(crate) fn trunk_address(number: u32, transport: Transport) -> SocketAddr {
    ([192, 0, 2, number as u8 + 1], transport.default_port()).into()
}

/// Where a phone of the call of this name is reached itself.
pub(crate) fn address(name: u32, phone: usize, transport: Transport) -> SocketAddr {
    ([198, 51, name as u8, phone as u8 + 1], transport.default_port()).into()
}

/// A request, or a response to one when `status` is not 0.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The call's number in its `Call-ID`.
    pub(crate) name: u32,
    pub(crate) status: u16,
    pub(crate) method: Method,
    pub(crate) number: u32,
    /// The top Via, whole.
    pub(crate) via: Rc<str>,
    pub(crate) branch: Rc<str>,
    pub(crate) from: Rc<str>,
    pub(crate) to: Rc<str>,
    pub(crate) contact: Option<Rc<str>>,
    /// The header with credentials, of a request.
    pub(crate) credentials: Option<Rc<str>>,
    pub(crate) asks: Asks,
    pub(crate) sdp: bool,
    pub(crate) session: SessionHeaders,
    /// The Request-URI of a request of ours.
    pub(crate) uri: Option<Rc<str>>,
    /// Record-Route of a response, Route of a request, as one list.
    pub(crate) route: Option<Rc<str>>,
    /// Further header lines, as they stand.
    pub(crate) more: Option<Rc<str>>,
    /// The way that it goes: of a response, the one on which its request came, or whatever is left of it.
    pub(crate) path: Option<Path>,
}

impl Message {
    /// A response to this request; `tag` is added where the request has none in its `To`.
    pub(crate) fn answered(&self, status: u16, tag: Option<&str>) -> Self {
        let to = match (self.to_tag(), tag) {
            (None, Some(tag)) => format!("{};tag={tag}", self.to).into(),
            _ => self.to.clone(),
        };
        Self {
            status,
            to,
            contact: None,
            credentials: None,
            sdp: false,
            session: SessionHeaders::default(),
            uri: None,
            route: None,
            more: None,
            ..self.clone()
        }
    }

    /// The ACK of a refusal: a part of the INVITE's own transaction (RFC 3261 §17.1.1.3).
    pub(crate) fn acknowledging(&self, refusal: &Self) -> Self {
        Self {
            method: Method::Ack,
            to: refusal.to.clone(),
            sdp: false,
            ..self.clone()
        }
    }

    pub(crate) fn sender_tag(&self) -> Option<&str> {
        tag(&self.from)
    }

    pub(crate) fn to_tag(&self) -> Option<&str> {
        tag(&self.to)
    }

    pub(crate) fn is_request(&self) -> bool {
        self.status == 0
    }

    pub(crate) fn is_by_stream(&self) -> bool {
        self.path.is_some_and(|path| path.transport.is_stream())
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.method == Method::Invite && (200..300).contains(&self.status)
    }

    /// Whether the credentials fit what was asked for.
    pub(crate) fn satisfies(&self, asks: Asks) -> bool {
        if asks == Asks::Nothing {
            return true;
        }
        let Some(algorithm) = asks.wanted() else { return false };
        let credentials = self.credentials.as_deref().unwrap_or_default();
        credentials
            .split(", ")
            .any(|part| part.strip_prefix("algorithm=") == Some(algorithm))
    }

    /// As it stands in a ladder.
    pub(crate) fn label(&self) -> String {
        let tag = self.to_tag().map(|tag| format!(" {tag}")).unwrap_or_default();
        let credentials = if self.credentials.is_some() {
            " with credentials"
        } else {
            ""
        };
        match self.status {
            0 => format!("{} {}{tag}{credentials}", self.method, self.number),
            status => format!("{status} ({} {}){tag}", self.method, self.number),
        }
    }
}

/// The tag of a `From` or `To` as we and the phones here write them.
fn tag(value: &str) -> Option<&str> {
    value.split_once(">;tag=").map(|(_, tag)| tag)
}

impl Node {
    /// Whose call it is part of.
    pub(crate) fn call(self) -> Option<usize> {
        match self {
            Self::House => None,
            Self::Proxy(call) | Self::Behind(call) | Self::Phone(At { call, .. }) => Some(call),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "phone {}.{}", self.call + 1, self.phone + 1)
    }
}
