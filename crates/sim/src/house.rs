//! Our side: the switch that ships, and a shell around it that moves what it wants moved, in its order; and the death and return of
//! the process.

mod clients;
mod disk;
mod hand_in;
pub(crate) mod node;
mod process;
mod put;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use call::Save;
use dial::WallTime;
use sip::{Moment, Path};
use switch::{
    Found, Load, Output, Switch,
    journal::{CallKey, Entry},
};

use crate::{
    message::{Message, Node},
    parts::Family,
    sabotage::ShellFault,
    scenario::Millis,
    watch::Heard,
    world::{Event, World},
};
use clients::Asked;
pub(crate) use clients::What;
use disk::Disk;

/// What the clock on the wall says when a run begins, in seconds.
const BEGINNING: u64 = 1_800_000_000;

/// One process after the other.
#[derive(Default)]
pub(crate) struct House {
    /// Nothing while the process is down, or in a turn.
    switch: Option<Switch>,
    pub(crate) up: bool,
    /// Counts processes: what an earlier one had ordered is not delivered to the next.
    pub(crate) incarnation: u32,
    pub(crate) disk: Disk,
    inbox: Vec<Input>,
    turn_is_due: bool,
    woken_for: Option<Millis>,
    /// How many outputs of each process were acted on, or were to be when it was killed.
    pub(crate) outputs: Vec<u64>,
    /// What the sound room plays, by its own numbers, and how many it has begun.
    sounds: BTreeMap<CallKey, u64>,
    begun: u64,
    /// Requests that wait for their answers.
    asked: BTreeMap<u64, Asked>,
    requests: u64,
    /// Which call a key is for.
    pub(crate) keys: BTreeMap<CallKey, usize>,
}

/// What has come in and not been handed over.
#[derive(Debug)]
pub(crate) enum Input {
    Message(Node, Rc<Message>),
    Place(usize),
    Leave(usize),
    NeverDelivered(CallKey),
    HangUp(usize),
    Written(Vec<(Entry, bool)>),
    Sounded(CallKey),
    LookedUp(String, Result<Vec<Found>, &'static str>),
    /// A trunk's answer to its own request; `granted` when it says that we are registered, and for how many seconds.
    OfTrunk {
        trunk: usize,
        path: Path,
        answer: Vec<u8>,
        granted: Option<u32>,
    },
    /// What is nobody's.
    Bytes(Path, Vec<u8>),
    /// What was sent to this trunk met nobody.
    Refused(usize, Vec<u8>),
    LeaveForGood,
    Connected(u64, Path),
    ConnectFailed(u64, String),
    Closed(Path),
    Leftovers,
}

/// A turn, in its order: what was handed in, and what that led to.
enum Step {
    Heard(Heard),
    Output(Output),
}

impl House {
    pub(crate) fn load(&self) -> Option<Load> {
        self.switch.as_ref().map(Switch::load)
    }
}

impl World {
    pub(crate) fn moment(&self) -> Moment {
        Moment::after_start(Duration::from_millis(self.now))
    }

    fn clock(&self) -> WallTime {
        let set = BEGINNING.saturating_add_signed(self.clock_set_by);
        WallTime::after_epoch(Duration::from_secs(set) + Duration::from_millis(self.now))
    }

    pub(crate) fn set_clock(&mut self, by: i64) {
        self.ladder
            .note(self.now, || format!("the clock on the wall is set by {by} s"));
        self.watch.tally.fault(Family::Clocks);
        self.clock_set_by += by;
    }

    // What comes in.

    pub(crate) fn house_hears(&mut self, from: Node, message: Rc<Message>) {
        self.hand_over(Input::Message(from, message));
    }

    pub(crate) fn sound_finished(&mut self, incarnation: u32, number: u64) {
        if incarnation != self.house.incarnation {
            return;
        }
        let key = self.house.sounds.iter().find(|(_, playing)| **playing == number);
        if let Some(key) = key.map(|(key, _)| *key) {
            self.house.sounds.remove(&key);
            self.hand_over(Input::Sounded(key));
        }
    }

    /// A turn follows: at once, or with what else comes until then.
    pub(crate) fn hand_over(&mut self, input: Input) {
        if !self.house.up {
            return;
        }
        self.house.inbox.push(input);
        match self.scenario.gathers {
            None => self.turn(),
            Some(wait) if !self.house.turn_is_due => {
                self.house.turn_is_due = true;
                self.after(wait, Event::Turn);
            }
            Some(_) => {}
        }
    }

    pub(crate) fn wake(&mut self) {
        if self.house.woken_for == Some(self.now) {
            self.house.woken_for = None;
        }
        if self.house.up && self.due().is_some_and(|due| due <= self.now) {
            self.turn();
        }
    }

    /// When the switch wants its next turn, in whole milliseconds.
    fn due(&self) -> Option<Millis> {
        let (due, _) = self.house.switch.as_ref()?.poll_timeout()?;
        Some(due.since_start().as_micros().div_ceil(1000) as Millis)
    }

    /// Why something may still happen.
    pub(crate) fn pending(&self) -> String {
        match &self.house.switch {
            Some(switch) => format!("{} calls hold a place, due: {:?}", switch.live(), switch.poll_timeout()),
            None => "the process is down".to_owned(),
        }
    }

    /// Whether no call is left, nobody waits for anything, and nothing is to be handed over.
    pub(crate) fn house_rests(&self) -> bool {
        let House {
            switch, inbox, asked, ..
        } = &self.house;
        let load = switch.as_ref().map(Switch::load);
        // A CANCEL may be out, or on its way, for a call that was given up.
        let is_empty = load.is_some_and(|load| {
            load.live + load.leftovers + load.writing + load.early + load.requests + load.waiting == 0
        });
        is_empty && inbox.is_empty() && asked.is_empty()
    }

    /// The process ends as the server does, when no call is up.
    pub(crate) fn leave_for_good(&mut self) {
        self.hand_over(Input::LeaveForGood);
    }

    /// A turn before anything is due, and without anything that has come in: it must change nothing.
    pub(crate) fn look_in(&mut self) {
        let (now, clock, early) = (self.moment(), self.clock(), self.due().is_none_or(|due| due > self.now));
        let Some(switch) = self.house.switch.as_mut().filter(|_| early) else {
            return;
        };
        switch.begin_turn(now, clock);
        switch.end_turn();
        if let Some(output) = switch.poll_output() {
            self.watch
                .fail("an early turn changes nothing", || format!("{output:?} at {now:?}"));
        }
    }

    pub(crate) fn turn(&mut self) {
        self.house.turn_is_due = false;
        let Some(mut switch) = self.house.switch.take() else {
            return;
        };
        self.check_sessions();
        let inbox = std::mem::take(&mut self.house.inbox);
        self.digest.number(self.now);
        switch.begin_turn(self.moment(), self.clock());
        let mut steps = Vec::new();
        for input in inbox {
            self.hand_in(&mut switch, input, &mut steps);
            // Asked for between inputs, to know what led to what; acted on after the turn, as it ships.
            steps.extend(std::iter::from_fn(|| switch.poll_output()).map(Step::Output));
        }
        switch.end_turn();
        steps.extend(std::iter::from_fn(|| switch.poll_output()).map(Step::Output));
        if self.settings.sabotage.is_in_shell(ShellFault::LateSnapshot) {
            steps.sort_by_key(|step| matches!(step, Step::Output(Output::Snapshot(..))));
        }
        self.watch.turns += 1;
        let incarnation = self.house.incarnation;
        for step in steps {
            match step {
                Step::Heard(heard) => self.heard(heard),
                Step::Output(output) => self.put(output),
            }
            if !self.house.up || self.house.incarnation != incarnation {
                return; // it was killed
            }
        }
        self.check_turn(&switch);
        self.house.switch = Some(switch);
        self.schedule_wake();
    }

    fn schedule_wake(&mut self) {
        if let Some(due) = self.due()
            && self.house.woken_for.is_none_or(|woken| woken != due)
        {
            self.house.woken_for = Some(due);
            self.after(due.saturating_sub(self.now), Event::Wake);
        }
    }

    /// Whose Call-ID has this name in it.
    pub(crate) fn call_named(&self, name: u32) -> Option<usize> {
        self.scenario.calls.binary_search_by_key(&name, |call| call.name).ok()
    }
}

/// Whether the switch waits for the disk with an ACK because of it.
fn holds_ack(save: Save) -> bool {
    matches!(save, Save::Answer | Save::Fork(_))
}
