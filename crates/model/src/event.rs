//! What a call is given, and what it wants done.

use crate::record::Phone;

/// Why a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Save {
    Intent,
    Answer,
    Fork(Phone),
    Wish,
    End,
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    HangUp,
    Saved(Save),
    NotSaved(Save),
    /// 180 to the INVITE.
    Ringing,
    /// 486 or 487 to it.
    Refused,
    /// 2xx to it.
    Answer(Phone),
    /// Timer B.
    InviteTimesOut,
    /// The same, and nothing else has come from there either.
    NobodyThere,
    /// It could not leave.
    InviteUnreachable,
    /// 481 to the CANCEL: no such INVITE. Whatever else it is answered with changes nothing.
    NothingToCancel,
    /// The INVITE, cancelled or about to be, has been waited for long enough.
    GiveUp,
    /// 200 to the BYE with this CSeq number.
    ByeDone(Phone, u16),
    /// 503 to it.
    ByeRefused(Phone, u16),
    /// Timer F of the last one.
    ByeTimesOut(Phone),
    /// It is time for another one.
    AnotherBye(Phone),
    /// The phone's own BYE.
    PhoneBye(Phone),
}

/// What a call wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    Save(Save),
    Invite,
    Cancel,
    Ack(Phone),
    Bye(Phone, u16),
    /// The transaction of an INVITE that an earlier process sent is taken up.
    Resume,
    /// That of an INVITE is given up.
    Stop,
}
