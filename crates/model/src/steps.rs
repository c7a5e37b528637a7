//! What may happen next. Some of it must, sooner or later: the server's own work, what the network delivers, and timers. When none of that is
//! left, the world is at rest. The rest may happen or not: what people do, and what goes wrong, each within its budget.
//!
//! There is no clock. In its place stand three assumptions: what is on its way arrives, or is lost, before a transaction's time is over; a request, or a
//! 2xx, that was lost is said again before that, too; and so a transaction runs out of time only in an outage.

use stateright::{Model, Property};

use crate::{
    event::Input,
    far_end::{Cancelled, Hook, Invited},
    message::Message,
    process::{Effect, Process, Window},
    record::Phone,
    state::{Request, State, World},
};

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    // The client's.
    Place,
    /// It closes its connection before it has the id of its call.
    Leave,
    HangUp,

    // The phones'.
    Answer(Phone),
    Refuse(Phone),
    PhoneHangsUp(Phone),
    StopsRinging(Phone),

    // The network's.
    Deliver(Message),
    /// And once more later.
    DeliverTwice(Message),
    /// A BYE, and it is refused.
    DeliverRefused(Message),
    Lose(Message),
    /// Nobody hears it: the server is down, or in an outage.
    Vanish(Message),
    OutageBegins,
    OutageEnds,

    // Said again, since it or its answer was lost.
    Again(Message),

    // The disk's.
    Written,
    WriteRefused,
    WriteLate,

    // Timers.
    InviteTimesOut,
    /// And the outage is a whole one: other calls hear nothing either.
    NobodyThere,
    GiveUp,
    ByeTimesOut(Phone),
    AnotherBye(Phone),
    WaitNoLonger,
    NextInWindow,
    WindowFull,

    // The process's.
    Die,
    Restart,
}

/// What happens, and whether the process dies of it after so many of the effects.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    pub step: Step,
    pub dies_after: Option<u8>,
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.step)?;
        self.dies_after
            .map_or(Ok(()), |after| write!(f, ", dies after {after} of its effects"))
    }
}

impl State {
    /// Does the step as far as it is not the process's, and says what the process then wants done.
    fn take(&mut self, step: Step, world: &World) -> Vec<Effect> {
        match step {
            Step::Place => self.placing = Request::Waits,
            Step::Leave => self.placing = Request::Left,
            Step::HangUp => {
                self.hanging_up = Request::Waits;
                self.left.hang_ups -= 1;
            }
            Step::Answer(phone) => self.far.answer(phone, &mut self.way),
            Step::Refuse(phone) => self.far.refuse(phone, &mut self.way),
            Step::PhoneHangsUp(phone) => {
                self.left.phone_byes -= 1;
                self.far.phones[phone as usize] = Hook::Down;
                self.way.insert(Message::PhoneBye(phone));
            }
            Step::StopsRinging(phone) => self.far.phones[phone as usize] = Hook::Down,
            Step::Deliver(message) | Step::DeliverRefused(message) | Step::DeliverTwice(message) => {
                return self.deliver(message, step);
            }
            Step::Lose(message) => {
                self.left.losses -= 1;
                self.way.remove(&message);
            }
            Step::Vanish(message) => {
                self.way.remove(&message);
            }
            Step::OutageBegins => {
                self.left.outages -= 1;
                self.deaf = true;
            }
            Step::OutageEnds => self.deaf = false,
            Step::Again(message) => {
                self.way.insert(message);
            }
            Step::WriteRefused => {
                self.left.refused_writes -= 1;
                self.left.deaths = 0;
                self.seen.write_refused = true;
            }
            Step::WriteLate => self.left.late_writes -= 1,
            // The transaction of the CANCEL is over, at both ends.
            Step::GiveUp => self.far.cancelled = Cancelled::No,
            Step::Die => self.die(),
            Step::Restart => {
                self.writes.clear();
                let (process, effects) = Process::restart(self.disk.as_ref(), world.fault);
                self.process = Some(process);
                return effects;
            }
            Step::Written
            | Step::InviteTimesOut
            | Step::NobodyThere
            | Step::ByeTimesOut(_)
            | Step::AnotherBye(_)
            | Step::WaitNoLonger
            | Step::NextInWindow
            | Step::WindowFull => {}
        }
        self.give(step)
    }

    fn deliver(&mut self, message: Message, step: Step) -> Vec<Effect> {
        match step {
            Step::DeliverTwice(_) => self.left.doubles -= 1,
            Step::DeliverRefused(_) => {
                self.left.refused_byes -= 1;
                self.way.remove(&message);
            }
            _ => {
                self.way.remove(&message);
            }
        }
        if message.is_ours() {
            let refuses = matches!(step, Step::DeliverRefused(_));
            self.far.receive(message, refuses, &mut self.way);
            return Vec::new();
        }
        if let (Message::Refused, Invited::Refused { heard, .. }) = (message, &mut self.far.invited) {
            *heard = true;
        }
        self.process
            .as_mut()
            .map(|process| process.receive(message))
            .unwrap_or_default()
    }

    /// Hands the process what has happened.
    fn give(&mut self, step: Step) -> Vec<Effect> {
        let saved = match step {
            Step::Written => self.write(),
            Step::WriteRefused => self.writes.pop_front().map(|(save, _)| save),
            _ => None,
        };
        let Some(process) = &mut self.process else {
            return Vec::new();
        };
        match (step, saved) {
            (Step::Written, Some(save)) => process.saved(save, true),
            (Step::WriteRefused, Some(save)) => process.saved(save, false),
            (Step::Place, _) => process.place(),
            (Step::Leave, _) => {
                process.abandon();
                Vec::new()
            }
            (Step::HangUp, _) => process.disconnect(),
            (Step::WriteLate, _) => process.disk_is_late(),
            (Step::WaitNoLonger, _) => process.wait_no_longer(),
            (Step::NextInWindow, _) => process.next_in_window(),
            (Step::WindowFull, _) => process.window_is_full(),
            (Step::InviteTimesOut, _) => process.invite_times_out(false),
            (Step::NobodyThere, _) => process.invite_times_out(true),
            (Step::GiveUp, _) => {
                process.cancelling = false;
                process.handle(Input::GiveUp)
            }
            (Step::ByeTimesOut(phone), _) => process.handle(Input::ByeTimesOut(phone)),
            (Step::AnotherBye(phone), _) => process.handle(Input::AnotherBye(phone)),
            _ => Vec::new(),
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    /// With and without another call's INVITE before ours; with a proxy that tells other phones to stop when one has answered, and
    /// one that does not.
    fn init_states(&self) -> Vec<State> {
        let proxies: &[bool] = if self.phones > 1 { &[true, false] } else { &[true] };
        let beginning =
            |stops_others: &bool| [Window::Free, Window::Another].map(|window| self.beginning(window, *stops_others));
        proxies.iter().flat_map(beginning).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut steps = Vec::new();
        state.due(&mut steps);
        state.possible(&mut steps);
        for step in steps {
            actions.push(Action { step, dies_after: None });
            let mut after = state.clone();
            let effects = after.take(step, self).len() as u8;
            if after.left.deaths == 0 {
                continue;
            }
            actions.extend((1..effects).map(|after| Action {
                step,
                dies_after: Some(after),
            }));
        }
    }

    fn next_state(&self, state: &State, Action { step, dies_after }: Action) -> Option<State> {
        let mut next = state.clone();
        let effects = next.take(step, self);
        match dies_after {
            None => next.perform(effects),
            Some(after) => {
                next.perform(effects.into_iter().take(after.into()));
                next.die();
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::promises::all()
    }
}
