//! Our side: the switch that ships, and a shell around it that moves what it wants moved, in its order; and the death and return of
//! the process.

mod clients;
mod disk;
pub(crate) mod node;

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use call::Save;
use dial::WallTime;
use sip::{Moment, Path, Transmit};
use switch::{
    Found, Output, Sound, Switch,
    journal::{CallKey, Entry},
};

use crate::{
    message::{Message, Node},
    sabotage::Sabotage,
    scenario::{CrashAt, Millis},
    watch::Heard,
    wire,
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
    /// Outputs that were acted on, of all processes.
    outputs: u64,
    /// What the sound room plays, by its own numbers, and how many it has begun.
    sounds: BTreeMap<CallKey, u64>,
    begun: u64,
    /// Requests that wait for their answers.
    asked: BTreeMap<u64, Asked>,
    requests: u64,
    /// The last INVITE of each call, for a sabotage.
    invites: BTreeMap<usize, Transmit>,
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
    /// A trunk's answer to its own request; `is_done` when it says that we are registered.
    OfTrunk {
        trunk: usize,
        path: Path,
        answer: Vec<u8>,
        is_done: bool,
    },
    /// What was sent met nobody.
    Refused(Vec<u8>),
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

impl World {
    pub(crate) fn moment(&self) -> Moment {
        Moment::after_start(Duration::from_millis(self.now))
    }

    fn clock(&self) -> WallTime {
        WallTime::after_epoch(Duration::from_secs(BEGINNING) + Duration::from_millis(self.now))
    }

    /// The first process.
    pub(crate) fn start(&mut self) {
        self.house.up = true;
        self.house.switch = Some(Switch::new(self.switch_settings(), self.moment(), self.clock()));
        self.turn();
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
        let is_empty = load.is_some_and(|load| load.live + load.leftovers + load.writing + load.early == 0);
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
        if self.settings.sabotage == Sabotage::LateSnapshot {
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

    fn hand_in(&mut self, switch: &mut Switch, input: Input, steps: &mut Vec<Step>) {
        match &input {
            // Their bytes are added below.
            Input::Message(from, _) => self.digest.debug(from),
            Input::Written(_) => {}
            other => self.digest.debug(other),
        }
        match input {
            Input::Message(from, message) => self.hand_in_message(switch, from, message, steps),
            Input::Place(call) => self.hand_in_order(switch, call, steps),
            Input::Leave(call) => self.hand_in_leave(switch, call, steps),
            Input::NeverDelivered(key) => switch.never_delivered(key),
            Input::HangUp(call) => self.hand_in_hang_up(switch, call, steps),
            Input::Written(words) => {
                for (entry, durable) in words {
                    self.digest.number(entry.number * 2 + u64::from(durable));
                    steps.push(Step::Heard(Heard::Written(entry.number)));
                    switch.written(entry.number, durable);
                    steps.extend(std::iter::from_fn(|| switch.poll_output()).map(Step::Output));
                }
            }
            Input::Sounded(key) => {
                let call = self.house.keys.get(&key);
                let fails = call.is_some_and(|call| self.scenario.calls[*call].sound_fails);
                if fails {
                    switch.sound_failed(key);
                } else {
                    switch.played(key);
                }
            }
            Input::LookedUp(host, Ok(found)) => {
                steps.push(Step::Heard(Heard::LookedUp(host.clone())));
                if let Some(trunk) = self.trunk_called(&host) {
                    let at = found.iter().map(|found| found.remote).find(std::net::IpAddr::is_ipv4);
                    steps.push(Step::Heard(Heard::Found(trunk, at)));
                }
                switch.found(&host, &found);
            }
            Input::LookedUp(host, Err(why)) => {
                steps.push(Step::Heard(Heard::LookedUp(host.clone())));
                switch.not_found(&host, why);
            }
            Input::OfTrunk {
                trunk,
                path,
                answer,
                is_done,
            } => {
                steps.push(Step::Heard(Heard::Trunk { trunk, is_done }));
                switch.handle_message(path, &answer);
            }
            Input::Refused(quoted) => switch.handle_refusal(&quoted),
            Input::LeaveForGood => {
                let request = self.ask(usize::MAX, What::Leave);
                switch.leave(request);
            }
            Input::Connected(number, path) => {
                steps.push(Step::Heard(Heard::Dialled(number)));
                switch.connected(number, path);
            }
            Input::ConnectFailed(number, why) => {
                steps.push(Step::Heard(Heard::Dialled(number)));
                switch.connect_failed(number, &why);
            }
            Input::Closed(path) => {
                steps.push(Step::Heard(Heard::Closed(path)));
                switch.closed(path);
            }
            Input::Leftovers => {
                let (leftovers, last_day) = self.house.disk.left();
                steps.push(Step::Heard(Heard::Leftovers(
                    leftovers.iter().map(|left| left.key).collect(),
                )));
                if self.settings.sabotage != Sabotage::NoTakeUp {
                    switch.end_leftovers(leftovers);
                }
                switch.count(&last_day);
            }
        }
    }

    fn hand_in_message(&mut self, switch: &mut Switch, from: Node, message: Rc<Message>, steps: &mut Vec<Step>) {
        let Some(call) = self.call_named(message.name) else {
            return;
        };
        let (path, bytes) = match self.settings.sabotage {
            Sabotage::LateAnswersLost if message.is_answer() && self.watch.calls[call].has_ended() => {
                return steps.push(Step::Heard(Heard::Message(call, message)));
            }
            Sabotage::SessionIgnored if message.is_answer() => {
                let mut without = (*message).clone();
                without.session = sip::SessionHeaders::default();
                self.on_the_wire(from, &without)
            }
            _ => self.on_the_wire(from, &message),
        };
        self.digest.debug(&path);
        self.digest.bytes(&bytes);
        steps.push(Step::Heard(Heard::Message(call, message)));
        switch.handle_message(path, &bytes);
    }

    // What is to be done.

    fn put(&mut self, output: Output) {
        if !matches!(
            output,
            Output::Event(_) | Output::Snapshot(..) | Output::Resolve(_) | Output::Admit(_) | Output::Dismiss(_)
        ) {
            self.house.outputs += 1;
            let due = CrashAt::Output(self.house.outputs);
            let is_calm = self.scenario.is_calm(self.now);
            if !is_calm && self.scenario.crashes.iter().any(|crash| crash.at == due) {
                return self.crash();
            }
        }
        match &output {
            // Their bytes are added below.
            Output::Transmit(_) | Output::Journal(_) => {}
            other => self.digest.debug(other),
        }
        match output {
            Output::Transmit(transmit) => self.transmit(transmit),
            Output::Journal(entries) => self.write(entries),
            Output::Answer(request, answer) => self.answer(request, answer),
            Output::Snapshot(id, known) => self.snapshot_changed(id, known),
            Output::Sound(key, sound) => self.sound(key, &sound),
            Output::TakingUp(_) if self.settings.sabotage == Sabotage::TakenUpUnsaid => {}
            Output::TakingUp(keys) => {
                self.watch.taking_up(&keys);
                self.house.disk.taking_up(&keys);
            }
            Output::TakenUp(keys) => {
                self.check_taken_up(&keys);
                self.house.disk.taken_up(&keys);
            }
            Output::Resolve(host) => self.look_up(host),
            Output::Admit(host) => self.streams.admit(host),
            Output::Dismiss(host) => self.streams.dismiss(host),
            Output::Close(path) => self.close(&path),
            Output::Connect {
                number,
                transport,
                remote,
                trunk,
                ..
            } => self.dial(number, transport, remote, trunk),
            Output::Event(event) => self.happened(event),
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { mut path, mut bytes } = transmit;
        self.digest.debug(&path);
        self.digest.bytes(&bytes);
        if crate::trunks::is_of_trunk(&bytes) {
            return self.ask_trunk(path, &bytes);
        }
        if self.settings.sabotage == Sabotage::CutShort {
            bytes.pop();
        }
        let now = self.now;
        let mut message = match wire::read(&bytes) {
            Ok(message) => message,
            Err(why) => {
                return self.watch.fail("what leaves can be read", || {
                    format!("{why} at {now} ms: {}", String::from_utf8_lossy(&bytes))
                });
            }
        };
        let Some(call) = self.call_named(message.name) else {
            return self.watch.fail("nothing goes where nobody is", || {
                format!("{} at {now} ms", message.label())
            });
        };
        if self.settings.sabotage == Sabotage::CancelElsewhere && message.method == sip::Method::Cancel {
            path.remote = crate::message::address(message.name, 0, path.transport);
        }
        if self.settings.sabotage.drops(&message, call, self) {
            return;
        }
        self.check_transmit(call, &message, &path, &bytes);
        if self.settings.sabotage == Sabotage::AnotherInvite && message.method == sip::Method::Invite {
            self.house.invites.insert(call, Transmit { path, bytes });
        }
        message.path = Some(path);
        let message = Rc::new(message);
        if path.transport.is_stream() {
            return self.write_to_peer(&path, call, &message);
        }
        match self.receiver(&path, call, &message) {
            Some(to) => self.send(Node::House, to, &message),
            None => self.watch.fail("nothing goes where nobody is", || {
                format!("{} to {} at {now} ms", message.label(), path.remote)
            }),
        }
    }

    fn sound(&mut self, key: CallKey, sound: &Sound) {
        match sound {
            Sound::Start { .. } => {
                self.house.begun += 1;
                let number = self.house.begun;
                self.house.sounds.insert(key, number);
                let call = self.house.keys.get(&key);
                let wait = call.map_or(1, |call| self.scenario.calls[*call].message);
                self.after(wait, Event::Finished(self.house.incarnation, number));
            }
            Sound::Prepare { .. } | Sound::Change { .. } => {}
            Sound::Stop => {
                self.house.sounds.remove(&key);
            }
        }
    }

    // Death and return.

    pub(crate) fn crash(&mut self) {
        if !self.house.up {
            return;
        }
        self.ladder.note(self.now, || "the process is killed".to_owned());
        self.watch.crashed(&self.scenario.clone());
        self.lose_open_entries();
        let house = &mut self.house;
        house.up = false;
        house.switch = None;
        house.inbox.clear();
        house.turn_is_due = false;
        house.woken_for = None;
        house.sounds.clear();
        self.streams.crashed();
        self.names.crashed();
        let house = &mut self.house;
        house.asked.clear();
        let crashes = &self.scenario.crashes;
        let nth = (self.house.incarnation as usize).min(crashes.len().saturating_sub(1));
        let down = crashes.get(nth).map_or(1, |crash| crash.down);
        self.after(down, Event::Restart);
    }

    pub(crate) fn restart(&mut self) {
        self.house.up = true;
        self.house.incarnation += 1;
        self.house.switch = Some(Switch::new(self.switch_settings(), self.moment(), self.clock()));
        let left = self.house.disk.rows();
        self.ladder
            .note(self.now, || format!("the next process starts and finds {left} calls"));
        self.restarted();
        self.house.inbox.push(Input::Leftovers);
        self.turn();
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
