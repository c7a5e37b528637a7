//! Rules about memory: what the switch says it holds is bounded by the calls of a run, whatever peers send; and at rest it holds nothing of
//! a call.

use switch::{Load, Switch};

use crate::{strangers::A_SECOND, world::World};

/// How many turns one look is for: it counts everything.
const LOOK: u64 = 32;
/// Requests inside one call that a phone has out at a time, and that are remembered for 64·T1.
const REQUESTS: usize = 64;

impl World {
    pub(super) fn check_load(&mut self, switch: &Switch) {
        if !self.watch.turns.is_multiple_of(LOOK) {
            return;
        }
        let now = self.now;
        let (calls, trunks) = (self.parties.len(), self.scenario.trunks.len());
        let phones: usize = self.parties.iter().map(|party| party.phones.len()).sum();
        // A phone that answers after its call was forgotten makes one more.
        let machines = calls + self.watch.tally.strays as usize;
        let strangers = if self.hears_strangers() {
            40 * A_SECOND as usize + calls * REQUESTS
        } else {
            0
        };
        let load = switch.load();
        let Load {
            live,
            leftovers,
            early,
            requests,
            waiting,
            windows,
            unacked,
            connections,
            names,
            hosts,
            ends,
            transactions,
            ..
        } = load;
        let is_bounded = live <= machines
            && leftovers <= machines
            && early <= 256 + calls * REQUESTS
            && requests <= machines * REQUESTS
            && waiting <= machines
            && windows <= machines * 2
            && unacked <= machines * REQUESTS
            && connections <= 4 * (phones + trunks)
            && names <= 2 * (phones + trunks)
            && ends < 16
            && hosts <= 8 * machines + 4 * trunks
            && transactions.servers <= machines * REQUESTS + strangers;
        if !is_bounded {
            self.watch
                .fail("what is remembered is bounded", || format!("{load:?} at {now} ms"));
        }
    }

    /// Nothing more will happen.
    pub(super) fn check_load_at_rest(&mut self) {
        let Some(load) = self.house.load() else { return };
        let Load {
            live,
            early,
            requests,
            waiting,
            windows,
            unacked,
            writing,
            ..
        } = load;
        if live == 0 && early + requests + waiting + windows + unacked + writing > 0 {
            self.watch
                .fail("nothing is remembered of calls that are over", || format!("{load:?}"));
        }
    }
}
