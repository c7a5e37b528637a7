//! Rules about what there is only so much of: INVITEs that wait for a first answer, calls of a trunk, leftovers that are taken up at a time.

use std::net::SocketAddr;

use sip::{Method, Path, Transport};
use switch::{Load, journal::CallKey};

use super::CallWatch;
use crate::{
    message::Message,
    scenario::{T1, TRANSACTION},
    world::World,
};

impl World {
    /// The INVITE of a call leaves for the first time: it takes a place in the window of where it goes.
    pub(super) fn check_window(&mut self, call: usize, invite: &Message, path: &Path) {
        let (now, most) = (self.now, self.scenario.bounds.window);
        let out = &mut self.watch.unanswered;
        out.retain(|_, (_, since)| now < *since + TRANSACTION);
        out.insert((call, invite.branch.clone()), (*path, now));
        let hop = |path: &Path| -> (Transport, SocketAddr) { (path.transport, path.remote) };
        let there = out.values().filter(|(of, _)| hop(of) == hop(path)).count();
        if there > most {
            self.watch.fail("no more INVITEs wait for an answer than may", || {
                format!("{there} of {most} at {now} ms")
            });
        }
    }

    pub(super) fn leaves_window(&mut self, call: usize, response: &Message) {
        if response.method == Method::Invite {
            self.watch.unanswered.remove(&(call, response.branch.clone()));
        }
    }

    /// A call is placed by this trunk.
    pub(super) fn check_cap(&mut self, trunk: usize) {
        let (now, most) = (self.now, self.scenario.bounds.calls_per_trunk);
        let of = |key: &&CallKey| {
            let call = self.house.keys.get(*key);
            let watched = call.map(|call| &self.watch.calls[*call]);
            // A stray goes by the trunk that its answer came by, which need not be the one that its call was placed by.
            let is_placed = |watched: &CallWatch| watched.keys.first() == Some(*key);
            watched.is_some_and(|watched| watched.trunk == Some(trunk) && is_placed(watched) && !watched.has_ended())
        };
        let holding = self.watch.holding.iter().filter(of).count();
        if holding > most as usize {
            self.watch.fail("no more calls go by a trunk than may", || {
                format!("{holding} of {most} at {now} ms")
            });
        }
    }

    /// These leftovers are taken up next.
    pub(crate) fn check_deaths(&mut self, keys: &[CallKey]) {
        let now = self.now;
        let deaths = |key: &CallKey| self.house.disk.deaths_of(*key);
        let worst = keys.iter().map(deaths).max().unwrap_or(0);
        if worst > 2 || worst == 2 && keys.len() > 1 {
            self.watch
                .fail("whom processes died of is taken up alone, or not at all", || {
                    format!("{keys:?} at {now} ms; {worst} have died")
                });
        }
    }

    /// This leftover has been taken up: so many are within a T1, but for those whose phone speaks or whose client asks.
    pub(super) fn check_pace(&mut self, key: CallKey) {
        let (now, most) = (self.now, self.scenario.bounds.leftovers);
        let call = self.house.keys.get(&key);
        let has_ended = call.is_some_and(|call| self.watch.calls[*call].has_ended());
        let lately = &mut self.watch.lately;
        lately.retain(|_, since| now < *since + T1);
        // A message that names a call hurries it, whosever it is.
        let is_hurried = self.watch.hurried.contains(&key) || self.scenario.mismatches > 0;
        if !has_ended && !is_hurried {
            lately.insert(key, now);
        }
        let taken = lately.len();
        if taken > most {
            self.watch.fail("leftovers are taken up so many at a time", || {
                format!("{taken} of {most} at {now} ms")
            });
        }
    }

    /// Nothing happens any more: what was taken was given back.
    pub(super) fn check_places(&mut self, load: Load) {
        let Load {
            windows,
            waiting,
            early,
            leftovers,
            ..
        } = load;
        if windows + waiting + early + leftovers > 0 {
            self.watch.fail("what was taken is given back", || {
                format!("{windows} in windows, {waiting} waiting, {early} early, {leftovers} left")
            });
        }
    }
}
