//! What is on its way between the server and the far end.

use crate::record::Phone;

/// A message, or one that repeats it: on the way it is there once, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Message {
    Invite,
    Cancel,
    /// Of a 2xx; others are part of the transaction.
    Ack(Phone),
    /// With its CSeq number.
    Bye(Phone, u16),

    /// 180 to the INVITE.
    Ringing,
    /// 486 or 487 to it.
    Refused,
    /// 200 to it.
    Answer(Phone),
    /// 200 to the CANCEL.
    CancelDone,
    /// 481 to it.
    NothingToCancel,
    /// 200 to the BYE.
    ByeDone(Phone, u16),
    /// 503 to it.
    ByeRefused(Phone, u16),
    /// The phone hangs up itself.
    PhoneBye(Phone),
}

impl Message {
    /// Whether it is for the far end.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Invite | Self::Cancel | Self::Ack(_) | Self::Bye(..))
    }
}
