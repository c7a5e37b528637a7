//! Clients: they place calls, hang them up, ask again, and leave.

use std::time::Duration;

use dial::Caller;
use sip::{CallIdHeader, Tag, sdp::SrtpKey};
use switch::{Answer, Known, Order, Output, Patience, Switch, journal::IdHash};

use super::{
    Input, Step,
    node::{dialler, policy},
};
use crate::{
    message::HOUSE,
    scenario::Millis,
    watch::Heard,
    wire,
    world::{Event, World},
};

/// How long a client that reaches nobody waits before it asks again.
const AGAIN: Millis = 500;
/// How long an answer waits for the disk.
const DISK_WAIT: Duration = Duration::from_secs(5);

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) call: usize,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Place {
        is_gone: bool,
    },
    HangUp,
    /// Somebody else asks for the end of the call.
    HangUpForeign,
    /// The process is to end, and registrars are to let go of it.
    Leave,
}

/// What a call is asked about by.
pub(crate) fn id_of(name: u32) -> IdHash {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&name.to_le_bytes());
    IdHash(id)
}

fn name_in(id: IdHash) -> u32 {
    u32::from_le_bytes([id.0[0], id.0[1], id.0[2], id.0[3]])
}

fn owner_of(name: u32) -> [u8; 32] {
    [name as u8; 32]
}

impl World {
    /// PlayOnPhone.
    pub(crate) fn place(&mut self, call: usize) {
        if !self.house.up {
            return self.after(AGAIN, Event::Place(call));
        }
        let script = &self.scenario.clone().calls[call];
        for wait in &script.hang_ups {
            self.after(*wait, Event::HangUp(call));
        }
        if let Some(wait) = script.leaves_after {
            self.after(wait, Event::Leave(call));
        }
        self.hand_over(Input::Place(call));
    }

    pub(crate) fn client_leaves(&mut self, call: usize) {
        self.hand_over(Input::Leave(call));
    }

    /// DisconnectPhoneCall. A client that reaches nobody asks again.
    pub(crate) fn hang_up(&mut self, call: usize) {
        if !self.house.up {
            return self.after(AGAIN, Event::HangUp(call));
        }
        self.hand_over(Input::HangUp(call));
    }

    fn patience(&self) -> Patience {
        Patience {
            disconnect: Duration::from_millis(self.scenario.patience),
            disk: DISK_WAIT,
        }
    }

    pub(super) fn ask(&mut self, call: usize, what: What) -> u64 {
        self.house.requests += 1;
        let request = self.house.requests;
        self.house.asked.insert(request, Asked { call, what });
        request
    }

    pub(super) fn hand_in_order(&mut self, switch: &mut Switch, call: usize, steps: &mut Vec<Step>) {
        let name = self.scenario.calls[call].name;
        let extension = (4000 + name).to_string();
        let caller = Caller {
            key: owner_of(name),
            name: None,
            address: None,
        };
        let Ok(permit) = policy().permit(caller, &dialler(&extension), &extension) else {
            return self
                .watch
                .fail("a call can be placed", || format!("{extension} is not permitted"));
        };
        let request = self.ask(call, What::Place { is_gone: false });
        self.ladder.note(self.now, || format!("PlayOnPhone {}", call + 1));
        steps.push(Step::Heard(Heard::Placed));
        let order = Order {
            permit,
            id: id_of(name),
            call_id: CallIdHeader::new(wire::call_id(name)),
            local_tag: Tag::new(format!("ours-{name}")),
            session_id: u64::from(name),
            srtp_key: SrtpKey([name as u8; 30]),
            rtp: vec![(HOUSE.0, 30_000).into()],
        };
        switch.place(request, order, self.patience());
    }

    /// The client of PlayOnPhone is gone; it matters while it has no answer.
    pub(super) fn hand_in_leave(&mut self, switch: &mut Switch, call: usize, steps: &mut Vec<Step>) {
        let waits = |asked: &Asked| asked.call == call && matches!(asked.what, What::Place { .. });
        let Some((request, asked)) = self.house.asked.iter_mut().find(|(_, asked)| waits(asked)) else {
            return;
        };
        asked.what = What::Place { is_gone: true };
        self.ladder
            .note(self.now, || format!("the client of call {} leaves", call + 1));
        // It may have been answered in this very turn: then its INVITE is not held back, and the id is never delivered.
        let is_answered =
            |step: &Step| matches!(step, Step::Output(Output::Answer(answered, _)) if answered == request);
        if !steps.iter().any(is_answered) {
            steps.push(Step::Heard(Heard::Left(call)));
        }
        switch.abandon(*request);
    }

    pub(super) fn hand_in_hang_up(&mut self, switch: &mut Switch, call: usize, steps: &mut Vec<Step>) {
        self.ladder
            .note(self.now, || format!("DisconnectPhoneCall {}", call + 1));
        let name = self.scenario.calls[call].name;
        let request = self.ask(call, What::HangUpForeign);
        switch.disconnect(request, [0xFF; 32], id_of(name), self.patience());
        steps.extend(std::iter::from_fn(|| switch.poll_output()).map(Step::Output));
        let request = self.ask(call, What::HangUp);
        steps.push(Step::Heard(Heard::HungUp(call)));
        switch.disconnect(request, owner_of(name), id_of(name), self.patience());
    }

    pub(super) fn answer(&mut self, request: u64, answer: Answer) {
        let now = self.now;
        let Some(asked) = self.house.asked.remove(&request) else {
            return self.watch.fail("each request is answered once", || {
                format!("{answer:?} to nobody at {now} ms")
            });
        };
        if asked.what == What::Leave {
            self.has_left = true;
            self.check_left();
            if !matches!(answer, Answer::Left) {
                self.watch.fail("a request has an answer of its kind", || {
                    format!("{answer:?} at {now} ms")
                });
            }
            return;
        }
        self.ladder.note(now, || match answer {
            Answer::Disconnected => format!("NoError to call {}", asked.call + 1),
            _ => format!("{answer:?} to call {}", asked.call + 1),
        });
        self.check_answer(asked.call, asked.what, &answer);
        if let (What::Place { is_gone: true }, Answer::Placed(key)) = (asked.what, &answer) {
            self.hand_over_later(Input::NeverDelivered(*key));
        }
    }

    /// In a turn of its own.
    fn hand_over_later(&mut self, input: Input) {
        self.house.inbox.push(input);
        self.after(0, Event::Turn);
    }

    /// What can be asked about a call from now on.
    pub(super) fn snapshot_changed(&mut self, id: IdHash, known: Option<Known>) {
        let call = self.call_named(name_in(id));
        if let Some(call) = call {
            self.check_told(call, known);
        }
    }

    /// Whether somebody waits for an answer to this.
    pub(crate) fn is_asked(&self, what: What) -> bool {
        self.house.asked.values().any(|asked| asked.what == what)
    }

    /// Whether somebody still waits for an answer.
    pub(crate) fn somebody_waits(&self) -> Option<Asked> {
        self.house.asked.values().next().copied()
    }
}
