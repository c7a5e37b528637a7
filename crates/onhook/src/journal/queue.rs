//! What goes through the queue to the writer, and what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use call::Save;
use switch::journal::{CallKey, Entry};
use tokio::sync::oneshot;

use super::WriteError;

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub number: u64,
    pub key: CallKey,
    pub save: Save,
    /// Whether it is durable; if not, why.
    pub outcome: Result<(), WriteError>,
}

impl Written {
    pub(super) fn new(entry: &Entry, outcome: Result<(), WriteError>) -> Self {
        Self {
            number: entry.number,
            key: entry.key,
            save: entry.save,
            outcome,
        }
    }
}

/// Who is told what became of a batch, in its order.
pub(super) type Done = Arc<dyn Fn(Vec<Written>) + Send + Sync>;

/// What the writer is to do.
pub(super) enum Command {
    Write(Batch),
    /// Remove some of the records that are too old.
    Sweep,
    /// Write what is waiting, close the files, and say how that went.
    Close(oneshot::Sender<Result<(), WriteError>>),
}

/// Entries on their way to the disk.
pub(super) struct Batch {
    entries: Vec<Entry>,
    /// How many entries of the same [`Batches`](super::Batches) wait for the disk.
    waiting: Arc<AtomicUsize>,
    done: Done,
}

impl Batch {
    /// Counts its entries among those that wait.
    pub(super) fn new(entries: Vec<Entry>, waiting: Arc<AtomicUsize>, done: Done) -> Self {
        waiting.fetch_add(entries.len(), Ordering::AcqRel);
        Self { entries, waiting, done }
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// It does not wait any more.
    pub(super) fn take_back(self) -> Vec<Entry> {
        self.waiting.fetch_sub(self.entries.len(), Ordering::AcqRel);
        self.entries
    }

    /// Tells what became of its intents, and of everything else.
    pub(super) fn tell(self, intents: Result<(), WriteError>, others: Result<(), WriteError>) {
        let done = self.done.clone();
        let outcome = |entry: &Entry| if is_intent(entry) { intents } else { others };
        let entries = self.take_back();
        done(
            entries
                .iter()
                .map(|entry| Written::new(entry, outcome(entry)))
                .collect(),
        );
    }
}

/// Whether it is about a new call. The row of one that has ended is begun anew when another of its phones answers: that is none.
pub(super) fn is_intent(entry: &Entry) -> bool {
    entry.save == Save::Intent
}
