//! One phone of the farm: it rings and is answered at once, and is hung up by a BYE.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant, SystemTime},
};

use super::message::Request;

/// From an answer to its first repeat, while it is not ACKed (RFC 3261 §13.3.1.4, T1).
pub(super) const REPEAT_AFTER: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    Down,
    /// Answered, and not ACKed.
    Answered,
    Up,
}

pub(super) struct Phone {
    pub(super) hook: Hook,
    call_id: u64,
    /// As long as it may have to be said again, and to whom.
    answer: String,
    server: SocketAddr,
    bye: Option<u64>,
    /// When the BYE came.
    pub(super) byed_at: Option<SystemTime>,
}

/// What is counted over all phones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Off-hook now.
    pub(crate) up: usize,
    /// ACKed, ever.
    pub(crate) acked: usize,
    pub(crate) invites: usize,
    /// INVITEs that came again.
    pub(crate) repeated_invites: usize,
    /// BYEs of another transaction for a phone that was on-hook already.
    pub(crate) double_byes: usize,
}

impl Phone {
    pub(super) const fn new() -> Self {
        Self {
            hook: Hook::Down,
            call_id: 0,
            answer: String::new(),
            server: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            bye: None,
            byed_at: None,
        }
    }

    /// An INVITE: what is said to it, one after the other.
    pub(super) fn invited(
        &mut self,
        invite: &Request<'_>,
        server: SocketAddr,
        answer: impl FnOnce() -> String,
        facts: &mut Facts,
    ) -> Vec<String> {
        let call_id = digest(invite.header("Call-ID"));
        if invite.is_inside_a_dialog() {
            return vec![answer()];
        }
        if self.call_id == call_id {
            facts.repeated_invites += 1;
            return match self.hook {
                Hook::Answered => vec![self.answer.clone()],
                Hook::Up | Hook::Down => Vec::new(),
            };
        }
        facts.invites += 1;
        if self.hook == Hook::Down {
            facts.up += 1;
        }
        *self = Self {
            hook: Hook::Answered,
            call_id,
            answer: answer(),
            server,
            ..Self::new()
        };
        vec![
            invite.response("180 Ringing", invite.number, "", ""),
            self.answer.clone(),
        ]
    }

    pub(super) fn acked(&mut self, ack: &Request<'_>, facts: &mut Facts) {
        if self.hook == Hook::Answered && self.call_id == digest(ack.header("Call-ID")) {
            self.hook = Hook::Up;
            self.answer = String::new();
            facts.acked += 1;
        }
    }

    pub(super) fn byed(&mut self, bye: &Request<'_>, at: SystemTime, facts: &mut Facts) -> String {
        let branch = digest(bye.branch());
        if self.call_id != digest(bye.header("Call-ID")) {
            return bye.response("481 Call/Transaction Does Not Exist", "", "", "");
        }
        if self.hook != Hook::Down {
            self.hook = Hook::Down;
            self.answer = String::new();
            self.bye = Some(branch);
            self.byed_at = Some(at);
            facts.up -= 1;
        } else if self.bye != Some(branch) {
            facts.double_byes += 1;
        }
        bye.response("200 OK", "", "", "")
    }

    /// The answer and whom it is for, if it has not been ACKed.
    pub(super) fn not_acked(&self) -> Option<(&str, SocketAddr)> {
        (self.hook == Hook::Answered).then_some((self.answer.as_str(), self.server))
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// An answer that is said again when its time comes.
pub(super) struct Repeat {
    pub(super) at: Instant,
    pub(super) phone: usize,
}
