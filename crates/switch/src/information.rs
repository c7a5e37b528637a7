//! What can be asked about a call: computed from it, never stored beside it (promise 8).

use call::{Call, End, Phase, Record};

/// How far a call has come, in the words of the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On the way to the phone.
    Connecting,
    /// The phone rings.
    Alerted,
    /// The phone was answered, and its end is not confirmed.
    Connected,
    /// Over.
    Disconnected,
}

/// One look at a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Information {
    pub state: State,
    /// How it ended; present exactly when `state` is [`State::Disconnected`].
    pub end: Option<End>,
    /// Status and reason phrase of the response that refused the INVITE.
    pub refusal: Option<(u16, String)>,
}

impl Information {
    /// The look itself.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        Self {
            state: state(&call.phase(), call.has_rung()),
            end: call.end().cloned(),
            refusal: call.refusal().map(|(status, reason)| (status, reason.to_owned())),
        }
    }
}

impl Information {
    /// What a record alone says of a call that an earlier process left.
    #[must_use]
    pub(crate) fn of_record(record: &Record) -> Self {
        Self {
            state: state(&record.phase, false),
            end: match &record.phase {
                Phase::Ended(end) => Some(end.clone()),
                _ => None,
            },
            refusal: None,
        }
    }
}

fn state(phase: &Phase, has_rung: bool) -> State {
    match phase {
        Phase::Placing | Phase::Calling { .. } => State::Connecting,
        Phase::Early => State::Alerted,
        // Until the far end has confirmed, the phone may still ring.
        Phase::Cancelling { .. } if has_rung => State::Alerted,
        Phase::Cancelling { .. } => State::Connecting,
        // The same for a BYE: "disconnected" is said when it is true.
        Phase::Answered | Phase::Confirmed | Phase::Terminating => State::Connected,
        Phase::Ended(_) => State::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use call::{Dialog, EndCause};
    use sip::{CallIdHeader, Tag};

    use super::*;

    /// A crash may leave a call that has ended while the phone of another fork is up.
    #[test]
    fn the_record_of_a_call_that_has_ended_says_how() {
        let end = End {
            cause: EndCause::RemoteHangup,
            confirmed: true,
        };
        let dialog = Dialog {
            call_id: CallIdHeader::new("a@onhook"),
            local: "<sip:onhook@example.org>".to_owned(),
            local_tag: Tag::new("ours"),
            remote: "<sip:4711@pbx.example>".to_owned(),
            remote_tag: None,
            local_cseq: 1,
            remote_cseq: None,
            route_set: Vec::new(),
            remote_target: "sip:4711@pbx.example".to_owned(),
        };
        let record = Record {
            version: call::RECORD_VERSION,
            trunk: "pbx".to_owned(),
            invite_via: String::new(),
            invite_cseq: 1,
            request_uri: "sip:4711@pbx.example".to_owned(),
            destination: "sip:192.0.2.5".to_owned(),
            path: None,
            dialog,
            phase: Phase::Ended(end.clone()),
            wish: None,
            forks: Vec::new(),
        };
        let information = Information::of_record(&record);
        assert_eq!((information.state, information.end), (State::Disconnected, Some(end)));
    }
}
