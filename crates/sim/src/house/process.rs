//! The process: its start, its death, its return.

use switch::Switch;

use super::Input;
use crate::{
    scenario::Millis,
    world::{Event, World},
};

impl World {
    /// The first process.
    pub(crate) fn start(&mut self) {
        self.house.up = true;
        self.house.outputs.push(0);
        self.strangers.restarted(self.now);
        self.house.switch = Some(Switch::new(self.switch_settings(), self.moment(), self.clock()));
        self.turn();
    }

    pub(crate) fn crash(&mut self, down: Millis) {
        if !self.house.up {
            return;
        }
        self.ladder.note(self.now, || "the process is killed".to_owned());
        self.meet_crash();
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
        self.house.asked.clear();
        self.after(down, Event::Restart);
    }

    pub(crate) fn restart(&mut self) {
        self.house.up = true;
        self.house.outputs.push(0);
        self.strangers.restarted(self.now);
        self.house.incarnation += 1;
        self.house.switch = Some(Switch::new(self.switch_settings(), self.moment(), self.clock()));
        let left = self.house.disk.rows();
        self.ladder
            .note(self.now, || format!("the next process starts and finds {left} calls"));
        self.restarted();
        self.house.inbox.push(Input::Leftovers);
        self.turn();
    }
}
