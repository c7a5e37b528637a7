//! What the owner keeps about one call.

use std::{collections::HashMap, net::IpAddr, time::SystemTime};

use call::{Call, Limits};
use dial::Hold;
use media::{Playing, RtpPort};
use sip::{
    Moment,
    sdp::{Agreed, SrtpKey},
};
use tokio::sync::{oneshot, watch};

use super::{PhoneCallId, PlaceError, UndeliveredId};
use crate::{journal::IdHash, messages::Message, reach::Reach, sip::Incoming};

/// How firmly a call's end is settled: what a disconnect waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    /// The call is over.
    pub(super) ended: bool,
    /// Whether the journal took the wish to end, or the end; nothing before it has said so.
    pub(super) durable: Option<bool>,
}

/// A call whose machine is still needed.
pub(super) struct Live {
    pub(super) owner: [u8; 32],
    pub(super) id: IdHash,
    pub(super) started: SystemTime,
    /// The client that asked for it, as far as caps count it.
    pub(super) address: Option<IpAddr>,
    /// Whether it is for a phone of the owner's own; so, too.
    pub(super) own_phone: bool,
    pub(super) call: Call,
    /// What the call holds of the caps, as long as a phone of any fork may be up.
    pub(super) hold: Option<Hold>,
    /// What is played, and from where; given back when the stream is over. A leftover of an earlier server has none.
    pub(super) stage: Option<Stage>,
    pub(super) playing: Option<Playing>,
    /// The stream as last agreed on.
    pub(super) agreed: Option<Agreed>,
    /// Raised with every change of the stream: what was prepared for an older one is dropped.
    pub(super) stream: u64,
    pub(super) settled: watch::Sender<Settled>,
    /// Waits for the intent to be durable.
    pub(super) placed: Option<Placed>,
    /// The peer's requests that wait for a reply.
    pub(super) requests: HashMap<u64, Incoming>,
    /// What the journal holds of it.
    pub(super) row: Row,
    /// Set once the call has ended.
    pub(super) ended_at: Option<(Moment, SystemTime)>,
}

/// How a call stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Not at all, or only as a detail record: a crash now would leave nothing to be ended.
    Closed,
    /// As a call that a crash would leave to the next server.
    Open,
}

/// What a call's sound is made of.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) message: Message,
    pub(super) port: RtpPort,
    /// Where the trunk may send the sound.
    pub(super) reach: Reach,
    /// The key in our descriptions, with SRTP.
    pub(super) own_key: Option<SrtpKey>,
}

/// Whoever ordered the call, and the id to tell.
pub(super) struct Placed {
    pub(super) id: PhoneCallId,
    pub(super) reply: oneshot::Sender<Result<UndeliveredId, PlaceError>>,
}

impl Placed {
    /// Whether nobody waits for the id any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

impl Live {
    pub(super) fn new(owner: [u8; 32], id: IdHash, call: Call, started: SystemTime) -> Self {
        Self {
            owner,
            id,
            started,
            address: None,
            own_phone: false,
            call,
            hold: None,
            stage: None,
            playing: None,
            agreed: None,
            stream: 0,
            settled: watch::Sender::default(),
            placed: None,
            requests: HashMap::new(),
            row: Row::Closed,
            ended_at: None,
        }
    }

    /// Whether nothing can come any more that the machine is needed for.
    pub(super) fn may_retire(&self, now: Moment, limits: &Limits) -> bool {
        self.linger_until(limits).is_some_and(|until| until <= now)
    }

    /// When to come back to this call.
    pub(super) fn next_wake(&self, limits: &Limits) -> Option<Moment> {
        let timer = self.call.poll_timeout().map(|(due, _)| due);
        timer.into_iter().chain(self.linger_until(limits)).min()
    }

    /// Repeated and forked answers may come for as long as a transaction lasts, and the dialogs of other forks may take
    /// longer to end than the call itself. Nor is a call forgotten whose end a slow disk has not taken yet: a hang-up waits
    /// for its word.
    fn linger_until(&self, limits: &Limits) -> Option<Moment> {
        let (ended_at, _) = self.ended_at?;
        let until = ended_at + limits.transaction();
        let is_settled = self.settled.borrow().durable.is_some();
        (self.call.is_drained() && is_settled).then_some(until)
    }
}
