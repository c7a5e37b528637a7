//! The ways out: the wish to end in every phase, CANCEL, silence, and what an earlier process has left. What follows an answer
//! is in `bye`.

use sabotage::Fault;
use sip::{CSeq, Method, Moment, Outgoing, Tx};

use super::{
    Call,
    state::{Cancel, State},
};
use crate::{
    output::{Event, Output, Save},
    placement::Surroundings,
    record::{EndCause, Phase, Record, Wish},
    timer::Timer,
};

/// `CSeq` numbers that are left to a process in a dialog after the last record of it: a BYE is tried for at most four transactions' lengths (128 s),
/// every 4 s, and may be challenged twice each time. A far end that challenges more has seen higher ones, and answers 500 until it is passed.
pub(super) const CSEQS_OF_A_PROCESS: u32 = 100;

/// Why no answer to a request will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Timer B or F ran out (RFC 3261 App. A).
    TimedOut,
    /// The same, and all the while nothing else has come from there either, though it was asked for.
    NobodyThere,
    /// It could not be sent.
    Unreachable,
    /// It was sent, and the connection is gone on which it was.
    ConnectionLost,
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
        if !self.take_wish(wish) {
            return;
        }
        match self.state {
            // Nothing is under way, and now nothing will be.
            State::Placing => return self.finish(EndCause::Wished(wish), true),
            State::Calling { trying: false } if !self.is_sabotaged(Fault::EarlyCancel) => self.hold_cancel(now),
            State::Calling { .. } | State::Early => self.send_cancel(Cancel::Sent, now),
            State::Answered(_) if self.is_sabotaged(Fault::EarlyBye) => self.send_bye(now),
            // The ACK waits for the disk; the BYE follows it.
            State::Answered(_) => {}
            State::Confirmed(_) => self.send_bye(now),
            // A call that is being ended or has ended already carries its wish.
            State::Cancelling(_) | State::Terminating { .. } | State::Ended { .. } => {}
        }
        self.save(Save::Wish);
    }

    /// Ends a call whose ACK has just left.
    pub(super) fn end_answered(&mut self, wish: Wish, now: Moment) {
        if self.take_wish(wish) {
            self.send_bye(now);
            self.save(Save::Wish);
        }
    }

    /// False when there is one already, or nothing left to end.
    fn take_wish(&mut self, wish: Wish) -> bool {
        if self.is_unwanted() || self.end().is_some() {
            return false;
        }
        self.record.wish = Some(wish);
        self.timers.stop(Timer::NoAnswer);
        self.tell(Event::Ending(wish));
        true
    }

    /// Without a provisional a CANCEL must wait (RFC 3261 §9.1), but not longer than the INVITE can.
    fn hold_cancel(&mut self, now: Moment) {
        self.state = State::Cancelling(Cancel::Held);
        self.timers.set(Timer::GiveUp, now + self.around.limits.patience());
    }

    /// Takes up a call that an earlier process left behind, in order to end it: `record` is the last one saved, and so many `processes` there
    /// have been since the call was placed, this one among them. Each may have found the same record, and has numbers of its own.
    ///
    /// There is no second way to hang up: the same record prints the same CANCEL, ACK and BYE, and what comes back is
    /// handled as ever (promise 2). A call that has ended stays so.
    #[must_use]
    pub fn take_up(mut record: Record, processes: u32, around: Surroundings, now: Moment) -> Self {
        // What was sent after the last save has used some numbers; gaps are legal (RFC 3261 §12.2.1.1).
        let skipped = CSEQS_OF_A_PROCESS.saturating_mul(processes);
        record.dialog.local_cseq = record.dialog.local_cseq.saturating_add(skipped);
        for fork in &mut record.forks {
            fork.dialog.local_cseq = fork.dialog.local_cseq.saturating_add(skipped);
        }
        if let (true, Some(tag)) = (around.sabotage.is(Fault::TagsSwapped), &mut record.dialog.remote_tag) {
            std::mem::swap(&mut record.dialog.local_tag, tag);
        }
        let mut call = Self::with(record, State::Placing, around);
        // The phase is the one that was saved last; the call itself may have gone on.
        match call.record.phase.clone() {
            // Only phones of other forks are left, or not even those.
            Phase::Ended(end) => {
                call.tell(Event::Ended(end.clone()));
                call.state = State::Ended { end, refusal: None };
                call.end_left_forks(now);
                call.close();
                return call;
            }
            // Whether a provisional had come nobody knows: a phone may ring, so the CANCEL does not wait.
            Phase::Placing | Phase::Calling { .. } | Phase::Early | Phase::Cancelling { .. } => {
                call.resume_invite();
                call.send_cancel(Cancel::Sent, now);
            }
            // The ACK may not have left; a second one does no harm (RFC 3261 §13.3.1.4).
            Phase::Answered | Phase::Confirmed | Phase::Terminating => {
                call.acknowledge();
                call.send_bye(now);
                if call.is_sabotaged(Fault::LeftoverEndedTwice) {
                    call.send_bye(now);
                }
            }
        }
        call.end_left_forks(now);
        call.record.wish.get_or_insert(Wish::Drain);
        call.save(Save::Wish);
        call
    }

    pub(super) fn send_cancel(&mut self, cancel: Cancel, now: Moment) {
        self.state = State::Cancelling(cancel);
        // The 487 must come within 64·T1, else the INVITE is given up (RFC 3261 §9.1).
        if !self.is_sabotaged(Fault::GiveUpNever) {
            self.timers.set(Timer::GiveUp, now + self.around.limits.patience());
        }
        let cancel = self.cancel();
        if !self.is_sabotaged(Fault::NoCancel) {
            self.send(cancel);
        }
    }

    /// The last CANCEL did not leave; the way may be there again.
    pub(super) fn cancel_again(&mut self) {
        if let State::Cancelling(Cancel::Sent | Cancel::SentAgain) = self.state {
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
            path: record.path.filter(|_| !self.is_sabotaged(Fault::CancelElsewhere)),
            bytes: record.dialog.print(&cseq, &record.invite_via, &[], None),
        }
    }

    /// What comes back to the INVITE is still listened to, though its transaction is over here, or was another process's.
    fn resume_invite(&mut self) {
        let invite = self.invite();
        self.outputs.push_back(Output::Resume(invite));
    }

    /// The INVITE has no final response, and will have none.
    pub(super) fn give_up_invite(&mut self, now: Moment) {
        match self.state {
            // Not one response came. The CANCEL that was held leaves all the same: if only the way back is broken, it
            // stops a phone that rings.
            State::Cancelling(Cancel::Held) => {
                self.has_said_nothing();
                self.send_cancel(Cancel::Sent, now);
            }
            // Only now: until its own transaction is over over there, a CANCEL would be answered 481 again.
            State::Cancelling(Cancel::Overtaken) => self.send_cancel(Cancel::SentAgain, now),
            State::Calling { .. } | State::Early | State::Cancelling(Cancel::Sent | Cancel::SentAgain) => {
                // Its phone may have heard none of them: the last one has its chance, though nothing is waited for.
                if self.timers.due(Timer::AnotherCancel).is_some() {
                    self.cancel_again();
                }
                let tx = self.invite_tx();
                self.outputs.push_back(Output::Stop(tx));
                // Every CANCEL has a wish behind it, which is the cause that `finish` names.
                self.finish(EndCause::Wished(Wish::TimedOut), false);
            }
            State::Placing
            | State::Answered(_)
            | State::Confirmed(_)
            | State::Terminating { .. }
            | State::Ended { .. } => {}
        }
    }

    /// Who has never said a word has not let anything ring too long.
    fn has_said_nothing(&mut self) {
        if self.record.wish == Some(Wish::NoAnswer) {
            self.record.wish = Some(Wish::TimedOut);
        }
    }

    pub(super) fn handle_cancel_response(&mut self, status: u16) {
        if self.is_sabotaged(Fault::CancelIsTheEnd) && status == 200 && self.awaits_answer() {
            return self.finish(EndCause::Wished(Wish::Hangup), true);
        }
        if let (481, State::Cancelling(cancel @ Cancel::Sent)) = (status, &mut self.state) {
            *cancel = Cancel::Overtaken;
            // It was there after all, and until the INVITE is given up another one would be answered alike.
            self.timers.stop(Timer::AnotherCancel);
        }
    }

    /// A request of this call will never be answered.
    pub fn handle_silence(&mut self, tx: &Tx, silence: Silence, now: Moment) {
        match tx.method {
            Method::Invite if *tx == self.invite_tx() => self.handle_invite_silence(silence, now),
            Method::Invite | Method::Update => self.handle_refresh_silence(tx, silence, now),
            Method::Bye => self.handle_bye_silence(tx, silence, now),
            Method::Cancel => self.handle_cancel_silence(silence, now),
            Method::Ack => self.handle_ack_silence(tx),
            Method::Options | Method::Register | Method::Info | Method::Notify | Method::Other(_) => {}
        }
    }

    fn handle_invite_silence(&mut self, silence: Silence, now: Moment) {
        match self.state {
            State::Calling { trying: false } | State::Cancelling(Cancel::Held) => match silence {
                // Not one response came. If only the way back is broken, a phone rings: it is told by a CANCEL all the same,
                // and what that is answered with is still listened to.
                Silence::TimedOut | Silence::ConnectionLost => {
                    self.resume_invite();
                    self.send_cancel(Cancel::Sent, now);
                    self.has_said_nothing();
                    self.wish(Wish::TimedOut, now);
                }
                // The same may be true of a trunk that is silent altogether: nothing is waited for, but the CANCEL leaves.
                Silence::NobodyThere => {
                    self.has_said_nothing();
                    let cancel = self.cancel();
                    self.send(cancel);
                    self.finish(EndCause::Wished(Wish::TimedOut), false);
                }
                // It never left.
                Silence::Unreachable => self.finish(EndCause::Unreachable, true),
            },
            // The INVITE had arrived, so a phone may ring: it must not ring on because we lost our transaction.
            State::Calling { trying: true } | State::Early => {
                self.resume_lost(silence);
                self.wish(Wish::NoAnswer, now);
            }
            // CANCEL is on its way; see `Timer::GiveUp`.
            State::Cancelling(Cancel::Sent | Cancel::Overtaken | Cancel::SentAgain) => self.resume_lost(silence),
            State::Placing
            | State::Answered(_)
            | State::Confirmed(_)
            | State::Terminating { .. }
            | State::Ended { .. } => {}
        }
    }

    /// Its final response may come another way.
    fn resume_lost(&mut self, silence: Silence) {
        if silence == Silence::ConnectionLost {
            self.resume_invite();
        }
    }

    /// A CANCEL nobody answered changes nothing while the INVITE may still get its response; see [`Timer::GiveUp`]. One that
    /// could not be sent is tried again until then.
    fn handle_cancel_silence(&mut self, silence: Silence, now: Moment) {
        let is_lost = matches!(silence, Silence::Unreachable | Silence::ConnectionLost)
            && !self.is_sabotaged(Fault::OneCancelOnly);
        if let (true, State::Cancelling(Cancel::Sent | Cancel::SentAgain)) = (is_lost, &self.state) {
            self.timers.set(Timer::AnotherCancel, now + self.around.limits.t1 * 8);
        }
    }
}
