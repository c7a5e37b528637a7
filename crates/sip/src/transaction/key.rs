//! How a request is told to be another, or the same again.

use crate::{message::Method, received::Message, uri};

/// Branches that begin so are unique to their transaction (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// What all requests of one server transaction have in common, and no others (RFC 3261 §17.2.3).
///
/// One text, so that it costs one allocation. Peers choose what stands in it, so it belongs into a tree and not into a
/// hash table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerKey(Box<str>);

impl ServerKey {
    /// That of this request itself.
    pub(super) fn of(message: &Message<'_>) -> Self {
        Self::new(message, message.method())
    }

    /// That of the INVITE which an ACK or a CANCEL is about.
    pub(super) fn of_invite(message: &Message<'_>) -> Self {
        Self::new(message, &Method::Invite)
    }

    fn new(message: &Message<'_>, method: &Method) -> Self {
        let branch = message.branch();
        if branch.starts_with(COOKIE) {
            let sent_by = message.sent_by().to_ascii_lowercase();
            return Self(format!("{method}\n{branch}\n{sent_by}").into());
        }
        let via = message.header("Via").unwrap_or_default();
        let via = uri::split_list(&via).first().copied().unwrap_or_default();
        // The ACK of a refusal has the tag of the answer, which its INVITE had not.
        let to_tag = Some(message.to_tag().unwrap_or_default()).filter(|_| *method != Method::Invite);
        let (call_id, from_tag) = (message.call_id(), message.from_tag().unwrap_or_default());
        let (number, to_tag) = (message.cseq().number, to_tag.unwrap_or_default());
        Self(format!("{method}\n\n{call_id}\n{from_tag}\n{to_tag}\n{number}\n{via}").into())
    }

    /// Whether the peer is one of RFC 2543, whose branches say nothing.
    pub(super) fn is_old(message: &Message<'_>) -> bool {
        !message.branch().starts_with(COOKIE)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What our 2xx to an INVITE and its ACK have in common: their dialog and the number (RFC 3261 §13.2.2.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AckKey(Box<str>);

impl AckKey {
    /// From the ACK, or from our 2xx.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let (call_id, number) = (message.call_id(), message.cseq().number);
        let from_tag = message.from_tag().unwrap_or_default();
        let to_tag = message.to_tag().unwrap_or_default();
        Self(format!("{call_id}\n{from_tag}\n{to_tag}\n{number}").into())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
