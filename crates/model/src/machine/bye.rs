//! What ends a phone that was answered: its BYE, until it is confirmed or given up; and other forks, which get nothing else.

use super::Machine;
use crate::{
    Fault,
    event::{Output, Save},
    record::{Phase, Phone},
};

/// How many BYEs in a row meet silence before the call is given up as unconfirmed.
const SILENT_BYES: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bye {
    pub(super) number: u16,
    /// How many before it met silence.
    pub(super) silent: u8,
    /// Whether it has failed, and another one is to follow.
    pub(super) failed: bool,
}

impl Bye {
    pub(super) fn new(number: u16) -> Self {
        Self {
            number,
            silent: 0,
            failed: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ForkState {
    Unsaved,
    Ending(Bye),
    Over,
}

/// A phone that has answered beside the call's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fork {
    pub(super) number: u16,
    pub(super) state: ForkState,
}

/// What came of a BYE.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Confirmed,
    Refused,
    Silent,
}

impl Machine {
    /// The number of the BYE to this phone that waits for its answer; `failed`: of one that another is to follow.
    #[must_use]
    pub fn bye(&self, phone: Phone, failed: bool) -> Option<u16> {
        let own = self.bye.filter(|_| self.own == Some(phone));
        let fork = self.forks[phone as usize].and_then(|fork| match fork.state {
            ForkState::Ending(bye) => Some(bye),
            ForkState::Unsaved | ForkState::Over => None,
        });
        own.or(fork).filter(|bye| bye.failed == failed).map(|bye| bye.number)
    }

    pub(super) fn send_bye(&mut self, out: &mut Vec<Output>) {
        let Some(phone) = self.own else { return };
        self.phase = Phase::Terminating;
        if self.fault == Some(Fault::NoBye) {
            return;
        }
        self.number += 1;
        self.bye = Some(Bye::new(self.number));
        out.push(Output::Bye(phone, self.number));
    }

    pub(super) fn fork_saved(&mut self, phone: Phone, out: &mut Vec<Output>) {
        if self.forks[phone as usize].is_some_and(|fork| fork.state == ForkState::Unsaved) {
            self.end_fork(phone, out);
        }
    }

    pub(super) fn end_left_forks(&mut self, out: &mut Vec<Output>) {
        for phone in Phone::ALL {
            if self.forks[phone as usize].is_some() {
                self.end_fork(phone, out);
            }
        }
    }

    pub(super) fn end_fork(&mut self, phone: Phone, out: &mut Vec<Output>) {
        let Some(fork) = &mut self.forks[phone as usize] else {
            return;
        };
        out.push(Output::Ack(phone));
        if self.fault == Some(Fault::NoForkBye) {
            fork.state = ForkState::Over;
            return;
        }
        fork.number += 1;
        fork.state = ForkState::Ending(Bye::new(fork.number));
        out.push(Output::Bye(phone, fork.number));
    }

    /// The BYE to this phone that is not over, in the dialog that it belongs to.
    pub(super) fn bye_mut(&mut self, phone: Phone) -> Option<(&mut Bye, &mut u16)> {
        if self.own == Some(phone) {
            return self.bye.as_mut().map(|bye| (bye, &mut self.number));
        }
        match self.forks[phone as usize].as_mut()? {
            Fork {
                state: ForkState::Ending(bye),
                number,
            } => Some((bye, number)),
            Fork { .. } => None,
        }
    }

    pub(super) fn follow_bye(&mut self, phone: Phone, number: Option<u16>, fate: Fate, out: &mut Vec<Output>) {
        let fault = self.fault;
        let Some((bye, _)) = self.bye_mut(phone) else { return };
        if number.is_some_and(|number| number != bye.number) {
            return;
        }
        if fate == Fate::Silent {
            bye.silent += 1;
        }
        if fate == Fate::Confirmed || (fate == Fate::Refused && fault == Some(Fault::RefusedIsConfirmed)) {
            self.bye_over(phone, true, out);
        } else if bye.silent == SILENT_BYES || fault == Some(Fault::OneByeOnly) {
            self.bye_over(phone, false, out);
        } else {
            bye.failed = true;
        }
    }

    pub(super) fn another_bye(&mut self, phone: Phone, out: &mut Vec<Output>) {
        let Some((bye, number)) = self.bye_mut(phone).filter(|(bye, _)| bye.failed) else {
            return;
        };
        *number += 1;
        (bye.number, bye.failed) = (*number, false);
        out.push(Output::Bye(phone, bye.number));
    }

    pub(super) fn bye_over(&mut self, phone: Phone, confirmed: bool, out: &mut Vec<Output>) {
        if self.own == Some(phone) {
            return self.finish(confirmed, out);
        }
        if let Some(fork) = &mut self.forks[phone as usize] {
            fork.state = ForkState::Over;
            self.fork_given_up |= !confirmed;
            self.close(out);
        }
    }

    pub(super) fn phone_bye(&mut self, phone: Phone, out: &mut Vec<Output>) {
        if let Some(fork) = &mut self.forks[phone as usize] {
            if fork.state == ForkState::Unsaved {
                out.push(Output::Ack(phone));
            }
            if fork.state != ForkState::Over {
                fork.state = ForkState::Over;
                self.close(out);
            }
        } else if self.own == Some(phone) {
            match self.phase {
                Phase::Answered => {
                    out.push(Output::Ack(phone));
                    self.finish(true, out);
                }
                Phase::Confirmed | Phase::Terminating => self.finish(true, out),
                _ => {}
            }
        }
    }

    pub(super) fn fork(&mut self, phone: Phone, out: &mut Vec<Output>) {
        if let Some(fork) = self.forks[phone as usize] {
            if fork.state != ForkState::Unsaved {
                out.push(Output::Ack(phone));
            }
            return;
        }
        if self.fault == Some(Fault::LateAnswerIgnored) && self.has_ended() {
            return;
        }
        self.forks[phone as usize] = Some(Fork {
            number: self.number,
            state: ForkState::Unsaved,
        });
        if self.fault == Some(Fault::ForkAckBeforeRecord) {
            out.push(Output::Ack(phone));
        }
        out.push(Output::Save(Save::Fork(phone)));
    }

    /// Closes the record of a call that has ended already, once no other phone is left to be hung up.
    pub(super) fn close(&mut self, out: &mut Vec<Output>) {
        let is_over = self.forks_over();
        let Phase::Ended { confirmed } = &mut self.phase else {
            return;
        };
        *confirmed &= !self.fork_given_up;
        if is_over {
            out.push(Output::Save(Save::End));
        }
    }

    pub(super) fn forks_over(&self) -> bool {
        self.forks.iter().flatten().all(|fork| fork.state == ForkState::Over)
    }
}
