//! The ways out: the wish to end in every phase, CANCEL, and silence. What follows an answer is in `bye`.

use super::{Call, Output, Save};
use crate::{
    record::{EndCause, Phase, Wish},
    timer::Timer,
};
use sip::{CSeq, Method, Moment, Outgoing, Response, Tx};

/// `CSeq` numbers an earlier process may have used after its last record: BYEs repeated and challenged.
pub(super) const LEFTOVER_CSEQS: u32 = 10;

/// Why no answer to a request will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Timer B or F ran out (RFC 3261 App. A).
    TimedOut,
    /// It could not be sent.
    Unreachable,
}

/// Whether a CANCEL has overtaken its INVITE. After a crash it cannot wait for a provisional (RFC 3261 §9.1), for nobody
/// knows whether one has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overtaken {
    No,
    /// It was answered with 481: the far end knew no such INVITE. That may have come since, and have made a phone ring.
    Perhaps,
    /// Another one was sent long after.
    NotAgain,
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
        self.timers.stop(Timer::NoAnswer);
        match self.record.phase {
            // Nothing is under way, and now nothing will be.
            Phase::Placing => return self.finish(EndCause::Wished(wish), true),
            Phase::Calling { trying: false } => self.hold_cancel(now),
            Phase::Calling { trying: true } | Phase::Early => self.send_cancel(now),
            // The ACK waits for the disk; the BYE follows it.
            Phase::Answered => {}
            Phase::Confirmed => self.send_bye(now),
            // A call that is being ended or has ended already carries its wish.
            Phase::Cancelling { .. } | Phase::Terminating | Phase::Ended(_) => {}
        }
        self.save(Save::Wish);
    }

    /// Without a provisional a CANCEL must wait (RFC 3261 §9.1), but not longer than the INVITE can.
    fn hold_cancel(&mut self, now: Moment) {
        self.record.phase = Phase::Cancelling { sent: false };
        self.timers.set(Timer::GiveUp, now + self.around.limits.patience());
    }

    /// Ends what an earlier process left. Its phase is the one that was saved last; the call itself may have gone on.
    pub(super) fn end_leftover(&mut self, now: Moment) {
        // What was sent after the last save has used a few numbers; gaps are legal (RFC 3261 §12.2.1.1).
        self.record.dialog.local_cseq = self.record.dialog.local_cseq.saturating_add(LEFTOVER_CSEQS);
        match self.record.phase {
            // Only phones of other forks are left.
            Phase::Ended(_) => return self.end_left_forks(now),
            // Whether a provisional had come nobody knows: a phone may ring, so the CANCEL does not wait.
            Phase::Placing | Phase::Calling { .. } | Phase::Early | Phase::Cancelling { .. } => {
                let invite = self.invite();
                self.outputs.push_back(Output::Resume(invite));
                self.send_cancel(now);
            }
            // The ACK may not have left; a second one does no harm (RFC 3261 §13.3.1.4).
            Phase::Answered | Phase::Confirmed | Phase::Terminating => {
                self.acknowledge();
                self.send_bye(now);
            }
        }
        self.end_left_forks(now);
        self.record.wish.get_or_insert(Wish::Drain);
        self.save(Save::Wish);
    }

    pub(super) fn send_cancel(&mut self, now: Moment) {
        self.record.phase = Phase::Cancelling { sent: true };
        // The 487 must come within 64·T1, else the INVITE is given up (RFC 3261 §9.1).
        self.timers.set(Timer::GiveUp, now + self.around.limits.patience());
        let cancel = self.cancel();
        self.send(cancel);
    }

    /// The last CANCEL did not leave; the way may be there again.
    pub(super) fn cancel_again(&mut self) {
        if self.record.phase == (Phase::Cancelling { sent: true }) {
            let cancel = self.cancel();
            self.send(cancel);
        }
    }

    fn cancel(&self) -> Outgoing {
        let record = &self.record;
        let cseq = CSeq {
            number: record.invite_cseq,
            method: Method::Cancel,
        };
        Outgoing {
            tx: Tx {
                branch: self.invite_tx().branch,
                method: Method::Cancel,
            },
            destination: record.destination.clone(),
            path: record.path,
            text: record.dialog.print(&cseq, &record.invite_via, &[], None),
        }
    }

    /// The INVITE has no final response, and will have none.
    pub(super) fn give_up_invite(&mut self, now: Moment) {
        if self.record.phase == (Phase::Cancelling { sent: false }) {
            // Not one response came. The CANCEL that was held leaves all the same: if only the way back is broken, it
            // stops a phone that rings.
            self.has_said_nothing();
            self.send_cancel(now);
        } else if self.overtaken == Overtaken::Perhaps {
            // Only now: until its own transaction is over over there, a CANCEL would be answered 481 again.
            self.overtaken = Overtaken::NotAgain;
            self.send_cancel(now);
        } else if self.awaits_answer() {
            let tx = self.invite_tx();
            self.outputs.push_back(Output::Stop(tx));
            // Every CANCEL has a wish behind it, which is the cause that `finish` names.
            self.finish(EndCause::Wished(Wish::TimedOut), false);
        }
    }

    /// Who has never said a word has not let anything ring too long.
    fn has_said_nothing(&mut self) {
        if self.record.wish == Some(Wish::NoAnswer) {
            self.record.wish = Some(Wish::TimedOut);
        }
    }

    /// A response to a request of this call, other than a 2xx to the INVITE.
    pub fn handle_response(&mut self, response: &Response, now: Moment) {
        match response.cseq.method {
            Method::Invite => self.handle_invite_response(response, now),
            Method::Update => self.handle_refresh_response(response, now),
            Method::Bye => self.handle_bye_response(response, now),
            // Whatever CANCEL is answered with, the INVITE's own final response decides (RFC 3261 §9.1).
            Method::Cancel => {
                if response.status == 481 && self.overtaken == Overtaken::No {
                    self.overtaken = Overtaken::Perhaps;
                    // It was there after all, and until the INVITE is given up another one would be answered alike.
                    self.timers.stop(Timer::AnotherCancel);
                }
            }
            Method::Ack | Method::Options | Method::Register | Method::Info | Method::Notify | Method::Other(_) => {}
        }
    }

    /// A request of this call will never be answered.
    pub fn handle_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        match tx.method {
            Method::Invite => self.handle_invite_silence(tx, silence, now),
            Method::Update => self.handle_refresh_silence(tx, silence, now),
            Method::Bye => self.handle_bye_silence(tx, now),
            Method::Cancel => self.handle_cancel_silence(silence, now),
            Method::Ack | Method::Options | Method::Register | Method::Info | Method::Notify | Method::Other(_) => {}
        }
    }

    fn handle_invite_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        if *tx != self.invite_tx() {
            return self.handle_refresh_silence(tx, silence, now);
        }
        if !self.awaits_answer() {
            return;
        }
        match (silence, &self.record.phase) {
            // Not one response came. If only the way back is broken, a phone rings: it is told by a CANCEL all the same, and
            // what that is answered with is still listened to.
            (Silence::TimedOut, Phase::Calling { trying: false } | Phase::Cancelling { sent: false }) => {
                let invite = self.invite();
                self.outputs.push_back(Output::Resume(invite));
                self.send_cancel(now);
                self.has_said_nothing();
                self.wish(Wish::TimedOut, now);
            }
            // It never left.
            (Silence::Unreachable, Phase::Calling { trying: false } | Phase::Cancelling { sent: false }) => {
                self.finish(EndCause::Unreachable, true);
            }
            // CANCEL is on its way; see `Timer::GiveUp`.
            (_, Phase::Cancelling { sent: true }) => {}
            // The INVITE had arrived, so a phone may ring: it must not ring on because we lost our transaction.
            (_, Phase::Calling { trying: true } | Phase::Early) => self.wish(Wish::NoAnswer, now),
            (_, Phase::Placing | Phase::Answered | Phase::Confirmed | Phase::Terminating | Phase::Ended(_)) => {}
        }
    }

    /// A CANCEL nobody answered changes nothing while the INVITE may still get its response; see [`Timer::GiveUp`]. One that
    /// could not be sent is tried again until then.
    fn handle_cancel_silence(&mut self, silence: Silence, now: Moment) {
        let is_sent = self.record.phase == (Phase::Cancelling { sent: true });
        if silence == Silence::Unreachable && is_sent && self.overtaken != Overtaken::Perhaps {
            self.timers.set(Timer::AnotherCancel, now + self.around.limits.t1 * 8);
        }
    }
}
