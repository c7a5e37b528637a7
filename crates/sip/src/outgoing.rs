//! What is to be sent: a request of ours, or our answer to one of a peer.

use crate::{fields::Tx, transport::Path};

/// A request of ours on its way out: the message and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Names the client transaction. An ACK has a branch too, but is no transaction (RFC 3261 §13.2.2.4).
    pub tx: Tx,
    /// The SIP URI whose host, port and transport say where the request is sent (RFC 3261 §8.1.2).
    pub destination: String,
    /// The way it has to go, whatever `destination` says by now: that of the INVITE that it takes back or repeats.
    pub path: Option<Path>,
    /// The whole message.
    pub bytes: Vec<u8>,
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
