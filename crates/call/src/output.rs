//! What a call wants done, and what has happened to it.

use sip::{
    Outgoing, Tx,
    sdp::{Agreed, SdpError},
};

use crate::record::{End, Wish};

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Journal the record as it is now.
    Save(Save),
    /// Send a request. Nothing that follows may overtake it.
    Send(Outgoing),
    /// Take up the transaction of an INVITE that an earlier process sent: nothing is sent, what comes back is matched.
    Resume(Outgoing),
    /// End a client transaction that has been given up.
    Stop(Tx),
    Media(MediaCommand),
    /// Nothing to do but to know.
    Event(Event),
}

/// Why the record is written; three of them the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// Before every INVITE, also one repeated with credentials. [`Call::handle_saved`](crate::Call::handle_saved) lets it
    /// leave (promise 3).
    Intent,
    /// Before the ACK, which [`Call::handle_saved`](crate::Call::handle_saved) lets leave; later, when the dialog has gone on:
    /// the peer has moved its target, or a refresh has taken CSeq numbers.
    Answer,
    /// Before the ACK of this answer of another fork, counted from 0. It may come when the call has ended.
    Fork(u32),
    /// The call is to end, or has ended while phones of other forks are still being hung up. What was asked for may be
    /// confirmed once this is durable; the BYE does not wait.
    Wish,
    /// The call is over, and so is every other fork. Said again if one answers after it.
    End,
}

/// What the sound room should do for this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaCommand {
    Start(Agreed),
    /// The peer moved the stream, put it on hold or took it back.
    Change(Agreed),
    Stop,
}

/// What has happened. Each comes before everything that follows from it, the record's being saved included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The phone rings.
    Ringing,
    /// It no longer does: the INVITE was refused, and another one that meets what was asked for is on its way.
    Reconnecting,
    /// The phone was answered.
    Answered,
    /// The session description in the answer cannot be used.
    UnusableAnswer(SdpError),
    /// The call is to end; said once.
    Ending(Wish),
    /// It has; said once.
    Ended(End),
    /// It has ended, and the phone of another fork has not confirmed that it is on-hook: nor is the end confirmed any more.
    Unconfirmed,
    /// It has ended, and no phone of any fork is left to be hung up.
    Drained,
    /// Another fork has answered after that.
    LateFork,
}
