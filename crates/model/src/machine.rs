//! One call's machine: what `crates/call` is, without bytes and without time.
//!
//! Written from `docs/call-phases.md`. `tests/as_the_call_does.rs` holds it against the real one, input by input. `bye` has what ends a phone
//! that was answered, the call's own or another's.

mod bye;

use crate::{
    Fault,
    event::{Input, Output, Save},
    record::{Phase, Phone, Record},
};
use bye::{Bye, Fate, Fork, ForkState};

/// CSeq numbers that an earlier process may have used after its last record.
const CSEQS_OF_A_PROCESS: u16 = 100;
/// The same of one whose record is gone.
const STRAY_CSEQS: u16 = 10 * CSEQS_OF_A_PROCESS;
/// Whether a CANCEL has overtaken its INVITE, as it can after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Overtaken {
    No,
    Perhaps,
    NotAgain,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    phase: Phase,
    wish: bool,
    own: Option<Phone>,
    number: u16,
    bye: Option<Bye>,
    forks: [Option<Fork>; 2],
    fork_given_up: bool,
    overtaken: Overtaken,
    fault: Option<Fault>,
}

impl Machine {
    #[must_use]
    pub fn place(fault: Option<Fault>) -> (Self, Vec<Output>) {
        let mut machine = Self::with(Phase::Placing, 1, fault);
        let mut outputs = vec![Output::Save(Save::Intent)];
        if fault == Some(Fault::InviteBeforeIntent) {
            machine.phase = Phase::Calling;
            outputs.insert(0, Output::Invite);
        }
        (machine, outputs)
    }

    /// Takes up what an earlier process left, to end it.
    #[must_use]
    pub fn take_up(record: &Record, fault: Option<Fault>) -> (Self, Vec<Output>) {
        let further = if fault == Some(Fault::NumbersUsedAgain) {
            0
        } else {
            CSEQS_OF_A_PROCESS
        };
        let mut machine = Self::with(record.phase, record.number + further, fault);
        (machine.wish, machine.own) = (record.wish, record.own);
        machine.forks = record.forks.map(|number| {
            number.map(|number| Fork {
                number: number + further,
                state: ForkState::Unsaved,
            })
        });
        let mut outputs = Vec::new();
        match machine.phase {
            Phase::Ended { .. } => {
                machine.end_left_forks(&mut outputs);
                return (machine, outputs);
            }
            Phase::Placing | Phase::Calling | Phase::Early | Phase::Cancelling { .. } => {
                outputs.push(Output::Resume);
                machine.send_cancel(&mut outputs);
            }
            Phase::Answered | Phase::Confirmed | Phase::Terminating => {
                outputs.extend(machine.own.map(Output::Ack));
                machine.send_bye(&mut outputs);
            }
        }
        machine.end_left_forks(&mut outputs);
        machine.wish = true;
        outputs.push(Output::Save(Save::Wish));
        (machine, outputs)
    }

    /// A call that nobody remembers, made from its answer.
    #[must_use]
    pub fn stray(phone: Phone, fault: Option<Fault>) -> (Self, Vec<Output>) {
        let mut machine = Self::with(Phase::Answered, 1 + STRAY_CSEQS, fault);
        (machine.wish, machine.own) = (true, Some(phone));
        (machine, vec![Output::Save(Save::Answer)])
    }

    fn with(phase: Phase, number: u16, fault: Option<Fault>) -> Self {
        Self {
            phase,
            wish: false,
            own: None,
            number,
            bye: None,
            forks: [None; 2],
            fork_given_up: false,
            overtaken: Overtaken::No,
            fault,
        }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    #[must_use]
    pub fn has_wish(&self) -> bool {
        self.wish
    }

    /// The phone whose answer is the call.
    #[must_use]
    pub fn own(&self) -> Option<Phone> {
        self.own
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// The same with each phone in the other's place.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let [a, b] = self.forks;
        Self {
            own: self.own.map(Phone::other),
            forks: [b, a],
            ..self.clone()
        }
    }

    /// Whether nothing is left to be done, also for other forks.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.has_ended() && self.forks_over()
    }

    /// What is written when a save is wanted.
    #[must_use]
    pub fn record(&self) -> Record {
        let left = |fork: &Fork| (fork.state != ForkState::Over).then_some(fork.number);
        let is_forgotten = self.fault == Some(Fault::ForkNotRecorded);
        Record {
            phase: self.phase,
            wish: self.wish,
            own: self.own,
            number: self.number,
            forks: self
                .forks
                .map(|fork| fork.as_ref().and_then(left).filter(|_| !is_forgotten)),
        }
    }

    /// Takes one input, and says what is to be done, in order.
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::HangUp => self.wish(&mut out),
            Input::Saved(Save::Intent) => self.intent_saved(&mut out),
            Input::NotSaved(Save::Intent) => {
                if self.phase == Phase::Placing {
                    self.finish(true, &mut out);
                }
            }
            Input::Saved(Save::Answer) => self.answer_saved(&mut out),
            Input::NotSaved(Save::Answer) => {
                if self.phase == Phase::Answered {
                    self.wish(&mut out);
                    self.answer_saved(&mut out);
                }
            }
            Input::Saved(Save::Fork(phone)) | Input::NotSaved(Save::Fork(phone)) => self.fork_saved(phone, &mut out),
            Input::Saved(Save::Wish | Save::End) | Input::NotSaved(Save::Wish | Save::End) => {}
            Input::Ringing => self.ringing(&mut out),
            Input::Refused => {
                if self.awaits_answer() {
                    self.finish(true, &mut out);
                }
            }
            Input::Answer(phone) => self.answer(phone, &mut out),
            Input::InviteTimesOut => self.invite_times_out(&mut out),
            Input::NobodyThere => self.nobody_is_there(&mut out),
            Input::InviteUnreachable => {
                if matches!(self.phase, Phase::Calling | Phase::Cancelling { sent: false }) {
                    self.finish(true, &mut out);
                } else if self.phase == Phase::Early {
                    self.wish(&mut out);
                }
            }
            Input::NothingToCancel => {
                if self.overtaken == Overtaken::No {
                    self.overtaken = Overtaken::Perhaps;
                }
            }
            Input::GiveUp => self.give_up(&mut out),
            Input::ByeDone(phone, number) => self.follow_bye(phone, Some(number), Fate::Confirmed, &mut out),
            Input::ByeRefused(phone, number) => self.follow_bye(phone, Some(number), Fate::Refused, &mut out),
            Input::ByeTimesOut(phone) => self.follow_bye(phone, None, Fate::Silent, &mut out),
            Input::AnotherBye(phone) => self.another_bye(phone, &mut out),
            Input::PhoneBye(phone) => self.phone_bye(phone, &mut out),
        }
        out
    }

    fn awaits_answer(&self) -> bool {
        matches!(self.phase, Phase::Calling | Phase::Early | Phase::Cancelling { .. })
    }

    fn wish(&mut self, out: &mut Vec<Output>) {
        if self.wish || self.has_ended() {
            return;
        }
        self.wish = true;
        match self.phase {
            Phase::Placing => return self.finish(true, out),
            Phase::Calling => self.phase = Phase::Cancelling { sent: false },
            Phase::Early => self.send_cancel(out),
            Phase::Confirmed => self.send_bye(out),
            Phase::Cancelling { .. } | Phase::Answered | Phase::Terminating | Phase::Ended { .. } => {}
        }
        out.push(Output::Save(Save::Wish));
    }

    fn intent_saved(&mut self, out: &mut Vec<Output>) {
        if self.phase == Phase::Placing || (self.fault == Some(Fault::InviteAfterHangUp) && self.own.is_none()) {
            self.phase = Phase::Calling;
            out.push(Output::Invite);
        }
    }

    fn ringing(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Calling => self.phase = Phase::Early,
            Phase::Cancelling { sent: false } if self.fault != Some(Fault::HeldCancelForgotten) => {
                self.send_cancel(out)
            }
            _ => {}
        }
    }

    fn send_cancel(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Cancelling { sent: true };
        if self.fault != Some(Fault::NoCancel) {
            out.push(Output::Cancel);
        }
    }

    fn invite_times_out(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Calling | Phase::Cancelling { sent: false } => {
                out.push(Output::Resume);
                self.send_cancel(out);
                self.wish(out);
            }
            Phase::Early => self.wish(out),
            _ => {}
        }
    }

    fn nobody_is_there(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Calling | Phase::Cancelling { sent: false } => {
                if self.fault != Some(Fault::NobodyIsTold) {
                    out.push(Output::Cancel);
                }
                self.finish(false, out);
            }
            Phase::Early => self.wish(out),
            _ => {}
        }
    }

    fn give_up(&mut self, out: &mut Vec<Output>) {
        if self.phase == (Phase::Cancelling { sent: false }) {
            self.send_cancel(out);
        } else if self.overtaken == Overtaken::Perhaps && self.fault != Some(Fault::OvertakenNotAgain) {
            self.overtaken = Overtaken::NotAgain;
            self.send_cancel(out);
        } else if self.awaits_answer() {
            out.push(Output::Stop);
            self.finish(false, out);
        }
    }

    fn answer(&mut self, phone: Phone, out: &mut Vec<Output>) {
        if self.awaits_answer() {
            self.own = Some(phone);
            self.phase = Phase::Answered;
            if self.fault == Some(Fault::AckBeforeAnswer) {
                out.push(Output::Ack(phone));
            }
            return out.push(Output::Save(Save::Answer));
        }
        if self.own != Some(phone) {
            return self.fork(phone, out);
        }
        if self.phase != Phase::Answered && self.fault != Some(Fault::OneAckOnly) {
            out.push(Output::Ack(phone));
        }
    }

    fn answer_saved(&mut self, out: &mut Vec<Output>) {
        if self.phase != Phase::Answered {
            return;
        }
        out.extend(self.own.map(Output::Ack));
        if self.wish && self.fault != Some(Fault::CrossingAnswerKept) {
            return self.send_bye(out);
        }
        self.phase = Phase::Confirmed;
    }

    fn finish(&mut self, confirmed: bool, out: &mut Vec<Output>) {
        if self.has_ended() {
            return;
        }
        self.bye = None;
        self.phase = Phase::Ended {
            confirmed: confirmed && !self.fork_given_up,
        };
        let is_over = self.forks_over() || self.fault == Some(Fault::ClosedBesideFork);
        out.push(Output::Save(if is_over { Save::End } else { Save::Wish }));
    }
}
