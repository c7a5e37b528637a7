//! Rules about phones: none rings or is up for long after a hang-up, and none for ever.

use super::excuses::Due;
use crate::{
    house::What,
    message::At,
    phone::{Hook, Leg},
    scenario::BOUND,
    streams::Peer,
    world::{Event, World},
};

impl World {
    /// A connection there has failed, broken or hung: the bound runs from now on.
    pub(crate) fn way_is_broken(&mut self, peer: Peer) {
        self.watch.tally.broken_ways += 1;
        match peer {
            Peer::Trunk(trunk) => self.watch.broken[trunk] = self.now,
            Peer::Phone(at) => self.watch.calls[at.call].broken = self.now,
        }
    }

    /// No phone of this call rings or is up long after the promise.
    pub(crate) fn check_hooks(&mut self, call: usize) {
        if self.watch.calls[call].promised.is_none() || !self.house.up {
            return;
        }
        for phone in 0..self.parties[call].phones.len() {
            let at = At { call, phone };
            for leg in 0..self.phone(at).legs.len() {
                let hook = self.leg(at, leg).hook;
                if hook == Hook::Down {
                    continue;
                }
                let now = self.now;
                let is_late = match self.due_down(at, leg, hook) {
                    Some(Due::From(from, _)) => now > from + BOUND,
                    Some(Due::Never(_)) | None => false,
                };
                if is_late {
                    self.watch.fail("on-hook within 2·64·T1 of NoError", || {
                        format!("{at} is still {hook:?} at {now} ms")
                    });
                }
            }
        }
    }

    /// The phone goes on-hook; `before`, it rang or was up.
    pub(crate) fn check_down(&mut self, at: At, leg: usize, before: Hook) {
        if !self.house.up {
            return;
        }
        match self.due_down(at, leg, before) {
            Some(Due::From(from, excuse)) => {
                let took = self.now.saturating_sub(from);
                self.watch.tally.took(took);
                if let Some(excuse) = excuse {
                    self.watch.tally.excused(excuse);
                }
                // Nothing may have happened since the bound was passed.
                if took > BOUND {
                    self.watch.fail("on-hook within 2·64·T1 of NoError", || {
                        format!("{at} was {before:?} for {took} ms")
                    });
                }
            }
            Some(Due::Never(excuse)) => self.watch.tally.excused(excuse),
            None => {}
        }
    }

    /// A phone is off-hook: if its call was promised to end, that has to happen in time.
    pub(crate) fn is_off_hook(&mut self, at: At) {
        if self.watch.calls[at.call].promised.is_some() {
            self.after(BOUND + 1, Event::Deadline(at.call));
        }
    }

    /// The next process is there.
    pub(crate) fn restarted(&mut self) {
        self.watch.restarted = self.now;
        for call in 0..self.parties.len() {
            if self.watch.calls[call].promised.is_some() {
                self.after(BOUND + 1, Event::Deadline(call));
            }
        }
    }

    /// The faults have stopped long ago, but for one trunk: every call has ended, every answer is given, every place is free, and what can be
    /// asked says so.
    pub(crate) fn check_liveness(&mut self) {
        if !self.house.up {
            return;
        }
        let (now, pending) = (self.now, self.pending());
        self.watch.tally.calmed += 1;
        if let Some(key) = self.watch.holding.first().copied() {
            self.watch.fail("what is sound comes to rest", || {
                format!("{key} has not ended at {now} ms; {pending}")
            });
        } else if let Some(asked) = self.somebody_waits().filter(|asked| asked.what != What::Leave) {
            self.watch.fail("what is sound comes to rest", || {
                format!("{asked:?} is not answered at {now} ms")
            });
        }
        for call in 0..self.parties.len() {
            let told = self.watch.calls[call]
                .known
                .as_ref()
                .map(|known| known.information.state);
            if told.is_some_and(|state| state != switch::State::Disconnected) {
                self.watch.fail("what is sound comes to rest", || {
                    format!("call {} is told to be {told:?} at {now} ms", call + 1)
                });
            }
        }
    }

    /// Nothing more will happen.
    pub(crate) fn check_rest(&mut self) {
        for call in 0..self.parties.len() {
            for phone in 0..self.parties[call].phones.len() {
                let at = At { call, phone };
                let trunk = self.watch.calls[call].trunk;
                let is_away = trunk.is_some_and(|trunk| self.scenario.trunks[trunk].is_away(self.now).is_some());
                let watched = &self.watch.calls[call];
                let is_nobodys = watched.is_left_alone || watched.is_unrecorded;
                let is_late = self.is_found_too_late(at) || self.is_away_too_long(at);
                let is_excused = is_nobodys || is_away || is_late || self.script(at).asks_bye.is_unanswerable();
                let this = &self.parties[call].phones[phone];
                let is_up = |leg: &Leg| leg.hook != Hook::Down && !self.is_back_too_late(at, &leg.tag);
                if this.legs.iter().any(is_up) && !this.gone && !is_excused {
                    self.watch
                        .fail("nobody is left off-hook", || format!("{at} is, for ever"));
                }
            }
            self.check_ends(call);
        }
        if let Some(load) = self.house.load().filter(|_| self.watch.holding.is_empty()) {
            self.check_places(load);
        }
        self.check_load_at_rest();
        let pending = self.pending();
        if !self.watch.holding.is_empty() {
            self.watch.fail("a grant is returned once", || pending);
        }
        if let Some(asked) = self.somebody_waits() {
            self.watch
                .fail("each request is answered once", || format!("{asked:?} is not answered"));
        }
        let left = self.house.disk.left_now();
        let is_excused = self.scenario.disk.refuses() || self.watch.tally.left_alone > 0;
        if !left.is_empty() && !is_excused {
            self.watch
                .fail("nothing is left to the next process", || format!("{left:?}"));
        }
    }

    /// Every dialog that was ACKed has seen a BYE, ours or the phone's.
    fn check_ends(&mut self, call: usize) {
        let watched = &self.watch.calls[call];
        let is_nobodys = watched.is_left_alone || watched.is_unrecorded;
        let is_excused = is_nobodys || self.is_unconfirmed(call);
        for phone in &self.parties[call].phones {
            for leg in &phone.legs {
                let Some(dialog) = watched.dialogs.get(&leg.tag) else {
                    continue;
                };
                if dialog.acks > 0 && dialog.byes == 0 && !leg.said_bye() && !is_excused && !phone.gone {
                    let tag = leg.tag.clone();
                    return self.watch.fail("every dialog ends", || format!("no BYE for {tag}"));
                }
            }
        }
    }
}
