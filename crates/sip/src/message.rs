//! What the call machine sees of SIP messages.
//!
//! The SIP room parses the wire and fills these views; the machine never meets a header it has no use for. Field
//! names are the header names of RFC 3261. Nothing here is trusted: every string may be anything a peer sent.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

pub use crate::method::Method;
use crate::session_headers::SessionHeaders;
use crate::transport::Path;

macro_rules! header_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

header_text! {
    /// The SIP `Call-ID` (RFC 3261 §20.8). Not the EWS `PhoneCallId`; the two never convert into each other.
    CallIdHeader
}
header_text! {
    /// A `From` or `To` tag (RFC 3261 §19.3).
    Tag
}
header_text! {
    /// The `branch` of a top Via: with the method it names a transaction (RFC 3261 §17.1.3).
    Branch
}

/// The `CSeq` header (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// One client transaction of a call, by the two values that RFC 3261 §17.1.3 matches responses with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tx {
    pub branch: Branch,
    pub method: Method,
}

/// One `WWW-Authenticate` (401) or `Proxy-Authenticate` (407) header value, as the peer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// True for `Proxy-Authenticate`: the answer then goes into `Proxy-Authorization`.
    pub proxy: bool,
    pub value: String,
}

/// A response to a request of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub reason: String,
    /// Branch of the top Via: ours, echoed.
    pub branch: Branch,
    pub call_id: CallIdHeader,
    /// Whole `From` value, echoed from our request.
    pub from: String,
    /// Whole `To` value.
    pub to: String,
    pub to_tag: Option<Tag>,
    pub cseq: CSeq,
    /// URI of the first `Contact`, without `<>` and header parameters.
    pub contact: Option<String>,
    /// `Record-Route` values in the order of the message, one a value (a header line may hold several).
    pub record_route: Vec<String>,
    pub challenges: Vec<Challenge>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    pub session: SessionHeaders,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Response {
    /// The client transaction that this answers.
    #[must_use]
    pub fn tx(&self) -> Tx {
        Tx {
            branch: self.branch.clone(),
            method: self.cseq.method.clone(),
        }
    }
}

/// A request from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub request_uri: String,
    pub call_id: CallIdHeader,
    /// Whole `From` value: the peer's.
    pub from: String,
    pub from_tag: Option<Tag>,
    /// Whole `To` value: ours.
    pub to: String,
    pub to_tag: Option<Tag>,
    pub cseq: CSeq,
    /// URI of the first `Contact`, without `<>` and header parameters.
    pub contact: Option<String>,
    /// `Record-Route` values in the order of the message, one a value.
    pub record_route: Vec<String>,
    pub session: SessionHeaders,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// A request of ours on its way out: the text and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Names the client transaction. An ACK has a branch too, but is no transaction (RFC 3261 §13.2.2.4).
    pub tx: Tx,
    /// The SIP URI whose host, port and transport say where the request is sent (RFC 3261 §8.1.2).
    pub destination: String,
    /// The way it has to go, whatever `destination` says by now: that of the INVITE that it takes back or repeats.
    pub path: Option<Path>,
    /// The whole message.
    pub text: String,
}

/// What to answer to a request of a peer. The SIP room copies Via, From, To, Call-ID and CSeq from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// `Contact`, `Allow`, `Retry-After` and the like: name and value.
    pub headers: Vec<(&'static str, String)>,
    /// `Content-Type` and body.
    pub body: Option<(&'static str, String)>,
}

impl Reply {
    /// A bare status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The media type of every session description here.
pub const APPLICATION_SDP: &str = "application/sdp";

/// The methods answered with something better than 405, for `Allow` (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO";
