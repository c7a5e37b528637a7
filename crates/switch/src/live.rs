//! What the switch keeps about one call.

use std::{collections::VecDeque, net::IpAddr};

use call::{Call, Limits};
use dial::{Hold, WallTime};
use sip::Moment;

use crate::{
    journal::IdHash,
    outbox::Queued,
    output::{DisconnectRefusal, Patience},
};

/// A call whose machine is still needed.
pub(crate) struct Live {
    pub(crate) owner: [u8; 32],
    pub(crate) id: IdHash,
    pub(crate) started: WallTime,
    /// The client that asked for it, as far as caps count it.
    pub(crate) address: Option<IpAddr>,
    /// Whether it is for a phone of the owner's own, as far as caps count it.
    pub(crate) own_phone: bool,
    pub(crate) trunk: usize,
    pub(crate) call: Call,
    /// What the call holds of the caps, as long as a phone of any fork may be up.
    pub(crate) hold: Option<Hold>,
    /// Waits for the intent to be durable.
    pub(crate) placing: Option<Placing>,
    /// Wait for the end.
    pub(crate) disconnecting: Vec<Disconnecting>,
    /// Whether the journal has taken the wish to end, or the end; nothing before its word.
    pub(crate) end_is_durable: Option<bool>,
    /// What the journal holds of it.
    pub(crate) row: Row,
    /// Set once the call has ended.
    pub(crate) ended_at: Option<(Moment, WallTime)>,
    /// Since when no phone of any fork is left to be hung up.
    pub(crate) drained_at: Option<Moment>,
    /// Where requests of this call have gone: these hosts may speak.
    pub(crate) hosts: Vec<IpAddr>,
    /// Requests that have not left, in order; and until when the first of them waits for its way.
    pub(crate) outbox: VecDeque<Queued>,
    pub(crate) outbox_until: Option<Moment>,
}

/// How a call stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Not at all, or only as a detail record: a crash now would leave nothing to be ended.
    Closed,
    /// As a call that a crash would leave to the next process.
    Open,
}

/// A request of the house to place this call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placing {
    pub(crate) request: u64,
    /// When its answer has waited for the disk long enough.
    pub(crate) until: Moment,
    /// Nobody waits for the answer any more.
    pub(crate) is_abandoned: bool,
}

/// A request of the house to end it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disconnecting {
    pub(crate) request: u64,
    /// How long the far end is waited for.
    confirm_until: Moment,
    /// How long the disk is.
    pub(crate) disk_until: Moment,
}

impl Disconnecting {
    pub(crate) fn new(request: u64, patience: Patience, now: Moment) -> Self {
        Self {
            request,
            confirm_until: now + patience.disconnect,
            disk_until: now + patience.disk,
        }
    }
}

impl Live {
    pub(crate) fn new(owner: [u8; 32], id: IdHash, trunk: usize, call: Call, started: WallTime) -> Self {
        Self {
            owner,
            id,
            started,
            address: None,
            own_phone: false,
            trunk,
            call,
            hold: None,
            placing: None,
            disconnecting: Vec::new(),
            end_is_durable: None,
            row: Row::Closed,
            ended_at: None,
            drained_at: None,
            hosts: Vec::new(),
            outbox: VecDeque::new(),
            outbox_until: None,
        }
    }

    /// Whether nothing can come any more that the machine is needed for.
    pub(crate) fn may_retire(&self, now: Moment, limits: &Limits) -> bool {
        self.linger_until(limits).is_some_and(|until| until <= now)
    }

    /// When to come back to this call.
    pub(crate) fn next_wake(&self, limits: &Limits) -> Option<Moment> {
        let timer = self.call.poll_timeout().map(|(due, _)| due);
        let placing = self.placing.map(|placing| placing.until);
        let disconnecting = self.disconnecting.iter().map(|waiting| self.due(waiting)).min();
        timer
            .into_iter()
            .chain(placing)
            .chain(disconnecting)
            .chain(self.outbox_until)
            .chain(self.linger_until(limits))
            .min()
    }

    /// Whether it has ended, and the far end has said so.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.ended_at.is_some() && self.call.end().is_some_and(|end| end.confirmed)
    }

    /// The answers that are due to those who wait for the end. None comes before the wish, or the end, is durable, but for one
    /// that says so; should the disk refuse both, what the far end has confirmed is over all the same (promise 3).
    pub(crate) fn settle(&mut self, now: Moment) -> Vec<(u64, Result<(), DisconnectRefusal>)> {
        let (is_over, durable) = (self.ended_at.is_some(), self.end_is_durable);
        let is_confirmed = self.is_confirmed();
        let mut settled = Vec::new();
        self.disconnecting.retain(|waiting| {
            let answer = match durable {
                _ if !is_over && now < waiting.confirm_until => None,
                Some(durable) if durable || is_confirmed => Some(Ok(())),
                Some(_) => Some(Err(DisconnectRefusal::NotJournaled)),
                None if now >= waiting.disk_until => Some(Err(DisconnectRefusal::NotInTime)),
                None => None,
            };
            settled.extend(answer.map(|answer| (waiting.request, answer)));
            answer.is_none()
        });
        settled
    }

    fn due(&self, waiting: &Disconnecting) -> Moment {
        if self.ended_at.is_some() {
            return waiting.disk_until;
        }
        match self.end_is_durable {
            Some(_) => waiting.confirm_until,
            None => waiting.confirm_until.max(waiting.disk_until),
        }
    }

    /// What phones have said may come, and come again, for as long as a transaction lasts after the last of them is on-hook: the dialogs of other
    /// forks may take longer to end than the call itself. Nor is a call forgotten whose end a slow disk has not taken yet: a hang-up waits
    /// for its word.
    fn linger_until(&self, limits: &Limits) -> Option<Moment> {
        let drained_at = self.drained_at?;
        (self.call.is_drained() && self.end_is_durable.is_some() && self.outbox.is_empty())
            .then_some(drained_at + limits.transaction())
    }
}
