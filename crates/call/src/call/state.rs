//! What is true in one phase only.

use sip::{Response, Tx};

use super::{bye::Bye, established::Established};
use crate::record::{End, Phase};

/// Where a call stands, with what belongs to that phase alone; [`Phase`] is what of it is written down.
#[derive(Debug)]
pub(super) enum State {
    /// The intent is on its way to the disk.
    Placing,
    Calling {
        /// A 100 has come.
        trying: bool,
    },
    Early,
    Cancelling(Cancel),
    /// The 2xx waits for its ACK.
    Answered(Box<Response>),
    Confirmed(Box<Established>),
    Terminating {
        bye: Bye,
        /// A refresh that was under way: a refusal of it is still ACKed.
        refresh: Option<Tx>,
    },
    Ended {
        end: End,
        /// The final response that refused the INVITE, or ended it as we wished.
        refusal: Option<Refusal>,
    },
}

/// Status and reason phrase.
pub(super) type Refusal = (u16, String);

/// Where the CANCEL stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    /// It waits for a provisional (RFC 3261 §9.1).
    Held,
    Sent,
    /// It was answered with 481: the far end knew no such INVITE. That may have come since, and have made a phone ring. After a
    /// crash a CANCEL cannot wait for a provisional, for nobody knows whether one has come.
    Overtaken,
    /// Another one was sent long after.
    SentAgain,
}

impl State {
    pub(super) fn phase(&self) -> Phase {
        match self {
            Self::Placing => Phase::Placing,
            Self::Calling { trying } => Phase::Calling { trying: *trying },
            Self::Early => Phase::Early,
            Self::Cancelling(cancel) => Phase::Cancelling {
                sent: *cancel != Cancel::Held,
            },
            Self::Answered(_) => Phase::Answered,
            Self::Confirmed(_) => Phase::Confirmed,
            Self::Terminating { .. } => Phase::Terminating,
            Self::Ended { end, .. } => Phase::Ended(end.clone()),
        }
    }
}
