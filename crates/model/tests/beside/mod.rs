//! A machine of the model beside the real call: both are given the same, and must do the same.
//!
//! The real one is driven by the rig of its own tests, so that what it says is compared as it is printed.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails")]

#[path = "../../../call/tests/rig/mod.rs"]
mod rig;

use std::{collections::VecDeque, time::Duration};

use call::{Call, Silence, Stray, Timer};
use model::{Input, Machine, Output, Phase, Phone, Record, Save};
use rig::{Rig, T1, TRANSACTION, placement, surroundings};
use sip::{Method, Moment, Tag};

/// What happens to a call and to its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Input(Input),
    /// The journal's word about the oldest write.
    Written(bool),
    /// The process dies; so many of the writes that are under way are durable all the same. The next one takes up what they say.
    Dies(usize),
}

/// The same record, as each keeps it, and what the real one calls it.
#[derive(Clone)]
struct Write {
    save: Save,
    record: Record,
    real_save: call::Save,
    real_record: call::Record,
}

/// When the last BYE to a phone has left, and when another one is due.
#[derive(Clone, Copy, Default)]
struct Bye {
    sent: Moment,
    again: Moment,
}

pub(crate) struct Beside {
    /// Nothing, when nobody remembers the call.
    pub(crate) machine: Option<Machine>,
    rig: Rig,
    writes: VecDeque<Write>,
    disk: Option<Write>,
    answered: [bool; 2],
    byes: [Bye; 2],
}

fn tag(phone: Phone) -> &'static str {
    match phone {
        Phone::A => "a",
        Phone::B => "b",
    }
}

impl Beside {
    pub(crate) fn placed() -> Self {
        let (machine, outputs) = Machine::place(None);
        let mut beside = Self {
            machine: Some(machine),
            rig: Rig::new(placement(), surroundings()),
            writes: VecDeque::new(),
            disk: None,
            answered: [false; 2],
            byes: [Bye::default(); 2],
        };
        let said = beside.rig.drain();
        beside.compare(&said, outputs);
        beside
    }

    /// What is under way to the disk, and what is on it.
    pub(crate) fn journal(&self) -> (Vec<(Save, Record)>, Option<Record>) {
        let writes = self.writes.iter().map(|write| (write.save, write.record.clone()));
        (writes.collect(), self.disk.as_ref().map(|write| write.record.clone()))
    }

    /// How many requests of this method have left.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.rig.count(method)
    }

    /// Whether this phone has ever answered.
    pub(crate) fn has_answered(&self, phone: Phone) -> bool {
        self.answered[phone as usize]
    }

    /// Gives both the same. False when time does not allow it now: something else is due before.
    pub(crate) fn happens(&mut self, event: Event) -> bool {
        if let Event::Input(Input::Answer(phone)) = event {
            self.answered[phone as usize] = true;
        }
        self.rig.now = self.rig.now + Duration::from_millis(1);
        match event {
            Event::Dies(durable) => self.die(durable),
            Event::Written(durable) => {
                let Some(write) = self.writes.pop_front() else {
                    return false;
                };
                let Write { save, real_save, .. } = write;
                if durable {
                    self.disk = Some(write);
                    self.rig.saved(real_save);
                } else {
                    self.rig.save_failed(real_save);
                }
                self.give(if durable {
                    Input::Saved(save)
                } else {
                    Input::NotSaved(save)
                });
            }
            Event::Input(input) => {
                if self.machine.is_none() {
                    self.end_stray(input);
                } else if self.hand_in(input) {
                    self.give(input);
                } else {
                    return false;
                }
            }
        }
        true
    }

    /// Hands it to the machine of the model, when the real call has it.
    fn give(&mut self, input: Input) {
        let said = self.rig.drain();
        let outputs = self.machine.as_mut().map(|machine| machine.handle(input));
        self.compare(&said, outputs.unwrap_or_default());
        if let Input::ByeRefused(phone, _) | Input::ByeTimesOut(phone) = input {
            self.byes[phone as usize].again = self.rig.now + T1 * 8;
        }
    }

    fn die(&mut self, durable: usize) {
        if let Some(last) = durable.checked_sub(1) {
            self.disk = self.writes.get(last).cloned();
        }
        self.writes.clear();
        let left = self.disk.clone().filter(|write| !write.record.is_over());
        self.machine = None;
        if let Some(write) = left {
            let (machine, outputs) = Machine::take_up(&write.record, None);
            self.machine = Some(machine);
            self.rig
                .replace(Call::take_up(write.real_record, 1, surroundings(), self.rig.now));
            let said = self.rig.drain();
            self.compare(&said, outputs);
        }
    }

    fn end_stray(&mut self, input: Input) {
        let Input::Answer(phone) = input else { return };
        let answer = self.rig.answer_of(tag(phone));
        let stray = Stray::of(&answer, &surroundings().key).expect("the branch is ours");
        self.rig.replace(Call::stray(stray, "pbx".to_owned(), surroundings()));
        let (machine, outputs) = Machine::stray(phone, None);
        self.machine = Some(machine);
        let said = self.rig.drain();
        self.compare(&said, outputs);
    }

    /// Hands it to the real call.
    fn hand_in(&mut self, input: Input) -> bool {
        let rig = &mut self.rig;
        match input {
            Input::HangUp => drop(rig.disconnect()),
            Input::Ringing => drop(rig.provisional(180)),
            Input::Refused => drop(rig.response_to("INVITE", 487)),
            Input::Answer(phone) => drop(rig.answer(tag(phone))),
            Input::InviteTimesOut => drop(rig.silence("INVITE", Silence::TimedOut)),
            Input::NobodyThere => drop(rig.silence("INVITE", Silence::NobodyThere)),
            Input::InviteUnreachable => drop(rig.silence("INVITE", Silence::Unreachable)),
            Input::NothingToCancel => drop(rig.response_to("CANCEL", 481)),
            Input::ByeDone(phone, number) => self.answer_bye(phone, number, 200),
            Input::ByeRefused(phone, number) => self.answer_bye(phone, number, 503),
            Input::ByeTimesOut(phone) => {
                let due = self.byes[phone as usize].sent + TRANSACTION;
                if rig.call.poll_timeout().is_some_and(|(first, _)| first <= due) {
                    return false;
                }
                rig.now = rig.now.max(due);
                let is_to = |sent: &&rig::Sent| sent.method == "BYE" && sent.to_tag() == Some(tag(phone));
                let tx = rig.sent.iter().rev().find(is_to).expect("a BYE").tx.clone();
                rig.call.handle_silence(&tx, Silence::TimedOut, rig.now);
            }
            Input::GiveUp => self.run_out(Timer::GiveUp),
            Input::AnotherBye(phone) => {
                if self.first_bye() != Some(phone) {
                    return false;
                }
                self.run_out(Timer::AnotherBye);
            }
            Input::PhoneBye(phone) => {
                let mut request = rig.peer_request(Method::Bye, "");
                request.from = format!("<sip:4711@pbx.example>;tag={}", tag(phone));
                request.from_tag = Some(Tag::new(tag(phone)));
                rig.receive(&request);
            }
            Input::Saved(_) | Input::NotSaved(_) => unreachable!("the journal says so"),
        }
        true
    }

    fn answer_bye(&mut self, phone: Phone, number: u16, status: u16) {
        let is_it = |sent: &&rig::Sent| {
            sent.method == "BYE" && sent.to_tag() == Some(tag(phone)) && sent.cseq() == u32::from(number)
        };
        let bye = self.rig.sent.iter().find(is_it).expect("a BYE of this number");
        let response = bye.response(status, None);
        self.rig.deliver(&response);
    }

    /// Whose BYE is the next to be sent again.
    fn first_bye(&self) -> Option<Phone> {
        let machine = self.machine.as_ref()?;
        let has_bye = |phone: &Phone| {
            [false, true]
                .iter()
                .any(|failed| machine.bye(*phone, *failed).is_some())
        };
        let again = |phone: &Phone| self.byes[*phone as usize].again;
        Phone::ALL.into_iter().filter(has_bye).min_by_key(again)
    }

    /// Lets this timer run out, which must be the next one.
    fn run_out(&mut self, timer: Timer) {
        let (due, next) = self.rig.call.poll_timeout().expect("a timer");
        assert_eq!(next, timer);
        self.rig.now = self.rig.now.max(due);
        self.rig.call.handle_timeout(self.rig.now);
    }

    /// Both have done the same, and stand in the same place.
    fn compare(&mut self, said: &[String], outputs: Vec<Output>) {
        let said = said.iter().filter(|said| is_in_the_model(said));
        let expected: Vec<String> = outputs.iter().map(printed).collect();
        let real: Vec<String> = said.clone().map(|said| without_number_of_fork(said)).collect();
        assert_eq!(phones_in_order(real), phones_in_order(expected));

        let Some(machine) = &self.machine else { return };
        let call = &self.rig.call;
        assert_eq!(phase(&call.phase()), machine.phase());
        assert_eq!(call.is_drained(), machine.is_drained());
        assert_eq!(call.record().wish.is_some(), machine.has_wish());
        let mut saves = said.filter_map(|said| real_save(said.strip_prefix("save ")?));
        for output in outputs {
            match output {
                Output::Save(save) => {
                    let write = Write {
                        save,
                        record: machine.record(),
                        real_save: saves.next().expect("as many saves"),
                        real_record: call.record().clone(),
                    };
                    assert_eq!(record(&write.real_record), write.record);
                    self.writes.push_back(write);
                }
                Output::Bye(phone, _) => {
                    self.byes[phone as usize] = Bye {
                        sent: self.rig.now,
                        again: self.rig.now + TRANSACTION + T1 * 4,
                    };
                }
                _ => {}
            }
        }
    }
}

/// Sound, replies to the phone and news of the call are left out.
fn is_in_the_model(said: &str) -> bool {
    ["save", "resume", "stop", "INVITE", "CANCEL", "ACK", "BYE"].contains(&said.split(' ').next().unwrap_or(said))
}

fn printed(output: &Output) -> String {
    match output {
        Output::Save(Save::Fork(_)) => "save Fork".to_owned(),
        Output::Save(save) => format!("save {save:?}"),
        Output::Invite => "INVITE 1".to_owned(),
        Output::Cancel => "CANCEL 1".to_owned(),
        Output::Ack(phone) => format!("ACK 1 {}", tag(*phone)),
        Output::Bye(phone, number) => format!("BYE {number} {}", tag(*phone)),
        Output::Resume => "resume INVITE".to_owned(),
        Output::Stop => "stop INVITE".to_owned(),
    }
}

/// The real one counts forks.
fn without_number_of_fork(said: &str) -> String {
    said.split('(').next().unwrap_or(said).to_owned()
}

/// What is sent to one phone and what is sent to another has no order.
fn phones_in_order(mut lines: Vec<String>) -> Vec<String> {
    let is_to_phone = |line: &String| line.starts_with("ACK") || line.starts_with("BYE");
    for lines in lines.chunk_by_mut(|a, b| is_to_phone(a) && is_to_phone(b)) {
        lines.sort_by_key(|line| line.chars().next_back());
    }
    lines
}

fn real_save(said: &str) -> Option<call::Save> {
    Some(match said {
        "Intent" => call::Save::Intent,
        "Answer" => call::Save::Answer,
        "Wish" => call::Save::Wish,
        "End" => call::Save::End,
        fork => call::Save::Fork(fork.strip_prefix("Fork(")?.strip_suffix(')')?.parse().ok()?),
    })
}

fn phase(real: &call::Phase) -> Phase {
    match real {
        call::Phase::Placing => Phase::Placing,
        call::Phase::Calling { .. } => Phase::Calling,
        call::Phase::Early => Phase::Early,
        call::Phase::Cancelling { sent } => Phase::Cancelling { sent: *sent },
        call::Phase::Answered => Phase::Answered,
        call::Phase::Confirmed => Phase::Confirmed,
        call::Phase::Terminating => Phase::Terminating,
        call::Phase::Ended(end) => Phase::Ended {
            confirmed: end.confirmed,
        },
    }
}

/// What the model keeps of a record.
fn record(real: &call::Record) -> Record {
    let number_of = |dialog: &call::Dialog| u16::try_from(dialog.local_cseq).expect("a small number");
    let fork = |phone: Phone| {
        let is_of = |fork: &&call::ForkRecord| fork.dialog.remote_tag == Some(Tag::new(tag(phone)));
        real.forks.iter().find(is_of).map(|fork| number_of(&fork.dialog))
    };
    let is_own = |phone: &Phone| real.dialog.remote_tag == Some(Tag::new(tag(*phone)));
    Record {
        phase: phase(&real.phase),
        wish: real.wish.is_some(),
        own: Phone::ALL.into_iter().find(is_own),
        number: number_of(&real.dialog),
        forks: Phone::ALL.map(fork),
    }
}
