//! What the switch wants done, in the order in which it is to be done.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use call::{End, Wish};
use dial::{Caller, Capped, Number, Reach};
use sip::{
    Path, Transmit, Transport,
    sdp::{Agreed, SdpError},
};

use crate::{
    information::Information,
    journal::{CallKey, Entry, IdHash},
};

/// One thing to be done.
#[derive(Debug)]
pub enum Output {
    /// Send this, this way.
    Transmit(Transmit),
    /// A connection is wanted; the word about it is [`Switch::connected`](crate::Switch::connected) or
    /// [`Switch::connect_failed`](crate::Switch::connect_failed) under the same number.
    Connect {
        number: u64,
        transport: Transport,
        remote: SocketAddr,
        /// What a certificate has to name.
        host: String,
        /// Whose TLS settings hold; none for a peer that is no trunk.
        trunk: Option<usize>,
    },
    /// Nobody waits for this connection any more: it is to be closed.
    Close(Path),
    /// This host may open connections to us, besides those that are listed.
    Admit(IpAddr),
    /// It may no longer.
    Dismiss(IpAddr),
    /// The addresses of a name are wanted: [`Switch::found`](crate::Switch::found) or
    /// [`Switch::not_found`](crate::Switch::not_found).
    Resolve(String),
    /// What is to be durable, in this order, as one batch: the last output of a turn.
    Journal(Vec<Entry>),
    /// The answer to a request of the house, once for each.
    Answer(u64, Answer),
    /// What can be asked about a call from now on; it comes before every answer that follows from it.
    Snapshot(IdHash, Option<Known>),
    Sound(CallKey, Sound),
    /// These leftovers are being taken up: should the process die of one, the next has to know which. Before anything else
    /// is done about them.
    TakingUp(Vec<CallKey>),
    /// They have been taken up, and nobody died of it.
    TakenUp(Vec<CallKey>),
    Event(Event),
}

/// What a request of the house comes to.
#[derive(Debug)]
pub enum Answer {
    /// The intent is durable, and the INVITE is under way.
    Placed(CallKey),
    NotPlaced(PlaceRefusal),
    /// The call is to end, or has: that is durable, or the far end has confirmed it.
    Disconnected,
    NotDisconnected(DisconnectRefusal),
    /// No call is left.
    AllEnded,
    /// Registrars know of us no more, or were asked long enough.
    Left,
}

/// Why no call was placed. No INVITE has left or will leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceRefusal {
    #[error(transparent)]
    Capped(#[from] Capped),
    #[error("no trunk is up")]
    NoTrunk,
    #[error("no port of the family that a trunk is reached by")]
    NoPort,
    #[error("the journal did not take the call")]
    NotJournaled,
    /// Should the journal take the intent later, nothing is sent all the same.
    #[error("the disk takes too long")]
    NotInTime,
    #[error("the server is shutting down")]
    Draining,
}

/// Why a disconnect could not be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectRefusal {
    /// No such call, or not of this caller: both alike (promise 7).
    #[error("no such call")]
    Unknown,
    /// The phone is being hung up, but the journal did not take the wish and the far end has not confirmed: a crash
    /// now would forget it (promise 3).
    #[error("the journal did not take the wish to end")]
    NotJournaled,
    /// The phone is being hung up, or is down already, but the journal has not taken the wish or the end in time.
    #[error("the journal takes too long to take the wish to end")]
    NotInTime,
}

/// What is known of a call to whoever may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub owner: [u8; 32],
    pub information: Information,
}

/// What the sound room is to do for a call.
#[derive(Clone, Debug)]
pub enum Sound {
    /// This is the call of that request: it is heard at this one of the order's addresses, and the ports at the others are free.
    Prepare { request: u64, rtp: usize },
    /// Play the message there, in what was agreed on; `reach` says where else it may be asked to go.
    Start { agreed: Agreed, reach: Reach },
    /// The peer moved the stream, put it on hold or took it back.
    Change { agreed: Agreed, reach: Reach },
    /// The stream is over. The word of an older one no longer counts.
    Stop,
}

/// What happened, for logs, metrics and whoever watches.
#[derive(Debug)]
pub enum Event {
    Placing {
        key: CallKey,
        call_id: String,
        trunk: String,
        number: Number,
    },
    /// A cap stands against a call.
    Capped {
        caller: Caller,
        number: Number,
        capped: Capped,
    },
    Ended {
        key: CallKey,
        cause: &'static str,
        end: End,
    },
    /// The session description in a call's answer cannot be used: it is hung up.
    UnusableAnswer {
        key: CallKey,
        trunk: String,
        why: SdpError,
    },
    /// Whoever ordered the call is gone: it is not sent.
    Abandoned(CallKey),
    NeverDelivered(CallKey),
    NotSaved {
        key: CallKey,
        save: call::Save,
    },
    /// A request could not be sent, or is not known to have arrived.
    Unreachable {
        key: CallKey,
        /// Nothing when it was sent and its connection is gone, or when too many wait.
        why: Option<NoWay>,
    },
    /// A call's requests go to its trunk instead of where its peer wants them.
    Redirected {
        trunk: String,
        why: NoWay,
    },
    /// A call was answered after it was forgotten.
    Stray {
        key: CallKey,
        call_id: String,
    },
    LeftoversFound(usize),
    LeftoverLeftAlone(CallKey),
    LeftoverLast(CallKey),
    LeftoverUnreadable(CallKey),
    /// A name was looked up in vain, and addresses that were found so long ago are used on: told at the first, second, fourth, …
    /// time.
    StaleAddresses {
        host: String,
        age: Duration,
        why: String,
    },
    /// It was found again.
    FoundAgain(String),
    TrunkUp(String),
    TrunkDown {
        trunk: String,
        why: TrunkSilence,
    },
    Registered(String),
    RegisterFailed {
        trunk: String,
        why: String,
    },
    /// How often by now somebody was turned away: told at the first, second, fourth, … time.
    TurnedAway {
        what: &'static str,
        path: Path,
        times: u64,
    },
    /// How many calls hold a place.
    Live(usize),
}

/// Why a trunk is taken to be down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrunkSilence {
    #[error("no answer")]
    TimedOut,
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// And why it was not found.
    #[error("its name is not found: {0}")]
    NoAddress(String),
}

/// Why a place that a peer named is not gone to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    #[error("no SIP URI to send to")]
    NoUri,
    #[error("{0} is not where its trunk may send us (allowed_hosts)")]
    BeyondReach(String),
    #[error("{0} is asked for in clear, and the call came about over TLS")]
    InClear(String),
    #[error("{host} is not found: {why}")]
    NotFound { host: String, why: String },
    #[error("no listener of ours reaches {0}")]
    NoListener(String),
    /// To where, and as far as it is known why.
    #[error("no connection to {0}")]
    NoConnection(String),
    #[error("too many INVITEs wait for a first answer there")]
    WindowFull,
    /// The call was hung up before its INVITE could leave.
    #[error("nobody wants it any more")]
    Unwanted,
}

/// The wish behind an end, or what else ended it: a short stable name, for records and logs.
#[must_use]
pub fn cause(end: &End) -> &'static str {
    use call::EndCause;
    match &end.cause {
        EndCause::Wished(Wish::Hangup) => "hangup",
        EndCause::Wished(Wish::Finished) => "finished",
        EndCause::Wished(Wish::NoAnswer) => "no-answer",
        EndCause::Wished(Wish::MaxDuration) => "max-duration",
        EndCause::Wished(Wish::MediaRefused) => "media-refused",
        EndCause::Wished(Wish::MediaFailed) => "media-failed",
        EndCause::Wished(Wish::NoAck) => "no-ack",
        EndCause::Wished(Wish::SessionExpired) => "session-expired",
        EndCause::Wished(Wish::NotJournaled) | EndCause::NotJournaled => "not-journaled",
        EndCause::Wished(Wish::Drain) => "drain",
        EndCause::RemoteHangup => "remote-hangup",
        EndCause::Rejected { .. } => "rejected",
        EndCause::Wished(Wish::TimedOut) => "timed-out",
        EndCause::Unreachable => "unreachable",
        EndCause::Unauthorized { .. } => "unauthorized",
    }
}

/// How long the house waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a disconnect waits for the far end to confirm.
    pub disconnect: Duration,
    /// How long an answer waits for the journal's word.
    pub disk: Duration,
}
