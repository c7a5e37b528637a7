//! What comes in, handed to the switch: each input as the call of its interface that the shell makes of it.

use std::rc::Rc;

use switch::Switch;

use super::{Input, Step, What};
use crate::{
    message::{Message, Node},
    watch::Heard,
    world::World,
};

impl World {
    pub(super) fn hand_in(&mut self, switch: &mut Switch, input: Input, steps: &mut Vec<Step>) {
        match &input {
            // Their bytes are added below.
            Input::Message(from, _) => self.digest.debug(from),
            Input::Written(_) | Input::Bytes(..) => {}
            other => self.digest.debug(other),
        }
        match input {
            Input::Message(from, message) => self.hand_in_message(switch, from, message, steps),
            Input::Place(call) => self.hand_in_order(switch, call, steps),
            Input::Leave(call) => self.hand_in_leave(switch, call, steps),
            Input::NeverDelivered(key) => {
                let call = self.house.keys.get(&key).copied();
                steps.extend(call.map(|call| Step::Heard(Heard::Undelivered(call))));
                switch.never_delivered(key);
            }
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
                steps.push(Step::Heard(Heard::LookedUp(host.clone(), !found.is_empty())));
                if let Some(trunk) = self.trunk_called(&host) {
                    let at = found.iter().map(|found| found.remote).find(std::net::IpAddr::is_ipv4);
                    steps.push(Step::Heard(Heard::Found(trunk, at)));
                }
                switch.found(&host, &found);
            }
            Input::LookedUp(host, Err(why)) => {
                steps.push(Step::Heard(Heard::LookedUp(host.clone(), false)));
                switch.not_found(&host, why);
            }
            Input::OfTrunk {
                trunk,
                path,
                answer,
                granted,
            } => {
                let from = path.remote.ip();
                steps.push(Step::Heard(Heard::Trunk { trunk, from, granted }));
                switch.handle_message(path, &answer);
            }
            Input::Bytes(path, bytes) => {
                self.digest.debug(&path);
                self.digest.bytes(&bytes);
                // What came of the input before it in this turn is not its doing, nor is what is due now.
                steps.extend(std::iter::from_fn(|| switch.poll_output()).map(Step::Output));
                let is_due = switch.poll_timeout().is_some_and(|(due, _)| due <= self.moment());
                switch.handle_message(path, &bytes);
                let outputs: Vec<_> = std::iter::from_fn(|| switch.poll_output()).collect();
                if !is_due {
                    self.check_nobodys(&path, &outputs);
                }
                steps.extend(outputs.into_iter().map(Step::Output));
            }
            Input::Refused(trunk, quoted) => {
                if quoted.starts_with(b"OPTIONS") {
                    steps.push(Step::Heard(Heard::Refused(trunk)));
                }
                switch.handle_refusal(&quoted);
            }
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
                switch.end_leftovers(leftovers);
                switch.count(&last_day);
            }
        }
    }

    fn hand_in_message(&mut self, switch: &mut Switch, from: Node, message: Rc<Message>, steps: &mut Vec<Step>) {
        let Some(call) = self.call_named(message.name) else {
            return;
        };
        let (path, bytes) = self.on_the_wire(from, &message);
        self.digest.debug(&path);
        self.digest.bytes(&bytes);
        steps.push(Step::Heard(Heard::Message(call, message)));
        switch.handle_message(path, &bytes);
    }
}
