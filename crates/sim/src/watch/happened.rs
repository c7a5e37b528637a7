//! What the switch says has happened: it is true, and is remembered for the rules.

use switch::{Event, NoWay, journal::CallKey};

use super::Situation;
use crate::world::World;

impl World {
    /// The switch tells what has happened.
    pub(crate) fn happened(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Placing {
                key, call_id, trunk, ..
            } => {
                let trunk = self.trunk_called(&trunk);
                self.check_placing(trunk);
                if let Some(call) = self.named(key, &call_id) {
                    self.watch.calls[call].trunk = trunk;
                }
                self.watch.holding.insert(key);
                if let Some(trunk) = trunk {
                    self.check_cap(trunk);
                }
            }
            Event::Stray { key, call_id } => {
                self.watch.tally.strays += 1;
                self.watch.meet(Situation::AnswerToNobody);
                if let Some(call) = self.named(key, &call_id) {
                    // While its own trunk is nowhere, any other may know the way.
                    self.watch.calls[call].goes_by_any |= self.has_no_trunk(call) || self.trunk_has_moved_since(call);
                    // It was forgotten: a 2xx that the network has kept until now may cost another BYE.
                    let watched = &mut self.watch.calls[call];
                    watched.had_ended |= watched.ended.take().is_some();
                    watched.forget_ends();
                }
                self.watch.holding.insert(key);
            }
            Event::Ended { key, end, .. } => self.check_end(key, end),
            Event::LeftoverLeftAlone(key) => {
                self.watch.tally.left_alone += 1;
                if let Some(call) = self.house.keys.get(&key) {
                    self.watch.calls[*call].is_left_alone = true;
                }
            }
            Event::LeftoverUnreadable(key) => self
                .watch
                .fail("what was written can be read", || format!("{key} at {now} ms")),
            // Of a flood, and of what is nobody's.
            Event::TurnedAway { what, .. } if what != "a datagram" && self.hears_strangers() => {}
            Event::TurnedAway { path, .. } if !self.knows(&path) => {}
            Event::TurnedAway { what, .. } => {
                self.watch.fail("nobody who belongs here is turned away", || {
                    format!("{what} at {now} ms")
                });
            }
            Event::TrunkUp(trunk) => self.check_trunk_up(&trunk),
            Event::TrunkDown { trunk, .. } => self.check_trunk_down(&trunk),
            Event::Registered(trunk) => self.check_registered(&trunk),
            Event::Capped { .. } if self.scenario.bounds.are_small() => {}
            Event::Capped { .. } => self.watch.fail("no cap is met here", || format!("at {now} ms")),
            Event::NeverDelivered(_) => self.watch.meet(Situation::NeverDelivered),
            Event::Unreachable {
                why: Some(NoWay::NotFound { host, .. }),
                ..
            }
            | Event::Redirected {
                why: NoWay::NotFound { host, .. },
                ..
            } if self.watch.found.contains(&host) => {
                self.watch
                    .fail("a name that was found stays found", || format!("{host} at {now} ms"));
            }
            Event::Abandoned(_)
            | Event::NotSaved { .. }
            | Event::Unreachable { .. }
            | Event::Redirected { .. }
            | Event::UnusableAnswer { .. }
            | Event::LeftoversFound(_)
            | Event::LeftoverLast(_)
            | Event::RegisterFailed { .. }
            | Event::StaleAddresses { .. }
            | Event::FoundAgain(_)
            | Event::Live(_) => {}
        }
    }

    /// This key is for the call of this Call-ID.
    fn named(&mut self, key: CallKey, call_id: &str) -> Option<usize> {
        let name = call_id.strip_prefix("call-")?.strip_suffix("@onhook")?.parse().ok()?;
        let call = self.call_named(name)?;
        self.house.keys.insert(key, call);
        self.watch.calls[call].keys.push(key);
        Some(call)
    }
}
