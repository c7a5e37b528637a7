//! Phones that answer when nobody remembers their call any more.

use call::Call;
use sip::{Path, Response};

use crate::{journal::IdHash, live::Live, output::Event, switch::Switch};

/// The owner of a call that nobody remembers.
const NOBODY: [u8; 32] = [0; 32];

impl Switch {
    /// A 2xx for a call that nobody remembers: a phone is off-hook, and only we can know. It is ended as a leftover is.
    ///
    /// With too many under way it waits: the phone repeats its 2xx until it is ACKed.
    pub(crate) fn end_stray(&mut self, path: Path, response: &Response) {
        if self.recovery.turns.is_full() {
            return;
        }
        // By the trunk that it came by: it knows the phone, and asks for its own password. Of several at one host, by that of its port.
        let is_at = |trunk: &usize| {
            self.trunks[*trunk]
                .addresses
                .iter()
                .any(|found| found.remote == path.remote.ip())
        };
        let is_its_port = |trunk: &usize| self.settings.trunks[*trunk].first_hop.port == path.remote.port();
        let mut trunks: Vec<usize> = (0..self.trunks.len()).collect();
        trunks.sort_by_key(|trunk| (!is_at(trunk), !is_its_port(trunk)));
        let found = trunks.into_iter().find_map(|trunk| Some((trunk, self.around(trunk)?)));
        let Some((trunk, around)) = found else { return };
        let name = self.settings.trunks[trunk].name.clone();
        let Some(call) = Call::stray(response, name, around) else {
            return;
        };
        let key = self.next_key();
        let id = IdHash(self.names.unknown_id(key.0.unsigned_abs()));
        self.tell(Event::Stray {
            key,
            call_id: response.call_id.to_string(),
        });
        self.recovery.turns.begun(key, self.now);
        self.admit(key, Live::new(NOBODY, id, trunk, call, self.clock));
        self.take_place(key);
        self.act(key);
    }
}
