//! What is written down about a call: enough to end it after a crash, and no more.
//!
//! No credentials, no local socket address, no clock: the trunk is a name, and times belong to whoever stores this.

use serde::{Deserialize, Serialize};

use crate::dialog::Dialog;
use sip::{CSeq, Method, Path};

/// The form of [`Record`]; raised when an older program could not read a newer record.
///
/// 2: [`Wish::SessionExpired`]. 3: [`Record::forks`], [`Wish::TimedOut`]. What was written as 1 or 2 reads as ever.
pub const RECORD_VERSION: u16 = 3;

/// One call, as journaled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub version: u16,
    /// Name of the trunk that the call goes over.
    pub trunk: String,
    /// The whole top Via of the last INVITE: a CANCEL must repeat it (RFC 3261 §9.1).
    pub invite_via: String,
    /// `CSeq` number of the last INVITE.
    pub invite_cseq: u32,
    /// Request-URI of the INVITE.
    pub request_uri: String,
    /// Where the INVITE was sent.
    pub destination: String,
    /// Which way it went, where that was known before it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    pub dialog: Dialog,
    pub phase: Phase,
    /// Why the call is to end; once set, it stays, but for one that rang too long as it seemed, and has never said a word.
    pub wish: Option<Wish>,
    /// Phones of other forks that have answered, too, and are not known to be on-hook.
    #[serde(default)]
    pub forks: Vec<ForkRecord>,
}

/// The dialog of another fork: it is ACKed and hung up (RFC 3261 §13.2.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkRecord {
    pub dialog: Dialog,
    /// `CSeq` number of the INVITE it has answered, for the ACK.
    pub invite_cseq: u32,
}

impl Record {
    /// Whether no phone is left to be hung up: the call is over, and so is every other fork.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended(_)) && self.forks.is_empty()
    }

    /// The `CSeq` of the last INVITE.
    #[must_use]
    pub fn invite(&self) -> CSeq {
        CSeq {
            number: self.invite_cseq,
            method: Method::Invite,
        }
    }
}

/// Where a call stands, in the order a call lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The intent is on its way to the disk; nothing was sent.
    Placing,
    /// INVITE sent. `trying`: a 100 has come, so a CANCEL may leave (RFC 3261 §9.1).
    Calling { trying: bool },
    /// The phone rings (a provisional above 100).
    Early,
    /// The wish to end came before an answer. `sent`: the CANCEL has left; before, it is held.
    Cancelling { sent: bool },
    /// A 2xx came; its ACK waits until the answer is on the disk.
    Answered,
    /// ACK sent: the call is up.
    Confirmed,
    /// BYE sent.
    Terminating,
    /// Over.
    Ended(End),
}

/// Why we want a call to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// DisconnectPhoneCall.
    Hangup,
    /// The message has played.
    Finished,
    /// The phone has rung long enough.
    NoAnswer,
    /// Nobody answered the INVITE at all (Timer B, RFC 3261 §17.1.1.2).
    TimedOut,
    /// The call has lasted long enough.
    MaxDuration,
    /// The session description in the answer cannot be used.
    MediaRefused,
    /// The message could not be played.
    MediaFailed,
    /// The peer answered a re-INVITE's 200 with silence (RFC 3261 §13.3.1.4).
    NoAck,
    /// The journal did not take the answer: a call that a crash would orphan is not kept.
    NotJournaled,
    /// Nobody has refreshed the session in time, or the far end no longer knows it (RFC 4028 §10).
    SessionExpired,
    /// The server is going away, or has gone and the next one found this call.
    Drain,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub cause: EndCause,
    /// Whether the far end has said so itself; false after a BYE or CANCEL that nobody answered to the last. Turns false
    /// after the end, if the phone of another fork has not said so.
    pub confirmed: bool,
}

/// Why a call ended: what happened first that made it end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// We wanted it.
    Wished(Wish),
    /// The far end hung up after answering.
    RemoteHangup,
    /// The INVITE was refused with this final response.
    Rejected { status: u16, reason: String },
    /// The INVITE could not be sent.
    Unreachable,
    /// The peer's challenge could not be answered.
    Unauthorized { status: u16, reason: String },
    /// The journal did not take the intent, so nothing was sent.
    NotJournaled,
}
