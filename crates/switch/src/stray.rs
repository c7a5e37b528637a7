//! Phones that answer when nobody remembers their call any more.

use call::{Call, Stray, Surroundings};
use sabotage::Fault;
use sip::{Path, Response};

use crate::{journal::IdHash, live::Live, output::Event, switch::Switch};

/// The owner of a call that nobody remembers.
const NOBODY: [u8; 32] = [0; 32];

impl Switch {
    /// A 2xx for a call that nobody remembers: a phone is off-hook, and only we can know. It is ended as a leftover is.
    ///
    /// With too many under way, or with its trunk nowhere, it waits: the phone repeats its 2xx until it is ACKed.
    pub(crate) fn end_stray(&mut self, path: Path, response: &Response) {
        if self.recovery.queue.is_full() || self.is_sabotaged(Fault::StrayForgotten) {
            return;
        }
        let Some(stray) = Stray::of(response, &self.settings.identity.branch_key) else {
            return;
        };
        let Some((trunk, around)) = self.trunk_of_stray(path) else {
            return self.look_up_lost_trunks();
        };
        let name = self.settings.trunks[trunk].name.clone();
        let call = Call::stray(stray, name, around);
        let key = self.next_key();
        let id = IdHash(self.names.unknown_id(key.0.unsigned_abs()));
        self.tell(Event::Stray {
            key,
            call_id: response.call_id.to_string(),
        });
        self.recovery.queue.begun(key, self.now);
        self.admit(key, Live::new(NOBODY, id, trunk, call, self.clock));
        self.take_place(key);
        self.act(key);
    }

    /// By the trunk that it came by: it knows the phone, and asks for its own password. Of several at one host, by that of its port. When no
    /// trunk is there any more, by one that was; else by one of the same transport, which alone can reach what it could.
    fn trunk_of_stray(&self, path: Path) -> Option<(usize, Surroundings)> {
        let first_hop = |trunk: usize| &self.settings.trunks[trunk].first_hop;
        let is_at = |trunk: &usize| {
            let mut addresses = self.trunks[*trunk].addresses.iter();
            addresses.any(|found| found.remote == path.remote.ip())
        };
        let was_at = |trunk: &usize| self.trunks[*trunk].moved_from.contains(&path.remote.ip());
        let is_reached_alike = |trunk: &usize| first_hop(*trunk).transport == path.transport;
        let mut trunks: Vec<usize> = (0..self.trunks.len()).collect();
        if !self.is_sabotaged(Fault::StrayByFirstTrunk) {
            if trunks.iter().any(is_at) {
                trunks.retain(is_at);
            } else if trunks.iter().any(was_at) {
                trunks.retain(was_at);
            } else if trunks.iter().any(is_reached_alike) {
                trunks.retain(is_reached_alike);
            }
            trunks.sort_by_key(|trunk| first_hop(*trunk).port != path.remote.port());
        }
        trunks.into_iter().find_map(|trunk| Some((trunk, self.around(trunk)?)))
    }
}
