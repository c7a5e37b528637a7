//! What waits to be handed to the journal: until the turn ends or, where nobody waits for it, a little longer.
//!
//! Most of what a hang-up costs the disk is the end of its call: it touches several tables, where the wish touches one. A few milliseconds'
//! ends in one transaction cost little more than one, and the next hang-up's wish does not wait behind it. A crash meanwhile has those
//! calls ended once more: their phones answer with 481.

use std::{mem, time::Duration};

use sip::Moment;

use crate::journal::{CallKey, Entry};

/// Ends that wait for others at most. More are one transaction that is long enough to be waited for.
const MOST_ENDS: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Batch {
    entries: Vec<Entry>,
    /// Ends that wait for others, and until when.
    ends: Vec<Entry>,
    due: Option<Moment>,
}

impl Batch {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// An end that nobody waits for.
    pub(crate) fn push_end(&mut self, end: Entry, now: Moment, wait: Duration) {
        self.ends.push(end);
        self.due.get_or_insert(now + wait);
        if self.ends.len() >= MOST_ENDS {
            self.hurry();
        }
    }

    /// Whether an end of this call waits for others.
    pub(crate) fn holds(&self, key: CallKey) -> bool {
        self.ends.iter().any(|end| end.key == key)
    }

    /// The ends wait no longer than for this turn's end.
    pub(crate) fn hurry(&mut self) {
        self.due = self.due.map(|_| Moment::default());
    }

    /// What is to be handed over now.
    pub(crate) fn take(&mut self, now: Moment) -> Vec<Entry> {
        let mut batch = mem::take(&mut self.entries);
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            batch.append(&mut self.ends);
            batch.sort_unstable_by_key(|entry| entry.number);
        }
        batch
    }

    /// How many ends wait for others.
    pub(crate) fn ends(&self) -> usize {
        self.ends.len()
    }

    /// When the ends have waited long enough.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.due
    }
}
