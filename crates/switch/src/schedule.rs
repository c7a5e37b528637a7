//! When to wake for what: at most one entry each, earliest first.

use std::collections::{BTreeMap, BTreeSet};

use sip::Moment;

#[derive(Debug)]
pub(crate) struct Schedule<Key> {
    by_time: BTreeSet<(Moment, Key)>,
    by_key: BTreeMap<Key, Moment>,
}

impl<Key> Default for Schedule<Key> {
    fn default() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }
}

impl<Key: Copy + Ord> Schedule<Key> {
    /// Replaces what was scheduled for it.
    pub(crate) fn set(&mut self, key: Key, due: Option<Moment>) {
        let before = match due {
            Some(due) => self.by_key.insert(key, due),
            None => self.by_key.remove(&key),
        };
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(due) = due {
            self.by_time.insert((due, key));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn next(&self) -> Option<(Moment, Key)> {
        self.by_time.first().copied()
    }

    /// Takes one that is due at `now`.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<Key> {
        let (due, key) = *self.by_time.first()?;
        if due > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_call_has_one_place_and_the_earliest_comes_first() {
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let mut schedule = Schedule::default();
        schedule.set(1, Some(at(30)));
        schedule.set(2, Some(at(20)));
        schedule.set(1, Some(at(10)));
        assert_eq!(schedule.next(), Some((at(10), 1)));
        assert_eq!(schedule.take_due(at(9)), None);
        assert_eq!(schedule.take_due(at(25)), Some(1));
        schedule.set(2, None);
        assert_eq!(schedule.take_due(at(99)), None);
        assert_eq!(schedule.next(), None);
    }
}
