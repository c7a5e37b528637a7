//! The phones of other forks: each that answers beside the call's own is ACKed and hung up (RFC 3261 §13.2.2.4).
//!
//! Its dialog stands in the record, durably, before the ACK leaves: whoever dies in between leaves a phone that still asks for
//! its ACK, and whoever dies later leaves a dialog that the next process ends (promise 3).

use super::{
    Call, Save,
    bye::{Bye, next_bye},
    ending::LEFTOVER_CSEQS,
};
use crate::{
    dialog::Dialog,
    record::{ForkRecord, Phase},
};
use sip::{Method, Moment, Reply, Request, Response};

/// Other forks that a call remembers. A further one has to wait for its ACK until an older one is on-hook, and meanwhile
/// repeats its 2xx.
const MOST_FORKS: usize = 8;

/// The dialog of another fork.
#[derive(Debug)]
pub(super) struct Fork {
    number: u32,
    dialog: Dialog,
    /// `CSeq` number of the INVITE that it has answered.
    invite_cseq: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its ACK waits for the disk.
    Unsaved,
    /// ACKed; BYE sent.
    Ending(Bye),
    /// On-hook, or given up. It is remembered for its 2xx, which may come once more.
    Over,
}

impl Fork {
    /// One that an earlier process has left.
    pub(super) fn left(number: u32, record: &ForkRecord) -> Self {
        let mut dialog = record.dialog.clone();
        dialog.local_cseq = dialog.local_cseq.saturating_add(LEFTOVER_CSEQS);
        Self {
            number,
            dialog,
            invite_cseq: record.invite_cseq,
            stage: Stage::Unsaved,
        }
    }

    /// What the next process must know of it.
    pub(super) fn record(&self) -> Option<ForkRecord> {
        (!self.is_over()).then(|| ForkRecord {
            dialog: self.dialog.clone(),
            invite_cseq: self.invite_cseq,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        match self.stage {
            Stage::Unsaved | Stage::Ending(_) => false,
            Stage::Over => true,
        }
    }

    pub(super) fn owns(&self, request: &Request) -> bool {
        self.dialog.owns(request)
    }

    /// The BYE under way.
    pub(super) fn ending(&self) -> Option<&Bye> {
        match &self.stage {
            Stage::Ending(bye) => Some(bye),
            Stage::Unsaved | Stage::Over => None,
        }
    }

    /// The BYE under way, and its dialog.
    pub(super) fn ending_mut(&mut self) -> Option<(&mut Bye, &mut Dialog)> {
        match &mut self.stage {
            Stage::Ending(bye) => Some((bye, &mut self.dialog)),
            Stage::Unsaved | Stage::Over => None,
        }
    }
}

impl Call {
    /// A 2xx of another dialog than the call's. The call itself lives on, or stays ended.
    pub(super) fn handle_fork(&mut self, response: &Response) {
        if let Some(fork) = self.forks.iter().find(|fork| fork.dialog.remote_tag == response.to_tag) {
            // Repeated because our ACK was lost, or has not left yet.
            if !matches!(fork.stage, Stage::Unsaved) {
                let ack = self.ack_of(&fork.dialog, response.cseq.number);
                self.send(ack);
            }
            return;
        }
        if self.forks.len() == MOST_FORKS {
            let Some(over) = self.forks.iter().position(Fork::is_over) else {
                return;
            };
            self.forks.remove(over);
        }
        let mut dialog = self.record.dialog.clone();
        dialog.remote_target.clone_from(&self.record.request_uri);
        dialog.remote_cseq = None;
        dialog.confirm(response);
        let number = self.forks_answered;
        self.forks_answered += 1;
        self.forks.push(Fork {
            number,
            dialog,
            invite_cseq: response.cseq.number,
            stage: Stage::Unsaved,
        });
        self.save(Save::Fork(number));
    }

    /// The dialog of a fork is durable, or cannot be: its phone is hung up.
    pub(super) fn fork_saved(&mut self, number: u32, now: Moment) {
        let waiting = |fork: &Fork| fork.number == number && matches!(fork.stage, Stage::Unsaved);
        if let Some(at) = self.forks.iter().position(waiting) {
            self.end_fork(at, now);
        }
    }

    /// Hangs up the phones of other forks that an earlier process has left.
    pub(super) fn end_left_forks(&mut self, now: Moment) {
        for at in 0..self.forks.len() {
            self.end_fork(at, now);
        }
    }

    fn end_fork(&mut self, at: usize, now: Moment) {
        self.acknowledge_fork(at);
        let fork = &mut self.forks[at];
        let bye = next_bye(&mut fork.dialog, &[], &self.around.local, &self.around.key);
        fork.stage = Stage::Ending(Bye::sent(bye.tx.clone(), &self.around.limits, now));
        self.send(bye);
        self.schedule_byes();
    }

    fn acknowledge_fork(&mut self, at: usize) {
        let fork = &self.forks[at];
        let ack = self.ack_of(&fork.dialog, fork.invite_cseq);
        self.send(ack);
    }

    /// Takes note of every fork whose BYE is over.
    pub(super) fn settle_forks(&mut self) {
        let over_before = self.forks.iter().filter(|fork| fork.is_over()).count();
        for fork in &mut self.forks {
            if let Some(confirmed) = fork.ending().and_then(Bye::confirmed) {
                fork.stage = Stage::Over;
                self.fork_given_up |= !confirmed;
            }
        }
        let over = self.forks.iter().filter(|fork| fork.is_over()).count();
        if over > over_before {
            self.close();
        }
    }

    /// Closes the record of a call that has ended already, once no phone of another fork is left to be hung up.
    fn close(&mut self) {
        let Phase::Ended(end) = &mut self.record.phase else {
            return;
        };
        end.confirmed &= !self.fork_given_up;
        if self.forks.iter().all(Fork::is_over) {
            self.save(Save::End);
        }
    }

    /// A phone that answered the challenged INVITE has answered the next one under the same tag: one dialog, whose
    /// CSeq numbers must go on rising (RFC 3261 §12.2.1.1).
    pub(super) fn adopt_fork(&mut self) {
        let dialog = &mut self.record.dialog;
        if let Some(at) = self
            .forks
            .iter()
            .position(|fork| fork.dialog.remote_tag == dialog.remote_tag)
        {
            dialog.local_cseq = self.forks.remove(at).dialog.local_cseq;
            self.schedule_byes();
        }
    }

    /// Answers a request inside the dialog of another fork, which takes nothing but BYE any more.
    pub(super) fn reply_in_fork(&mut self, request: &Request) -> Option<Reply> {
        let at = self.forks.iter().position(|fork| fork.owns(request))?;
        if request.method != Method::Bye {
            return Some(Reply::status(481));
        }
        match self.forks[at].stage {
            Stage::Unsaved => self.acknowledge_fork(at),
            Stage::Ending(_) => {}
            Stage::Over => return Some(Reply::status(200)),
        }
        self.forks[at].stage = Stage::Over;
        self.schedule_byes();
        self.close();
        Some(Reply::status(200))
    }
}
