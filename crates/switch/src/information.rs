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
            end: None,
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
