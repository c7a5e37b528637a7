//! What must happen, sooner or later, and what may.

use crate::{
    budget::Budget,
    far_end::{Cancelled, Hook, Invited},
    machine::Machine,
    message::Message,
    process::{Answer, Process, Window},
    record::{Phase, Phone},
    state::{Request, State},
    steps::Step,
};

impl State {
    fn is_on_way(&self, is: impl Fn(&Message) -> bool) -> bool {
        self.way.iter().any(is)
    }

    /// Everything that must happen sooner or later, as far as it can happen now.
    pub fn due(&self, due: &mut Vec<Step>) {
        let hears = self.process.is_some() && !self.deaf;
        for message in &self.way {
            if message.is_ours() || hears {
                due.push(Step::Deliver(*message));
            } else {
                due.push(Step::Vanish(*message));
            }
        }
        for phone in Phone::ALL {
            if self.far.phones[phone as usize] == Hook::ToldToStop {
                due.push(Step::StopsRinging(phone));
            }
        }
        if self.deaf {
            due.push(Step::OutageEnds);
        }
        if !self.writes.is_empty() {
            due.push(Step::Written);
        }
        let Some(process) = &self.process else {
            return due.push(Step::Restart);
        };
        if process.waits_for_the_far_end() {
            due.push(Step::WaitNoLonger);
        }
        if process.window == Window::Another {
            due.push(Step::NextInWindow);
        }
        if process.is_held() {
            due.push(Step::WindowFull);
        }
        self.said_again(process, due);
        if let Some(machine) = process.machine() {
            self.timers(process, machine, due);
        }
    }

    /// Requests that have had no response, and finals that have had no ACK.
    fn said_again(&self, process: &Process, due: &mut Vec<Step>) {
        let is_there = |message| self.way.contains(&message);
        if self.invite_is_lost(process) {
            due.push(Step::Again(Message::Invite));
        }
        if self.cancel_is_lost(process) {
            due.push(Step::Again(Message::Cancel));
        }
        for phone in Phone::ALL {
            if let Some(number) = self.lost_bye(process, phone) {
                due.push(Step::Again(Message::Bye(phone, number)));
            }
            if !self.deaf
                && self.far.phones[phone as usize] == (Hook::Up { acked: false })
                && !is_there(Message::Answer(phone))
                && !is_there(Message::Ack(phone))
                && process.heeds(phone)
            {
                due.push(Step::Again(Message::Answer(phone)));
            }
        }
        if self.refusal_is_lost() {
            due.push(Step::Again(Message::Refused));
        }
    }

    fn invite_is_lost(&self, process: &Process) -> bool {
        let is_open = process
            .machine()
            .is_some_and(|machine| matches!(machine.phase(), Phase::Calling | Phase::Cancelling { sent: false }));
        let is_heard = match self.far.invited {
            Invited::No => false,
            Invited::Pending => self.deaf || process.provisional || self.way.contains(&Message::Ringing),
            Invited::Answered | Invited::Refused { .. } => true,
        };
        is_open && !process.is_held() && !is_heard && !self.way.contains(&Message::Invite)
    }

    fn cancel_is_lost(&self, process: &Process) -> bool {
        let is_on_way = self.is_on_way(|message| {
            matches!(
                message,
                Message::Cancel | Message::CancelDone | Message::NothingToCancel
            )
        });
        process.cancelling && !is_on_way && !(self.deaf && self.far.cancelled != Cancelled::No)
    }

    /// The number of the BYE to this phone that is lost, or whose response is.
    fn lost_bye(&self, process: &Process, phone: Phone) -> Option<u16> {
        let number = process.machine()?.bye(phone, false)?;
        let is_unheard = !self.deaf || !self.has_heard_bye(phone, number);
        (is_unheard && !self.bye_is_on_way(phone, number)).then_some(number)
    }

    fn bye_is_on_way(&self, phone: Phone, number: u16) -> bool {
        [
            Message::Bye(phone, number),
            Message::ByeDone(phone, number),
            Message::ByeRefused(phone, number),
        ]
        .iter()
        .any(|message| self.way.contains(message))
    }

    fn has_heard_bye(&self, phone: Phone, number: u16) -> bool {
        !self.far.phones[phone as usize].is_up() || self.far.refused_bye[phone as usize] == number
    }

    fn refusal_is_lost(&self) -> bool {
        let is_unheard = matches!(self.far.invited, Invited::Refused { heard: false, .. });
        is_unheard && !self.deaf && !self.way.contains(&Message::Refused)
    }

    fn timers(&self, process: &Process, machine: &Machine, due: &mut Vec<Step>) {
        match machine.phase() {
            Phase::Calling | Phase::Cancelling { sent: false } => {
                let is_silent = self.deaf
                    && !process.is_held()
                    && !self.way.contains(&Message::Invite)
                    && !self.invite_is_lost(process);
                if is_silent {
                    due.extend([Step::InviteTimesOut, Step::NobodyThere]);
                }
                if is_silent && machine.phase() != Phase::Calling {
                    due.push(Step::GiveUp);
                }
            }
            Phase::Cancelling { sent: true } => {
                let concerns = |message: &Message| !matches!(message, Message::Ack(_) | Message::Bye(..));
                let is_silent = !self.is_on_way(concerns)
                    && !self.cancel_is_lost(process)
                    && !self.refusal_is_lost()
                    && (self.deaf || !self.is_up_without_ack());
                if is_silent {
                    due.push(Step::GiveUp);
                }
            }
            _ => {}
        }
        for phone in Phone::ALL {
            if machine.bye(phone, true).is_some() {
                due.push(Step::AnotherBye(phone));
            }
            if let Some(number) = machine.bye(phone, false)
                && self.deaf
                && self.has_heard_bye(phone, number)
                && !self.bye_is_on_way(phone, number)
            {
                due.push(Step::ByeTimesOut(phone));
            }
        }
    }

    /// Whether a phone repeats its 2xx.
    fn is_up_without_ack(&self) -> bool {
        self.far.phones.contains(&Hook::Up { acked: false })
    }

    /// Everything else that may happen now.
    pub(crate) fn possible(&self, possible: &mut Vec<Step>) {
        let Budget {
            deaths,
            losses,
            doubles,
            outages,
            refused_byes,
            phone_byes,
            refused_writes,
            late_writes,
            hang_ups,
        } = self.left;
        let hears = self.process.is_some() && !self.deaf;
        for message in &self.way {
            let arrives = message.is_ours() || hears;
            if losses > 0 && arrives && !matches!(message, Message::PhoneBye(_)) {
                possible.push(Step::Lose(*message));
            }
            if doubles > 0 && arrives {
                possible.push(Step::DeliverTwice(*message));
            }
            if let Message::Bye(phone, _) = message
                && refused_byes > 0
                && self.far.phones[*phone as usize].is_up()
            {
                possible.push(Step::DeliverRefused(*message));
            }
        }
        for phone in Phone::ALL {
            match self.far.phones[phone as usize] {
                Hook::Ringing => possible.extend([Step::Answer(phone), Step::Refuse(phone)]),
                Hook::ToldToStop => possible.push(Step::Answer(phone)),
                Hook::Up { acked: true } if phone_byes > 0 => possible.push(Step::PhoneHangsUp(phone)),
                Hook::Up { .. } | Hook::Idle | Hook::Down => {}
            }
        }
        if outages > 0 && !self.deaf {
            possible.push(Step::OutageBegins);
        }
        let Some(process) = &self.process else { return };
        match self.placing {
            Request::NotMade => possible.push(Step::Place),
            Request::Waits => possible.push(Step::Leave),
            _ => {}
        }
        let has_id = matches!(self.placing, Request::Answered(Answer::Placed));
        if hang_ups > 0 && has_id && self.hanging_up != Request::Waits {
            possible.push(Step::HangUp);
        }
        if refused_writes > 0 && !self.writes.is_empty() {
            possible.push(Step::WriteRefused);
        }
        if late_writes > 0 && process.waits_for_the_disk() && !self.writes.is_empty() {
            possible.push(Step::WriteLate);
        }
        if deaths > 0 && self.placing != Request::NotMade {
            possible.push(Step::Die);
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let mut due = Vec::new();
        self.due(&mut due);
        due.is_empty()
    }
}
