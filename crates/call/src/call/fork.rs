//! The phones of other forks: each that answers beside the call's own is ACKed and hung up (RFC 3261 §13.2.2.4).
//!
//! Its dialog stands in the record, durably, before the ACK leaves: whoever dies in between leaves a phone that still asks for
//! its ACK, and whoever dies later leaves a dialog that the next process ends (promise 3).

use sabotage::Fault;
use sip::{Method, Moment, Reply, Request, Response};

use super::{
    Call,
    bye::{Bye, next_bye},
    state::State,
};
use crate::{
    dialog::Dialog,
    output::{Event, Save},
    record::ForkRecord,
};

/// Other forks that a call remembers. A further one has to wait for its ACK until an older one is on-hook, and meanwhile
/// repeats its 2xx.
const MOST_FORKS: usize = 8;

/// All other forks of a call that have answered.
#[derive(Debug, Default)]
pub(super) struct Forks {
    forks: Vec<Fork>,
    /// How many have answered so far.
    answered: u32,
    /// One of them has never confirmed its BYE.
    pub(super) given_up: bool,
}

/// The dialog of another fork.
#[derive(Debug)]
struct Fork {
    number: u32,
    dialog: Dialog,
    /// `CSeq` number of the INVITE that it has answered.
    invite_cseq: u32,
    state: ForkState,
}

#[derive(Debug)]
enum ForkState {
    /// Its ACK waits for the disk.
    Answered,
    /// ACKed; BYE sent.
    Terminating(Bye),
    /// On-hook, or given up. It is remembered for its 2xx, which may come once more.
    Ended,
}

impl Fork {
    fn is_over(&self) -> bool {
        matches!(self.state, ForkState::Ended)
    }
}

impl Forks {
    /// Those that an earlier process has left.
    pub(super) fn left(records: &[ForkRecord]) -> Self {
        let forks: Vec<Fork> = (0..)
            .zip(records)
            .map(|(number, record)| Fork {
                number,
                dialog: record.dialog.clone(),
                invite_cseq: record.invite_cseq,
                state: ForkState::Answered,
            })
            .collect();
        Self {
            answered: forks.len() as u32,
            forks,
            given_up: false,
        }
    }

    /// What the next process must know of them.
    pub(super) fn records(&self) -> Vec<ForkRecord> {
        let left = self.forks.iter().filter(|fork| !fork.is_over());
        left.map(|fork| ForkRecord {
            dialog: fork.dialog.clone(),
            invite_cseq: fork.invite_cseq,
        })
        .collect()
    }

    /// Whether no phone of theirs is left to be hung up.
    pub(super) fn are_over(&self) -> bool {
        self.forks.iter().all(Fork::is_over)
    }

    pub(super) fn own(&self, request: &Request) -> bool {
        self.forks.iter().any(|fork| fork.dialog.owns(request))
    }

    /// The BYEs under way, with the place of each fork.
    pub(super) fn byes(&self) -> impl Iterator<Item = (usize, &Bye)> {
        self.forks
            .iter()
            .enumerate()
            .filter_map(|(at, fork)| match &fork.state {
                ForkState::Terminating(bye) => Some((at, bye)),
                ForkState::Answered | ForkState::Ended => None,
            })
    }

    /// The BYE under way to one, and its dialog.
    pub(super) fn bye_mut(&mut self, at: usize) -> Option<(&mut Bye, &mut Dialog)> {
        let fork = self.forks.get_mut(at)?;
        match &mut fork.state {
            ForkState::Terminating(bye) => Some((bye, &mut fork.dialog)),
            ForkState::Answered | ForkState::Ended => None,
        }
    }

    /// Makes room for one more; false when there is none.
    fn make_room(&mut self) -> bool {
        if self.forks.len() < MOST_FORKS {
            return true;
        }
        let over = self.forks.iter().position(Fork::is_over);
        over.map(|over| self.forks.remove(over)).is_some()
    }
}

impl Call {
    /// A 2xx of another dialog than the call's. The call itself lives on, or stays ended.
    pub(super) fn handle_fork(&mut self, response: &Response) {
        let known = self.forks.forks.iter();
        if let Some(fork) = known.into_iter().find(|fork| fork.dialog.remote_tag == response.to_tag) {
            // Repeated because our ACK was lost, or has not left yet.
            if !matches!(fork.state, ForkState::Answered) {
                let ack = self.ack_of(&fork.dialog, response.cseq.number);
                self.send(ack);
            }
            return;
        }
        if !self.forks.make_room() {
            return;
        }
        if self.is_drained() {
            self.tell(Event::LateFork);
        }
        let mut dialog = self.record.dialog.clone();
        dialog.remote_target.clone_from(&self.record.request_uri);
        dialog.remote_cseq = None;
        dialog.confirm(response);
        let number = self.forks.answered;
        self.forks.answered += 1;
        self.forks.forks.push(Fork {
            number,
            dialog,
            invite_cseq: response.cseq.number,
            state: ForkState::Answered,
        });
        self.save(Save::Fork(number));
    }

    /// The dialog of a fork is durable, or cannot be: its phone is hung up.
    pub(super) fn fork_saved(&mut self, number: u32, now: Moment) {
        let waits = |fork: &Fork| fork.number == number && matches!(fork.state, ForkState::Answered);
        if let Some(at) = self.forks.forks.iter().position(waits) {
            self.end_fork(at, now);
        }
    }

    /// Hangs up the phones of other forks that an earlier process has left.
    pub(super) fn end_left_forks(&mut self, now: Moment) {
        for at in 0..self.forks.forks.len() {
            self.end_fork(at, now);
        }
    }

    fn end_fork(&mut self, at: usize, now: Moment) {
        self.acknowledge_fork(at);
        let fork = &mut self.forks.forks[at];
        let bye = next_bye(&mut fork.dialog, &[], &self.around);
        fork.state = ForkState::Terminating(Bye::sent(bye.tx.clone(), &self.around.limits, now));
        if !self.is_sabotaged(Fault::NoForkBye) {
            self.send(bye);
        }
        self.schedule_byes();
    }

    fn acknowledge_fork(&mut self, at: usize) {
        let fork = &self.forks.forks[at];
        let ack = self.ack_of(&fork.dialog, fork.invite_cseq);
        self.send(ack);
    }

    /// The phone of a fork is on-hook, or was given up.
    pub(super) fn fork_over(&mut self, at: usize, confirmed: bool) {
        self.forks.forks[at].state = ForkState::Ended;
        self.forks.given_up |= !confirmed;
        self.close();
    }

    /// Closes the record of a call that has ended already, once no phone of another fork is left to be hung up.
    pub(super) fn close(&mut self) {
        let State::Ended { end, .. } = &mut self.state else {
            return;
        };
        if end.confirmed && self.forks.given_up {
            end.confirmed = false;
            self.tell(Event::Unconfirmed);
        }
        if self.forks.are_over() {
            self.save(Save::End);
            self.tell(Event::Drained);
        }
    }

    /// A phone that answered the challenged INVITE has answered the next one under the same tag: one dialog, whose
    /// CSeq numbers must go on rising (RFC 3261 §12.2.1.1).
    pub(super) fn adopt_fork(&mut self) {
        let dialog = &mut self.record.dialog;
        let forks = &mut self.forks.forks;
        if let Some(at) = forks
            .iter()
            .position(|fork| fork.dialog.remote_tag == dialog.remote_tag)
        {
            dialog.local_cseq = forks.remove(at).dialog.local_cseq;
            self.schedule_byes();
        }
    }

    /// Answers a request inside the dialog of another fork, which takes nothing but BYE any more.
    pub(super) fn reply_in_fork(&mut self, request: &Request) -> Option<Reply> {
        let at = self.forks.forks.iter().position(|fork| fork.dialog.owns(request))?;
        if request.method != Method::Bye {
            return Some(Reply::status(481));
        }
        match self.forks.forks[at].state {
            ForkState::Answered => self.acknowledge_fork(at),
            ForkState::Terminating(_) => {}
            ForkState::Ended => return Some(Reply::status(200)),
        }
        self.fork_over(at, true);
        self.schedule_byes();
        Some(Reply::status(200))
    }
}
