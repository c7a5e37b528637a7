//! One call with everything around it, at one moment.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    Fault,
    budget::Budget,
    event::Save,
    far_end::FarEnd,
    machine::Machine,
    message::Message,
    process::{Answer, Effect, Process, Window},
    record::{Phase, Phone, Record},
};

/// What is checked: how many phones, how much may go wrong, and what is broken on purpose.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub phones: usize,
    pub budget: Budget,
    pub fault: Option<Fault>,
}

/// A request of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    NotMade,
    Waits,
    Answered(Answer),
    /// The server died over it.
    CutOff,
    /// The client has left before its answer came.
    Left,
}

/// What has been seen so far, as a promise is about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    pub invite_before_intent: bool,
    pub invite_after_hang_up: bool,
    pub ack_before_answer: bool,
    pub no_error_before_wish: bool,
    pub answered_twice: bool,
    pub number_used_again: bool,
    /// `NoError` was said.
    pub no_error: bool,
    pub died: bool,
    pub write_refused: bool,
    /// Whose answers have been durable.
    pub known: [bool; 2],
    /// The highest CSeq number of a BYE to each phone, of the process that placed the call.
    pub numbers: [u16; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Nothing while the server is down.
    pub process: Option<Process>,
    /// Under way to the disk, in order.
    pub writes: VecDeque<(Save, Record)>,
    /// What is durable.
    pub disk: Option<Record>,
    pub far: FarEnd,
    pub way: BTreeSet<Message>,
    /// Nothing of the far end reaches us.
    pub deaf: bool,
    pub placing: Request,
    pub hanging_up: Request,
    pub left: Budget,
    pub seen: Seen,
}

impl World {
    pub(crate) fn beginning(&self, window: Window, stops_others: bool) -> State {
        State {
            process: Some(Process::new(window, self.fault)),
            writes: VecDeque::new(),
            disk: None,
            far: FarEnd::new(self.phones, stops_others),
            way: BTreeSet::new(),
            deaf: false,
            placing: Request::NotMade,
            hanging_up: Request::NotMade,
            left: self.budget,
            seen: Seen::default(),
        }
    }
}

impl State {
    /// Whether somebody has said that this call is to end.
    #[must_use]
    pub fn is_unwanted(&self) -> bool {
        self.placing == Request::Left || self.hanging_up != Request::NotMade
    }

    /// Does what the process wants done, in its order.
    pub(crate) fn perform(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(message) => {
                    self.watch(message);
                    self.way.insert(message);
                }
                Effect::Write(save, record) => self.writes.push_back((save, record)),
                Effect::Tell(answer) => self.tell(answer),
            }
        }
    }

    fn watch(&mut self, message: Message) {
        let is_unwanted = self.is_unwanted();
        let seen = &mut self.seen;
        match message {
            Message::Invite => {
                seen.invite_before_intent |= self.disk.is_none();
                seen.invite_after_hang_up |= is_unwanted;
            }
            // Should the disk refuse the answer, its phone is hung up, and for that it needs its ACK.
            Message::Ack(phone) => seen.ack_before_answer |= !seen.known[phone as usize] && !seen.write_refused,
            Message::Bye(phone, number) if seen.died => {
                seen.number_used_again |= number <= seen.numbers[phone as usize];
            }
            Message::Bye(phone, number) => seen.numbers[phone as usize] = number,
            _ => {}
        }
    }

    fn tell(&mut self, answer: Answer) {
        let request = match answer {
            Answer::Placed | Answer::NotPlaced => &mut self.placing,
            Answer::NoError | Answer::NotDisconnected => &mut self.hanging_up,
        };
        self.seen.answered_twice |= matches!(request, Request::Answered(_));
        if *request == Request::Waits {
            *request = Request::Answered(answer);
        }
        if answer == Answer::NoError {
            let is_written = |record: &Record| record.wish || matches!(record.phase, Phase::Ended { .. });
            // Should the disk refuse, what the far end has said is enough.
            let machine = self.process.as_ref().and_then(Process::machine);
            let is_over = machine.is_none_or(Machine::has_ended);
            self.seen.no_error |= self.hanging_up == Request::Answered(answer);
            let is_early = !self.disk.as_ref().is_some_and(is_written);
            self.seen.no_error_before_wish |= is_early && !(self.seen.write_refused && is_over);
        }
    }

    /// The oldest write is durable.
    pub(crate) fn write(&mut self) -> Option<Save> {
        let (save, record) = self.writes.pop_front()?;
        for phone in Phone::ALL {
            self.seen.known[phone as usize] |= record.knows(phone);
        }
        self.disk = Some(record);
        Some(save)
    }

    /// The process is gone, and who waited for it waits no longer. What is under way to the disk may still arrive.
    pub(crate) fn die(&mut self) {
        self.process = None;
        self.left.deaths -= 1;
        self.seen.died = true;
        for request in [&mut self.placing, &mut self.hanging_up] {
            if *request == Request::Waits {
                *request = Request::CutOff;
            }
        }
    }
}
