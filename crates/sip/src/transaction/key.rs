//! What the messages of one transaction have in common, and no others.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{fields::Tx, message::Message, method::Method, uri};

/// Branches that begin so are unique to their transaction (RFC 3261 §8.1.1.7).
const COOKIE: &str = "z9hG4bK";

/// A name to look up in a tree, whose worst case is the same whatever a peer writes.
///
/// The hash stands first, so that a look-up seldom has to fetch a text; two of the same hash are told apart by their texts.
/// It has no key and need not be secret. The order that it makes is nowhere seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    hash: u64,
    text: Box<str>,
}

impl Key {
    fn new(parts: &[&str]) -> Self {
        let text = parts.join("\n");
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self {
            hash: hasher.finish(),
            text: text.into(),
        }
    }

    /// Of a request of ours (RFC 3261 §17.1.3).
    pub(super) fn of_tx(tx: &Tx) -> Self {
        Self::new(&[tx.branch.as_str(), tx.method.as_str()])
    }

    /// Of the request of ours that a response is to.
    pub(super) fn of_response(message: &Message<'_>) -> Self {
        Self::new(&[message.branch(), message.method().as_str()])
    }

    /// Of a request of a peer (RFC 3261 §17.2.3).
    pub(super) fn of_request(message: &Message<'_>) -> Self {
        Self::of_method(message, message.method())
    }

    /// Of the INVITE that an ACK or a CANCEL is about.
    pub(super) fn of_invite(message: &Message<'_>) -> Self {
        Self::of_method(message, &Method::Invite)
    }

    fn of_method(message: &Message<'_>, method: &Method) -> Self {
        let (branch, name) = (message.branch(), method.as_str());
        if !is_old(message) {
            return Self::new(&[name, branch, &message.sent_by().to_ascii_lowercase()]);
        }
        let via = message.header("Via").unwrap_or_default();
        let via = uri::split_list(&via).first().copied().unwrap_or_default();
        // The ACK of a refusal has the tag of the answer, which its INVITE had not.
        let to_tag = message
            .to_tag()
            .filter(|_| *method != Method::Invite)
            .unwrap_or_default();
        let (call_id, from_tag) = (message.call_id(), message.from_tag().unwrap_or_default());
        let number = message.cseq().number.to_string();
        Self::new(&[name, "", call_id, from_tag, to_tag, &number, via])
    }

    /// Of the dialog and number that our 2xx to an INVITE and its ACK share (RFC 3261 §13.2.2.4).
    pub(super) fn of_ack(message: &Message<'_>) -> Self {
        let from_tag = message.from_tag().unwrap_or_default();
        let to_tag = message.to_tag().unwrap_or_default();
        Self::new(&[message.call_id(), from_tag, to_tag, &message.cseq().number.to_string()])
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

/// Whether the peer is one of RFC 2543, whose branches say nothing.
pub(super) fn is_old(message: &Message<'_>) -> bool {
    !message.branch().starts_with(COOKIE)
}
