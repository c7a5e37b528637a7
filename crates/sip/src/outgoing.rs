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

impl Outgoing {
    /// Says in its top Via by what it leaves and who has sent it, such as `SIP/2.0/TCP 192.0.2.1:5060`: that is known for sure once its
    /// way is (RFC 3261 §18.1.1). The transaction stays the same.
    pub fn leaves_by(&mut self, sent_by: &str) {
        const VIA: &[u8] = b"\r\nVia: ";
        let begin = self.bytes.windows(VIA.len()).position(|part| part == VIA);
        let Some(begin) = begin.map(|at| at + VIA.len()) else {
            return;
        };
        if let Some(length) = self.bytes[begin..].iter().position(|byte| *byte == b';') {
            self.bytes.splice(begin..begin + length, sent_by.bytes());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fields::Branch, method::Method};

    #[test]
    fn what_it_leaves_by_stands_in_its_top_via_alone() {
        let text =
            "BYE sip:a@h;x=1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\nSubject: a\r\n\r\n";
        let mut bye = Outgoing {
            tx: Tx {
                branch: Branch::new("z9hG4bKa"),
                method: Method::Bye,
            },
            destination: "sip:a@h".to_owned(),
            path: None,
            bytes: text.as_bytes().to_vec(),
        };
        bye.leaves_by("SIP/2.0/TLS [2001:db8::1]:5061");
        let expected = text.replace("SIP/2.0/UDP 192.0.2.1:5060", "SIP/2.0/TLS [2001:db8::1]:5061");
        assert_eq!(String::from_utf8_lossy(&bye.bytes), expected);
    }
}
