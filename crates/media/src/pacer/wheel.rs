//! The wheel of time: 20 slots, one due each millisecond. Pure: the present is an argument.

use std::time::{Duration, Instant};

use super::stream::Active;

const SLOTS: usize = 20;

pub(super) struct Wheel {
    slots: [Vec<Active>; SLOTS],
    /// Ticks run since `origin`; the next to run is due at `origin` + `ticks` ms.
    ticks: u64,
    origin: Instant,
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            slots: std::array::from_fn(|_| Vec::new()),
            ticks: 0,
            origin: now,
        }
    }

    pub(super) fn insert(&mut self, active: Active, now: Instant) {
        if self.is_empty() {
            // An idle wheel stands still; it starts again from the present.
            self.origin = now;
            self.ticks = 0;
        }
        let slot = match active.preferred_slot() {
            Some(number) => number % SLOTS,
            // The emptiest, and of these the next that is due.
            None => (0..SLOTS)
                .map(|ahead| (self.ticks as usize + ahead) % SLOTS)
                .min_by_key(|&slot| self.slots[slot].len())
                .unwrap_or(0),
        };
        self.slots[slot].push(active);
    }

    /// When the next slot that holds a stream is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        (0..SLOTS as u64)
            .map(|ahead| self.ticks + ahead)
            .find(|&tick| !self.slots[tick as usize % SLOTS].is_empty())
            .map(|tick| self.due(tick))
    }

    /// The next slot, if it is due by `now`, with the moment it was due at; moves the wheel on.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Instant, &mut Vec<Active>)> {
        if self.is_empty() {
            return None;
        }
        let due = self.due(self.ticks);
        if due > now {
            return None;
        }
        let slot = self.ticks as usize % SLOTS;
        self.ticks += 1;
        Some((due, &mut self.slots[slot]))
    }

    /// If the wheel is more than `max_behind` late, moves it to the present and every stream's clock with it. Returns the
    /// milliseconds skipped.
    pub(super) fn skip_beyond(&mut self, now: Instant, max_behind: Duration) -> u64 {
        let behind = now.saturating_duration_since(self.due(self.ticks));
        if self.is_empty() || behind <= max_behind {
            return 0;
        }
        let skipped = behind.as_millis() as u64;
        self.origin += Duration::from_millis(skipped);
        for active in self.slots.iter_mut().flatten() {
            active.skip(skipped);
        }
        skipped
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Active> + '_ {
        self.slots.iter_mut().flat_map(|slot| slot.drain(..))
    }

    fn is_empty(&self) -> bool {
        self.slots.iter().all(Vec::is_empty)
    }

    fn due(&self, tick: u64) -> Instant {
        self.origin + Duration::from_millis(tick)
    }
}
