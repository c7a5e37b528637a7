//! All ways out: the wish to end in every phase, CANCEL, BYE, and what is done about the dialogs of other forks.

use super::{Call, MediaCommand, Output, Save};
use crate::{
    branch::BranchKey,
    dialog::{Dialog, Local},
    digest::{Authenticator, Credentials, Subject},
    message::{CSeq, Method, Outgoing, Response, Tx},
    moment::Moment,
    record::{EndCause, Phase, Wish},
    timer::Timer,
};

/// Transactions' lengths that BYE is tried for before a call is given up as unconfirmed.
const BYE_TRANSACTIONS: u32 = 3;

/// Dialogs of other forks that are remembered; a further one is still ACKed and BYEd, but not followed.
const MOST_FORKS: usize = 8;

/// Why no answer to a request will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Timer B or F ran out (RFC 3261 App. A).
    TimedOut,
    /// It could not be sent.
    Unreachable,
}

/// A BYE on its way, through challenges and repetitions.
#[derive(Debug)]
pub(super) struct Bye {
    tx: Tx,
    auth: Authenticator,
    /// When to stop trying.
    until: Moment,
    /// Waits for [`Timer::AnotherBye`].
    waits: bool,
    over: bool,
}

/// The dialog of another fork, which is being ended.
#[derive(Debug)]
pub(super) struct Fork {
    dialog: Dialog,
    bye: Bye,
}

impl Fork {
    pub(super) fn is_over(&self) -> bool {
        self.bye.over
    }

    pub(super) fn waits(&self) -> bool {
        self.bye.waits
    }
}

/// What became of a BYE.
enum ByeStep {
    Pending,
    Again(Outgoing),
    Later,
    Over { confirmed: bool },
}

impl Call {
    /// The wish to end, in whatever phase the call is (promise 4). Once wished, a call ends; a second wish changes nothing.
    pub fn disconnect(&mut self, now: Moment) {
        self.wish(Wish::Hangup, now);
    }

    /// The message has played to its end.
    pub fn media_finished(&mut self, now: Moment) {
        self.wish(Wish::Finished, now);
    }

    /// There is nothing to play after all.
    pub fn media_failed(&mut self, now: Moment) {
        self.wish(Wish::MediaFailed, now);
    }

    /// The server goes away.
    pub fn drain(&mut self, now: Moment) {
        self.wish(Wish::Drain, now);
    }

    pub(super) fn wish(&mut self, wish: Wish, now: Moment) {
        if self.record.wish.is_some() || self.end().is_some() {
            return;
        }
        self.record.wish = Some(wish);
        match self.record.phase {
            // Nothing has left yet, and now nothing will.
            Phase::Placing => return self.finish(EndCause::Wished(wish), true),
            // Without a provisional a CANCEL must wait (RFC 3261 §9.1).
            Phase::Calling { trying: false } => self.record.phase = Phase::Cancelling { sent: false },
            Phase::Calling { trying: true } | Phase::Early => self.send_cancel(now),
            Phase::Answered => {
                self.acknowledge();
                self.send_bye(now);
            }
            Phase::Confirmed => self.send_bye(now),
            // A call that is being ended or has ended already carries its wish.
            Phase::Cancelling { .. } | Phase::Terminating | Phase::Ended(_) => {}
        }
        self.timers.stop(Timer::NoAnswer);
        self.save(Save::Wish);
    }

    pub(super) fn send_cancel(&mut self, now: Moment) {
        self.record.phase = Phase::Cancelling { sent: true };
        // The 487 must come within 64·T1, else the INVITE is given up (RFC 3261 §9.1). A little more, because the
        // peer may start counting later than we do.
        let limits = self.around.limits;
        self.timers
            .set(Timer::GiveUp, now + limits.transaction() + limits.t1 * 4);
        let record = &self.record;
        let cseq = CSeq {
            number: record.invite_cseq,
            method: Method::Cancel,
        };
        let cancel = Outgoing {
            tx: Tx {
                branch: self.invite_tx().branch,
                method: Method::Cancel,
            },
            destination: record.destination.clone(),
            text: record.dialog.print(&cseq, &record.invite_via, &[], None),
        };
        self.send(cancel);
    }

    /// CANCEL went out, and no final response to the INVITE came.
    pub(super) fn give_up_invite(&mut self) {
        if self.awaits_answer() {
            let tx = self.invite_tx();
            self.outputs.push_back(Output::Stop(tx));
            self.finish(EndCause::TimedOut, false);
        }
    }

    pub(super) fn send_bye(&mut self, now: Moment) {
        if self.agreed.is_some() {
            self.outputs.push_back(Output::Media(MediaCommand::Stop));
            self.agreed = None;
        }
        self.timers.stop(Timer::MaxDuration);
        self.record.phase = Phase::Terminating;
        let outgoing = next_bye(&mut self.record.dialog, &[], &self.around.local, &self.around.key);
        self.bye = Some(self.bye_until(outgoing.tx.clone(), now));
        self.send(outgoing);
    }

    fn bye_until(&self, tx: Tx, now: Moment) -> Bye {
        let until = now + self.around.limits.transaction() * BYE_TRANSACTIONS;
        Bye {
            tx,
            auth: Authenticator::default(),
            until,
            waits: false,
            over: false,
        }
    }

    /// A 2xx with another To tag: ACK it and end its dialog; the call itself lives on, or stays ended.
    pub(super) fn end_fork(&mut self, response: &Response, now: Moment) {
        if let Some(fork) = self.forks.iter().find(|fork| fork.dialog.remote_tag == response.to_tag) {
            let ack = self.ack_of(&fork.dialog);
            return self.send(ack);
        }
        let mut dialog = self.record.dialog.clone();
        dialog.confirm(response);
        let ack = self.ack_of(&dialog);
        self.send(ack);
        let outgoing = next_bye(&mut dialog, &[], &self.around.local, &self.around.key);
        if self.forks.len() < MOST_FORKS {
            let bye = self.bye_until(outgoing.tx.clone(), now);
            self.forks.push(Fork { dialog, bye });
        }
        self.send(outgoing);
    }

    /// A response to a request of this call, other than a 2xx to the INVITE.
    pub fn handle_response(&mut self, response: &Response, now: Moment) {
        match response.cseq.method {
            Method::Invite => self.handle_invite_response(response, now),
            Method::Bye => self.handle_bye_response(response, now),
            // Whatever CANCEL is answered with, the INVITE's own final response decides (RFC 3261 §9.1).
            Method::Cancel => {}
            Method::Ack
            | Method::Options
            | Method::Register
            | Method::Update
            | Method::Info
            | Method::Notify
            | Method::Other(_) => {}
        }
    }

    /// A request of this call will never be answered.
    pub fn handle_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        match tx.method {
            Method::Invite => self.handle_invite_silence(tx, silence, now),
            Method::Bye => self.follow_bye(tx, now, |bye, _| {
                if now >= bye.until {
                    return ByeStep::Over { confirmed: false };
                }
                ByeStep::Later
            }),
            Method::Cancel => self.handle_cancel_silence(silence),
            Method::Ack
            | Method::Options
            | Method::Register
            | Method::Update
            | Method::Info
            | Method::Notify
            | Method::Other(_) => {}
        }
    }

    fn handle_invite_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        if *tx != self.invite_tx() || !self.awaits_answer() {
            return;
        }
        match (silence, &self.record.phase) {
            // Not one response in 64·T1. The CANCEL that was held leaves all the same: if only the way back is broken,
            // it stops a phone that rings.
            (Silence::TimedOut, Phase::Cancelling { sent: false }) => self.send_cancel(now),
            (Silence::TimedOut, Phase::Cancelling { sent: true }) => {}
            (Silence::TimedOut, _) => self.finish(EndCause::TimedOut, false),
            (Silence::Unreachable, _) => self.finish(EndCause::Unreachable, true),
        }
    }

    /// A CANCEL nobody answered changes nothing while the INVITE may still get its response; see [`Timer::GiveUp`].
    fn handle_cancel_silence(&mut self, silence: Silence) {
        if silence == Silence::Unreachable && matches!(self.record.phase, Phase::Cancelling { .. }) {
            self.give_up_invite();
        }
    }

    fn handle_bye_response(&mut self, response: &Response, now: Moment) {
        let (credentials, local, key) = (
            self.around.credentials.clone(),
            self.around.local.clone(),
            self.around.key.clone(),
        );
        self.follow_bye(&response.tx(), now, |bye, dialog| match response.status {
            100..200 => ByeStep::Pending,
            // 481 and a real 408 mean that the far end knows the dialog no more (RFC 3261 §15.1.1, RFC 5057 §5.1).
            200..300 | 408 | 481 => ByeStep::Over { confirmed: true },
            401 | 407 => match bye.authorize(response, credentials.as_ref(), dialog, &local, &key) {
                Some(outgoing) => ByeStep::Again(outgoing),
                None => ByeStep::Over { confirmed: false },
            },
            _ if now >= bye.until => ByeStep::Over { confirmed: false },
            _ => ByeStep::Later,
        });
    }

    /// Finds the BYE that `tx` names, of this dialog or of a fork, asks what became of it, and acts on that.
    fn follow_bye(&mut self, tx: &Tx, now: Moment, step: impl FnOnce(&mut Bye, &mut Dialog) -> ByeStep) {
        let Self { record, bye, forks, .. } = self;
        let own = bye.as_mut().filter(|bye| bye.tx == *tx && !bye.over);
        let is_own = own.is_some();
        let found = own.map(|bye| (bye, &mut record.dialog)).or_else(|| {
            let fork = forks.iter_mut().find(|fork| fork.bye.tx == *tx && !fork.bye.over)?;
            Some((&mut fork.bye, &mut fork.dialog))
        });
        let Some((bye, dialog)) = found else { return };
        match step(bye, dialog) {
            ByeStep::Pending => {}
            ByeStep::Again(outgoing) => {
                bye.tx = outgoing.tx.clone();
                self.send(outgoing);
            }
            ByeStep::Later => {
                bye.waits = true;
                let due = now + self.around.limits.t1 * 8;
                self.timers.set(Timer::AnotherBye, due);
            }
            ByeStep::Over { confirmed } => {
                bye.over = true;
                if is_own {
                    self.finish(EndCause::RemoteHangup, confirmed);
                }
            }
        }
    }

    /// Sends every BYE that waits once more, as a new transaction.
    pub(super) fn bye_again(&mut self) {
        let Self {
            record,
            bye,
            forks,
            around,
            outputs,
            ..
        } = self;
        let own = bye.as_mut().map(|bye| (bye, &mut record.dialog));
        let others = forks.iter_mut().map(|fork| (&mut fork.bye, &mut fork.dialog));
        for (bye, dialog) in own.into_iter().chain(others).filter(|(bye, _)| bye.waits && !bye.over) {
            let outgoing = next_bye(dialog, &[], &around.local, &around.key);
            bye.tx = outgoing.tx.clone();
            bye.auth = Authenticator::default();
            bye.waits = false;
            outputs.push_back(Output::Send(outgoing));
        }
    }
}

impl Bye {
    /// The far end has ended the dialog itself: whatever is still said to this BYE no longer matters.
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// The BYE again with credentials, or nothing when that is of no use.
    fn authorize(
        &mut self,
        response: &Response,
        credentials: Option<&Credentials>,
        dialog: &mut Dialog,
        local: &Local,
        key: &BranchKey,
    ) -> Option<Outgoing> {
        let credentials = credentials?;
        self.auth.challenged(&response.challenges).ok()?;
        let cnonce = key.cnonce(&dialog.call_id, dialog.local_cseq);
        let subject = Subject {
            method: &Method::Bye,
            uri: dialog.request_uri(),
            body: &[],
            cnonce: &cnonce,
        };
        let authorizations = self.auth.authorize(credentials, subject);
        let headers: Vec<_> = authorizations
            .iter()
            .map(|header| (header.name, header.value.as_str()))
            .collect();
        Some(next_bye(dialog, &headers, local, key))
    }
}

fn next_bye(dialog: &mut Dialog, headers: &[(&str, &str)], local: &Local, key: &BranchKey) -> Outgoing {
    dialog.local_cseq = dialog.local_cseq.saturating_add(1);
    let cseq = CSeq {
        number: dialog.local_cseq,
        method: Method::Bye,
    };
    dialog.request(cseq, headers, None, local, key)
}

/// What ends a call that nobody remembers: ACK and BYE for a 2xx whose branch is verifiably ours (promise 2).
///
/// Nothing when the branch is not ours: a forged 2xx must not make us send anywhere.
#[must_use]
pub fn end_stray(response: &Response, local: &Local, key: &BranchKey) -> Option<[Outgoing; 2]> {
    if response.cseq.method != Method::Invite || !key.is_ours(&response.branch, &response.call_id, &response.cseq) {
        return None;
    }
    let mut dialog = Dialog::from_stray(response)?;
    let cseq = CSeq {
        number: response.cseq.number,
        method: Method::Ack,
    };
    let ack = dialog.request(cseq, &[], None, local, key);
    // The BYE of the call itself may have used the next numbers; gaps are legal (RFC 3261 §12.2.2).
    dialog.local_cseq = dialog.local_cseq.saturating_add(100);
    Some([ack, next_bye(&mut dialog, &[], local, key)])
}
