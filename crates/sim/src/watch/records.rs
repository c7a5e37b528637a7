//! Rules about what is written: nothing of a call that is over, and whom a crash has left is taken up at once.

use call::Save;
use switch::journal::{CallKey, Entry};

use crate::world::World;

impl World {
    pub(crate) fn check_entry(&mut self, entry: &Entry) {
        let now = self.now;
        if entry.save == Save::End {
            self.watch.holding.remove(&entry.key);
        } else {
            self.watch.holding.insert(entry.key);
        }
        let Some(call) = self.house.keys.get(&entry.key).copied() else {
            return;
        };
        let (turn, watched) = (self.watch.turns, &self.watch.calls[call]);
        let is_over = watched.ended.as_ref().is_some_and(|(_, ended)| *ended < turn);
        // Of two that a crash left with one Call-ID, the other may still be ended.
        let is_over = is_over && watched.ended_keys.contains(&entry.key);
        if is_over && matches!(entry.save, Save::Intent | Save::Answer | Save::Wish) {
            let save = entry.save;
            self.watch
                .fail("nothing leaves after the end", || format!("{save:?} at {now} ms"));
        }
    }

    pub(crate) fn refused(&mut self, entry: &Entry) {
        self.watch.tally.refused += 1;
        self.watch.meet_refusal(entry.save);
        if let Some(call) = self.house.keys.get(&entry.key) {
            let watched = &mut self.watch.calls[*call];
            match entry.save {
                Save::Wish | Save::End => watched.end_refused = true,
                Save::Answer | Save::Fork(_) => watched.answer_refused = true,
                Save::Intent => {}
            }
        }
    }

    /// Leftovers have been taken up.
    pub(crate) fn check_taken_up(&mut self, keys: &[CallKey]) {
        let now = self.now;
        for key in keys {
            if !self.watch.said.contains(key) {
                self.watch
                    .fail("who is taken up was said to be", || format!("{key} at {now} ms"));
            }
            let trunk = self.house.keys.get(key).and_then(|call| self.watch.calls[*call].trunk);
            let at = trunk.map(|trunk| (self.watch.trunks[trunk].at, self.watch.trunks[trunk].found_at));
            if at.is_some_and(|(at, _)| at.is_none()) {
                continue; // it still waits: there is no way to its phone
            }
            self.watch.left.remove(key);
            self.check_pace(*key);
            let deaths = self.house.disk.deaths_of(*key);
            let since = self.watch.restarted.max(at.map_or(0, |(_, found_at)| found_at));
            if deaths == 0 && now > since + 2000 + self.scenario.recovery() {
                self.watch
                    .fail("leftovers are taken up at once", || format!("{key} at {now} ms"));
            }
            if let Some(call) = self.house.keys.get(key) {
                self.watch.calls[*call].taken_up = now;
            }
        }
    }
}
