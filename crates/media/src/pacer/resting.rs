//! Streams with nothing to send: each is looked after when its time comes or something happens to it, all together every
//! 20 ms. Pure: the present is an argument.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// So that many who rest wake the thread once, and who floods a port is looked at 50 times a second.
const TOGETHER: Duration = Duration::from_millis(20);

pub(super) struct Resting {
    origin: Instant,
    until: HashMap<usize, Instant>,
    due: BTreeSet<(Instant, usize)>,
}

impl Resting {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            until: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    pub(super) fn insert(&mut self, key: usize, until: Instant) {
        self.remove(key);
        self.until.insert(key, until);
        self.due.insert((until, key));
    }

    /// Whether it rested.
    pub(super) fn remove(&mut self, key: usize) -> bool {
        let until = self.until.remove(&key);
        until.is_some_and(|until| self.due.remove(&(until, key)))
    }

    /// If it rests, it is looked after the next time that anybody is.
    pub(super) fn hasten(&mut self, key: usize, now: Instant) {
        if self.until.get(&key).is_some_and(|&until| until > now) {
            self.insert(key, now);
        }
    }

    /// When somebody has to be looked after.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (until, _) = self.due.first()?;
        let past = until.saturating_duration_since(self.origin).as_nanos() % TOGETHER.as_nanos();
        let rest = if past == 0 { 0 } else { TOGETHER.as_nanos() - past };
        Some(*until + Duration::from_nanos(rest as u64))
    }

    /// The next whose time has come; it rests no more.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<usize> {
        if self.next_due()? > now {
            return None;
        }
        let (_, key) = self.due.pop_first()?;
        self.until.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn take_all(resting: &mut Resting, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| resting.take_due(now)).collect()
    }

    #[test]
    fn those_due_within_20_ms_are_looked_after_together() {
        let start = Instant::now();
        let mut resting = Resting::new(start);
        for (key, until) in [(1, 1), (2, 19), (3, 21), (4, 5000)] {
            resting.insert(key, start + ms(until));
        }
        assert_eq!(take_all(&mut resting, start + ms(19)), []);
        assert_eq!(resting.next_due(), Some(start + ms(20)));
        assert_eq!(take_all(&mut resting, start + ms(20)), [1, 2]);
        assert_eq!(resting.next_due(), Some(start + ms(40)));
    }

    #[test]
    fn what_happens_to_one_that_rests_counts_once_in_20_ms() {
        let start = Instant::now();
        let mut resting = Resting::new(start);
        resting.insert(1, start + ms(5000));
        let mut looks = 0;
        for at in 1..=200 {
            resting.hasten(1, start + ms(at));
            for key in take_all(&mut resting, start + ms(at)) {
                looks += 1;
                resting.insert(key, start + ms(5000));
            }
        }
        assert_eq!(looks, 10);
        resting.hasten(2, start);
        assert!(resting.remove(1) && !resting.remove(1) && !resting.remove(2));
        assert_eq!(resting.next_due(), None);
    }
}
