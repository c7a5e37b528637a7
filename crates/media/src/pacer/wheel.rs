//! The wheel of time: 20 slots with the keys of streams, one slot due each millisecond. Pure: the present is an argument.

use std::time::{Duration, Instant};

const SLOTS: usize = 20;

pub(super) struct Wheel {
    slots: [Vec<usize>; SLOTS],
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

    /// Into that slot, or wherever there is most room.
    pub(super) fn insert(&mut self, key: usize, preferred_slot: Option<usize>, now: Instant) {
        if self.is_empty() {
            // An idle wheel stands still; it starts again from the present.
            self.origin = now;
            self.ticks = 0;
        }
        let slot = match preferred_slot {
            Some(number) => number % SLOTS,
            // The emptiest, and of these the next that is due.
            None => (0..SLOTS)
                .map(|ahead| (self.ticks as usize + ahead) % SLOTS)
                .min_by_key(|&slot| self.slots[slot].len())
                .unwrap_or(0),
        };
        self.slots[slot].push(key);
    }

    /// When the next slot that holds a stream is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        (0..SLOTS as u64)
            .map(|ahead| self.ticks + ahead)
            .find(|&tick| !self.slots[tick as usize % SLOTS].is_empty())
            .map(|tick| self.due(tick))
    }

    /// The next slot, if it is due by `now`, with the moment it was due at; moves the wheel on.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Instant, &mut Vec<usize>)> {
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

    /// If the wheel is more than `max_behind` late, moves it to the present. Returns the milliseconds skipped.
    pub(super) fn skip_beyond(&mut self, now: Instant, max_behind: Duration) -> u64 {
        let behind = now.saturating_duration_since(self.due(self.ticks));
        if self.is_empty() || behind <= max_behind {
            return 0;
        }
        let skipped = behind.as_millis() as u64;
        self.origin += Duration::from_millis(skipped);
        skipped
    }

    fn is_empty(&self) -> bool {
        self.slots.iter().all(Vec::is_empty)
    }

    fn due(&self, tick: u64) -> Instant {
        self.origin + Duration::from_millis(tick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(count: usize, preferred_slot: Option<usize>, now: Instant) -> Wheel {
        let mut wheel = Wheel::new(now);
        for key in 0..count {
            wheel.insert(key, preferred_slot, now);
        }
        wheel
    }

    /// Slots run until `now`, and streams in them.
    fn run(wheel: &mut Wheel, now: Instant) -> (usize, usize) {
        let (mut slots, mut turns) = (0, 0);
        while let Some((due, slot)) = wheel.take_due(now) {
            assert!(due <= now);
            (slots, turns) = (slots + 1, turns + slot.len());
        }
        (slots, turns)
    }

    #[test]
    fn streams_are_spread_and_each_has_one_turn_in_20_ms() {
        let now = Instant::now();
        let mut wheel = wheel(40, None, now);
        assert!(wheel.slots.iter().all(|slot| slot.len() == 2));
        assert_eq!(run(&mut wheel, now + Duration::from_millis(19)), (20, 40));
        assert_eq!(run(&mut wheel, now + Duration::from_millis(39)), (20, 40));
    }

    #[test]
    fn streams_on_one_port_have_their_turn_together() {
        let wheel = wheel(8, Some(27), Instant::now());
        assert_eq!(wheel.slots.iter().filter(|slot| !slot.is_empty()).count(), 1);
    }

    #[test]
    fn a_short_delay_is_caught_up_and_a_long_one_skipped() {
        let start = Instant::now();
        let limit = Duration::from_millis(100);
        let mut wheel = wheel(20, None, start);
        let late = start + Duration::from_millis(99);
        assert_eq!(wheel.skip_beyond(late, limit), 0);
        assert_eq!(run(&mut wheel, late), (100, 100), "five turns each");
        let suspended = late + Duration::from_secs(3600);
        assert_eq!(wheel.skip_beyond(suspended, limit), 3_599_999);
        assert_eq!(run(&mut wheel, suspended), (1, 1), "no flood");
        assert_eq!(wheel.next_due(), Some(suspended + Duration::from_millis(1)));
    }

    #[test]
    fn an_idle_wheel_starts_again_from_the_present() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.next_due(), None);
        let later = start + Duration::from_secs(3600);
        wheel.insert(7, None, later);
        assert_eq!(wheel.skip_beyond(later, Duration::from_millis(100)), 0);
        assert_eq!(wheel.next_due(), Some(later));
    }
}
