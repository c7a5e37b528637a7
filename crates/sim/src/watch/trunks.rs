//! Rules about trunks: what is said of one is true, and a call goes by one that is there as far as anybody knows.

use std::net::IpAddr;

use sip::Path;

use crate::{
    scenario::{Millis, Scenario},
    world::World,
};

/// What this process knows of a trunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TrunkWatch {
    /// Where it is, and since when that is known. A trunk that is a name is not found at once.
    pub(super) at: Option<IpAddr>,
    pub(super) found_at: Millis,
    has_answered: bool,
    has_registered: bool,
    is_down: bool,
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
            (self.at, self.found_at) = (at, now);
        }
    }

    pub(super) fn has_answered(&mut self, is_done: bool) {
        self.has_answered = true;
        self.has_registered |= is_done;
    }
}

impl World {
    /// Whether who is at the other end of this way is known to be there: everybody but a trunk always is.
    pub(super) fn knows(&self, path: &Path) -> bool {
        let trunk = self.trunk_at(path.remote);
        trunk.is_none_or(|trunk| self.watch.trunks[trunk].at == Some(path.remote.ip()))
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
