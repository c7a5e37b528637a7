//! In which order the calls that a crash left are ended, and how many at a time.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use sip::Moment;

use crate::journal::CallKey as Key;

/// Leftovers whose ending begins within one T1, less those that are over. More at once would overrun the peer, and what it
/// drops is lost time. New calls are not counted: however many there are, the phones of old ones are hung up.
const AT_ONCE: usize = 128;

/// Whose turn comes when.
#[derive(Default)]
pub(crate) struct Turns {
    /// Whose turn has not come: first those whose phones are known to be up, then the newest.
    waiting: VecDeque<Key>,
    /// Of these the last start died, or of others that it took up in the same batch: one after the other, when nobody waits.
    suspects: VecDeque<Key>,
    /// Of each of these the last two starts died: alone, when all others are down.
    last: VecDeque<Key>,
    /// Whose turn has come within the last T1. Not longer: a far end that says nothing keeps a call for a minute, and
    /// must not keep all others waiting.
    lately: VecDeque<(Key, Moment)>,
    /// Who has had a turn and may be up, as far as somebody waits to be the last.
    up: BTreeSet<Key>,
    /// When the last turn was.
    latest: Option<Moment>,
}

/// When a leftover has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Soon,
    AfterOthers,
    Last,
    /// Three starts died of it.
    Never,
}

impl Turn {
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

impl Turns {
    pub(crate) fn add(&mut self, key: Key, turn: Turn) {
        match turn {
            Turn::Soon => self.waiting.push_back(key),
            Turn::AfterOthers => self.suspects.push_back(key),
            Turn::Last => self.last.push_back(key),
            Turn::Never => {}
        }
    }

    /// Whether this one has to wait until all others are down.
    pub(crate) fn comes_last(&self, key: Key) -> bool {
        self.last.contains(&key)
    }

    /// Who comes when all others are down.
    pub(crate) fn last_of_all(&self) -> Option<Key> {
        self.last.front().copied()
    }

    /// Whose turn it is now; of those who come alone, one. `is_up` says whether the phone of a call may still be up; a far end
    /// that says nothing is waited for as long as a transaction takes.
    pub(crate) fn take(&mut self, t1: Duration, now: Moment, is_up: impl Fn(Key) -> bool) -> Vec<Key> {
        while self.lately.front().is_some_and(|(_, since)| *since + t1 <= now) {
            self.lately.pop_front();
        }
        let room = AT_ONCE.saturating_sub(self.lately.len());
        if !self.waiting.is_empty() {
            let count = room.min(self.waiting.len());
            return self.waiting.drain(..count).collect();
        }
        if room > 0
            && let Some(key) = self.suspects.pop_front()
        {
            return vec![key];
        }
        if self.last.is_empty() || !self.suspects.is_empty() {
            return Vec::new();
        }
        self.up.retain(|key| is_up(*key));
        if self.up.is_empty() || self.patience(t1).is_none_or(|due| due <= now) {
            return self.last.pop_front().into_iter().collect();
        }
        Vec::new()
    }

    /// When to look again for a turn, once there is none.
    pub(crate) fn next(&self, t1: Duration) -> Option<Moment> {
        let (_, since) = self.lately.front()?;
        if self.is_full() && !(self.waiting.is_empty() && self.suspects.is_empty()) {
            return Some(*since + t1);
        }
        if self.last.is_empty() { None } else { self.patience(t1) }
    }

    /// A call has been taken up.
    pub(crate) fn begun(&mut self, key: Key, now: Moment) {
        self.lately.push_back((key, now));
        self.latest = Some(now);
        if !self.last.is_empty() {
            self.up.insert(key);
        }
    }

    /// Its turn comes now; false when it had come already.
    pub(crate) fn hurry(&mut self, key: Key) -> bool {
        let before = self.waiting.len() + self.suspects.len();
        self.waiting.retain(|other| *other != key);
        self.suspects.retain(|other| *other != key);
        self.waiting.len() + self.suspects.len() < before
    }

    /// A call has ended.
    pub(crate) fn over(&mut self, key: Key) {
        self.lately.retain(|(other, _)| *other != key);
    }

    /// These have to wait behind the others: there is no way to their phones.
    pub(crate) fn again(&mut self, keys: Vec<Key>) {
        self.waiting.extend(keys);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lately.len() >= AT_ONCE
    }

    fn patience(&self, t1: Duration) -> Option<Moment> {
        self.latest.map(|latest| latest + t1 * 64)
    }
}
