//! Rules about trunks: what is said of one is true, and a call goes by one that is there as far as anybody knows.

use std::{collections::VecDeque, net::IpAddr};

use sip::Path;

use crate::{
    scenario::{Millis, Scenario, T1},
    world::World,
};

/// How long an OPTIONS may go unanswered, and how long until the one after a refusal.
const UNANSWERED: Millis = 12 * T1 + 2000;
/// OPTIONS within ten seconds, at most: one that is due, and those that are asked because an INVITE is not answered or a connection has come.
const OPTIONS: usize = 16;
const WITHIN: Millis = 10_000;

/// What this process knows of a trunk.
#[derive(Clone, Debug, Default)]
pub(super) struct TrunkWatch {
    /// Where it is, and since when that is known. A trunk that is a name is not found at once.
    pub(super) at: Option<IpAddr>,
    pub(super) found_at: Millis,
    /// Since when it was nowhere, before it was found again.
    pub(super) lost_at: Millis,
    has_answered: bool,
    has_registered: bool,
    is_down: bool,
    /// OPTIONS that have left, and since when the last ones are not answered.
    asked: VecDeque<Millis>,
    last_asked: String,
    unanswered: Option<Millis>,
    /// One was refused, and none has been answered since.
    is_refused: bool,
    /// Until when it holds our binding, if that is not being renewed; whether it was asked to let go of it.
    bound_until: Option<Millis>,
    asked_to_leave: bool,
}

impl TrunkWatch {
    pub(super) fn begin(scenario: &Scenario) -> Vec<Self> {
        let unnamed = scenario.trunks.iter().map(|trunk| {
            let address = crate::message::trunk_address(trunk.number, trunk.transport);
            trunk.named.is_none().then(|| address.ip())
        });
        unnamed.map(|at| Self { at, ..Self::default() }).collect()
    }

    pub(super) fn is_found(&mut self, at: Option<IpAddr>, now: Millis) {
        if self.at != at {
            if at.is_none() {
                self.lost_at = now;
            }
            (self.at, self.found_at) = (at, now);
            self.bound_until = self.bound_until.filter(|_| at.is_some());
        }
    }

    /// It is asked once more before that is believed, and is down when it does not answer that one either.
    pub(super) fn has_refused(&mut self, now: Millis) {
        if !self.is_refused {
            self.is_refused = true;
            self.unanswered = self.unanswered.map(|_| now);
        }
    }

    pub(super) fn has_answered(&mut self, from: IpAddr, granted: Option<u32>, now: Millis) {
        self.has_answered = true;
        self.unanswered = None;
        self.is_refused = false;
        if let Some(seconds) = granted {
            // Who is nowhere, or elsewhere, by the time of its answer is not heard.
            let is_bound = seconds > 0 && self.at == Some(from);
            self.bound_until = is_bound.then(|| now + Millis::from(seconds) * 1000);
            self.has_registered = true;
        }
    }
}

impl World {
    /// A trunk is asked whether it is there, or registered with.
    pub(crate) fn check_asked(&mut self, trunk: usize, is_register: bool, call_id: &str, expires: u32) {
        let now = self.now;
        let watched = &mut self.watch.trunks[trunk];
        if is_register {
            watched.bound_until = None;
            if watched.asked_to_leave && expires > 0 {
                self.watch.fail("who leaves does not register", || {
                    format!("with trunk {} at {now} ms", trunk + 1)
                });
                return;
            }
            watched.asked_to_leave |= expires == 0;
            return;
        }
        watched.unanswered.get_or_insert(now);
        if watched.last_asked == call_id {
            return; // it is repeated
        }
        watched.last_asked = call_id.to_owned();
        watched.asked.push_back(now);
        if watched.asked.len() > OPTIONS && watched.asked.pop_front().is_some_and(|at| now < at + WITHIN) {
            self.watch.fail("a trunk is not asked again and again", || {
                format!("trunk {} at {now} ms", trunk + 1)
            });
        }
    }

    /// After every turn: who does not answer is known to be down, who is there is asked, and bindings are renewed. Where a datagram can go:
    /// whether there is a connection is another question.
    pub(super) fn check_trunks(&mut self) {
        let now = self.now;
        for trunk in 0..self.watch.trunks.len() {
            let (script, watched) = (&self.scenario.trunks[trunk], &self.watch.trunks[trunk]);
            if watched.at.is_none() || script.transport.is_stream() {
                continue;
            }
            let begun = watched.found_at.max(self.watch.restarted);
            let asked = watched.asked.back().copied().unwrap_or(0).max(begun);
            let is_asked = script
                .keepalive
                .is_none_or(|keepalive| now < asked + keepalive + UNANSWERED);
            let is_silent = watched.unanswered.is_some_and(|since| now >= since + UNANSWERED);
            // Who leaves renews nothing, also when its farewell is refused.
            let bound_until = watched.bound_until.filter(|_| !watched.asked_to_leave);
            let is_down = watched.is_down;
            if !is_asked {
                self.watch.fail("a trunk is asked whether it is there", || {
                    format!("trunk {} is not, at {now} ms", trunk + 1)
                });
            } else if is_silent && !is_down {
                self.watch.fail("who does not answer is known to be down", || {
                    format!("trunk {} is not, at {now} ms", trunk + 1)
                });
            } else if bound_until.is_some_and(|until| until <= now) {
                self.watch.fail("a binding is renewed before its end", || {
                    format!("that of trunk {} is not, at {now} ms", trunk + 1)
                });
            }
        }
    }

    /// We have left: registrars were told so.
    pub(crate) fn check_left(&mut self) {
        let now = self.now;
        for trunk in 0..self.watch.trunks.len() {
            let watched = &self.watch.trunks[trunk];
            let is_there = watched.at.is_some() && !self.scenario.trunks[trunk].transport.is_stream();
            if watched.has_registered && is_there && !watched.asked_to_leave {
                self.watch.fail("registrars are told that we leave", || {
                    format!("that of trunk {} is not, at {now} ms", trunk + 1)
                });
            }
        }
    }

    /// Whether who is at the other end of this way is known to be there: everybody but a trunk always is.
    pub(super) fn knows(&self, path: &Path) -> bool {
        match self.trunk_from(path.remote.ip()) {
            Some(trunk) => self.watch.trunks[trunk].at == Some(path.remote.ip()),
            None => !self.strangers.is_unlisted(path),
        }
    }

    pub(super) fn check_trunk_up(&mut self, name: &str) {
        let now = self.now;
        let Some(trunk) = self.trunk_called(name) else { return };
        self.watch.trunks[trunk].is_down = false;
        if !self.watch.trunks[trunk].has_answered {
            self.watch.fail("what is said of a trunk is true", || {
                format!("{name} is up at {now} ms")
            });
        }
    }

    pub(super) fn check_trunk_down(&mut self, name: &str) {
        if let Some(trunk) = self.trunk_called(name) {
            self.watch.trunks[trunk].is_down = true;
            self.watch.tally.trunks_down += 1;
        }
    }

    pub(super) fn check_registered(&mut self, name: &str) {
        let now = self.now;
        let Some(trunk) = self.trunk_called(name) else { return };
        self.watch.tally.registered += 1;
        if !self.watch.trunks[trunk].has_registered {
            self.watch.fail("what is said of a trunk is true", || {
                format!("{name} is registered with at {now} ms")
            });
        }
    }

    pub(super) fn check_placing(&mut self, trunk: Option<usize>) {
        let now = self.now;
        if trunk.is_some_and(|trunk| self.watch.trunks[trunk].is_down) {
            self.watch
                .fail("no call goes by a trunk that is down", || format!("at {now} ms"));
        }
    }
}
