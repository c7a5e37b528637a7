//! In which order the calls that a crash left are ended, and how many at a time.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use sip::Moment;

use crate::journal::CallKey as Key;

/// Who is taken up when.
#[derive(Default)]
pub(crate) struct LeftoverQueue {
    /// Leftovers whose ending begins within one T1, less those that are over. More at once would overrun the peer, and what it
    /// drops is lost time. New calls are not counted: however many there are, the phones of old ones are hung up.
    at_once: usize,
    /// Who has not been taken up: first those whose phones are known to be up, then the newest.
    waiting: VecDeque<Key>,
    /// Of these the last start died, or of others that it took up in the same batch: one after the other, when nobody waits.
    suspects: VecDeque<Key>,
    /// Of each of these the last two starts died: alone, when all others are down.
    last: VecDeque<Key>,
    /// Who would have been taken up, but there was no way to their phones: they are not in the way of others until somebody looks again.
    without_a_way: Vec<(Key, When)>,
    /// Who was taken up within the last T1. Not longer: a far end that says nothing keeps a call for a minute, and
    /// must not keep all others waiting.
    lately: VecDeque<(Key, Moment)>,
    /// Who was taken up and may have a phone that is up, as far as somebody waits to be the last.
    up: BTreeSet<Key>,
    /// When one was taken up last.
    latest: Option<Moment>,
}

/// When a leftover is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Soon,
    AfterOthers,
    Last,
    /// Three starts died of it.
    Never,
}

impl When {
    /// By how many starts in a row have died of it.
    pub(crate) fn after(deaths: u32) -> Self {
        match deaths {
            0 => Self::Soon,
            1 => Self::AfterOthers,
            2 => Self::Last,
            _ => Self::Never,
        }
    }
}

impl LeftoverQueue {
    /// So many at once, at least one.
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            at_once: at_once.max(1),
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, key: Key, when: When) {
        match when {
            When::Soon => self.waiting.push_back(key),
            When::AfterOthers => self.suspects.push_back(key),
            When::Last => self.last.push_back(key),
            When::Never => {}
        }
    }

    /// Whether this one has to wait until all others are down.
    pub(crate) fn comes_last(&self, key: Key) -> bool {
        self.last.contains(&key) || self.without_a_way.contains(&(key, When::Last))
    }

    fn someone_comes_last(&self) -> bool {
        let is_last = |(_, when): &(Key, When)| *when == When::Last;
        !self.last.is_empty() || self.without_a_way.iter().any(is_last)
    }

    /// Who was taken up more than a T1 ago makes room for others.
    pub(crate) fn make_room(&mut self, t1: Duration, now: Moment) {
        while self.lately.front().is_some_and(|(_, since)| *since + t1 <= now) {
            self.lately.pop_front();
        }
    }

    /// Who is taken up now, of those to whose phones there is a way; of those who come alone, one. `is_up` says whether the phone of a
    /// call may still be up; a far end that says nothing is waited for as long as a transaction takes.
    pub(crate) fn take(
        &mut self,
        t1: Duration,
        now: Moment,
        has_a_way: impl Fn(Key) -> bool,
        is_up: impl Fn(Key) -> bool,
    ) -> (When, Vec<Key>) {
        let room = self.at_once.saturating_sub(self.lately.len());
        let patience = self.patience(t1);
        let without_a_way = &mut self.without_a_way;
        let mut first = |queue: &mut VecDeque<Key>, when| {
            while let Some(key) = queue.pop_front() {
                if has_a_way(key) {
                    return Some(key);
                }
                without_a_way.push((key, when));
            }
            None
        };
        let mut batch = Vec::new();
        while batch.len() < room
            && let Some(key) = first(&mut self.waiting, When::Soon)
        {
            batch.push(key);
        }
        if !batch.is_empty() || !self.waiting.is_empty() {
            return (When::Soon, batch);
        }
        if room > 0
            && let Some(key) = first(&mut self.suspects, When::AfterOthers)
        {
            return (When::AfterOthers, vec![key]);
        }
        if self.suspects.is_empty() && !self.last.is_empty() {
            self.up.retain(|key| is_up(*key));
            if self.up.is_empty() || patience.is_none_or(|due| due <= now) {
                return (When::Last, first(&mut self.last, When::Last).into_iter().collect());
            }
        }
        (When::Soon, Vec::new())
    }

    /// When to look again, once nobody is to be taken up.
    pub(crate) fn next(&self, t1: Duration) -> Option<Moment> {
        if self.is_full() && !(self.waiting.is_empty() && self.suspects.is_empty()) {
            return self.lately.front().map(|(_, since)| *since + t1);
        }
        if self.last.is_empty() { None } else { self.patience(t1) }
    }

    /// A call has been taken up.
    pub(crate) fn begun(&mut self, key: Key, now: Moment) {
        self.lately.push_back((key, now));
        self.latest = Some(now);
        if self.someone_comes_last() {
            self.up.insert(key);
        }
    }

    /// It is taken up now; false when it has been already.
    pub(crate) fn hurry(&mut self, key: Key) -> bool {
        let before = self.count();
        self.waiting.retain(|other| *other != key);
        self.suspects.retain(|other| *other != key);
        self.without_a_way.retain(|(other, _)| *other != key);
        self.count() < before
    }

    fn count(&self) -> usize {
        self.waiting.len() + self.suspects.len() + self.without_a_way.len()
    }

    /// A call has ended.
    pub(crate) fn over(&mut self, key: Key) {
        self.lately.retain(|(other, _)| *other != key);
    }

    /// There was a way to this one's phone when it was to be taken up, and is none.
    pub(crate) fn without_a_way(&mut self, key: Key, when: When) {
        self.without_a_way.push((key, when));
    }

    pub(crate) fn is_someone_without_a_way(&self) -> bool {
        !self.without_a_way.is_empty()
    }

    /// There may be a way now to those who had none: they come behind the others.
    pub(crate) fn look_again(&mut self) {
        for (key, when) in std::mem::take(&mut self.without_a_way) {
            self.add(key, when);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lately.len() >= self.at_once
    }

    fn patience(&self, t1: Duration) -> Option<Moment> {
        self.latest.map(|latest| latest + t1 * 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Duration = Duration::from_millis(500);

    #[test]
    fn who_comes_last_is_taken_up_when_patience_with_the_others_ends() {
        let mut queue = LeftoverQueue::new(1);
        queue.add(Key(1), When::Last);
        queue.add(Key(2), When::Soon);
        let begun = Moment::after_start(T1);
        let take = |queue: &mut LeftoverQueue, at| {
            queue.make_room(T1, at);
            queue.take(T1, at, |_| true, |_| true).1
        };
        assert_eq!(take(&mut queue, begun), [Key(2)]);
        queue.begun(Key(2), begun);
        assert!(take(&mut queue, begun + T1 * 2).is_empty());
        assert_eq!(queue.next(T1), Some(begun + T1 * 64));
        assert_eq!(take(&mut queue, begun + T1 * 64), [Key(1)]);
    }

    #[test]
    fn those_without_a_way_take_nobodys_place_and_come_alone_if_they_had_to() {
        let mut queue = LeftoverQueue::new(1);
        queue.add(Key(1), When::Soon);
        queue.add(Key(2), When::Soon);
        queue.add(Key(3), When::AfterOthers);
        queue.add(Key(4), When::AfterOthers);
        queue.add(Key(5), When::Last);
        let begun = Moment::after_start(T1);
        let has_a_way = |key: Key| key.0 % 2 == 0;
        assert_eq!(queue.take(T1, begun, has_a_way, |_| true), (When::Soon, vec![Key(2)]));
        assert_eq!(
            queue.take(T1, begun, has_a_way, |_| true),
            (When::AfterOthers, vec![Key(4)])
        );
        assert_eq!(queue.take(T1, begun, has_a_way, |_| true), (When::Last, vec![]));
        assert!(queue.comes_last(Key(5)));
        queue.look_again();
        let all = std::iter::from_fn(|| Some(queue.take(T1, begun, |_| true, |_| true)));
        let in_order: Vec<_> = all.take_while(|(_, keys)| !keys.is_empty()).collect();
        assert_eq!(
            in_order,
            [
                (When::Soon, vec![Key(1)]),
                (When::AfterOthers, vec![Key(3)]),
                (When::Last, vec![Key(5)])
            ]
        );
    }
}
