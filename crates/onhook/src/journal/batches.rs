//! The journal's face for the one who owns all calls: what one turn wants durable goes in together and comes back together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{self, error::TrySendError};

use super::entry::{Entry, Write};
use super::gate::Gate;
use super::{KEPT_FOR_LIVE_CALLS, MAX_RECORD, QUEUE, WriteError};

/// What became of the writes of one batch, in its order, by the numbers they were given.
pub type Outcomes = Vec<(u64, Result<(), WriteError>)>;

type Done = Arc<dyn Fn(Outcomes) + Send + Sync>;

/// Writes batches. They are durable in the order they were submitted, each in one transaction or with others in one; one flush
/// serves all that are in it. Entries of [`Journal`](super::Journal)'s other face keep an order of their own.
pub struct Batches {
    queue: mpsc::Sender<Entry>,
    gate: Gate,
    /// Writes that wait for the disk.
    waiting: Arc<AtomicUsize>,
    done: Done,
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

impl Batches {
    pub(super) fn new(queue: mpsc::Sender<Entry>, gate: Gate, done: Done) -> Self {
        Self {
            queue,
            gate,
            waiting: Arc::default(),
            done,
        }
    }

    /// Hands a batch to the disk, without waiting, and gives back what is refused at once. Everything else is told by the callback,
    /// once for the batch; its intents may be refused there while the rest of it is durable (a full disk).
    ///
    /// At most 16 384 writes wait; from three quarters of that on intents are refused, so that running calls can end.
    #[must_use = "what is refused here is not told again"]
    pub fn submit(&mut self, batch: Vec<(u64, Write)>) -> Vec<(u64, WriteError)> {
        let mut refused = Vec::new();
        let mut taken = Vec::with_capacity(batch.len());
        let closed = self.queue.is_closed().then_some(WriteError::Closed);
        let shut = self.gate.refusal();
        // Only this adds to it.
        let mut waiting = self.waiting.load(Ordering::Acquire);
        for (number, write) in batch {
            match closed.or_else(|| refusal(&write, shut, waiting)) {
                Some(error) => refused.push((number, error)),
                None => {
                    waiting += 1;
                    taken.push((number, write));
                }
            }
        }
        if taken.is_empty() {
            return refused;
        }
        self.waiting.fetch_add(taken.len(), Ordering::AcqRel);
        let batch = Batch {
            writes: taken,
            waiting: self.waiting.clone(),
            done: self.done.clone(),
        };
        let (batch, error) = match self.queue.try_send(Entry::Batch(batch)) {
            Ok(()) => return refused,
            Err(TrySendError::Full(batch)) => (batch, WriteError::QueueFull),
            Err(TrySendError::Closed(batch)) => (batch, WriteError::Closed),
        };
        if let Entry::Batch(batch) = batch {
            refused.extend(batch.take_back().into_iter().map(|(number, _)| (number, error)));
        }
        refused
    }
}

/// Why a write is not tried.
fn refusal(write: &Write, shut: Option<WriteError>, waiting: usize) -> Option<WriteError> {
    if write.length() > MAX_RECORD {
        return Some(WriteError::TooLong);
    }
    let most = if write.is_intent() {
        if shut.is_some() {
            return shut;
        }
        QUEUE - KEPT_FOR_LIVE_CALLS
    } else {
        QUEUE
    };
    (waiting >= most).then_some(WriteError::QueueFull)
}

/// A batch on its way to the disk.
pub(super) struct Batch {
    writes: Vec<(u64, Write)>,
    waiting: Arc<AtomicUsize>,
    done: Done,
}

impl Batch {
    pub(super) fn writes(&self) -> &[(u64, Write)] {
        &self.writes
    }

    fn take_back(self) -> Vec<(u64, Write)> {
        self.waiting.fetch_sub(self.writes.len(), Ordering::AcqRel);
        self.writes
    }

    pub(super) fn answer(self, intents: Result<(), WriteError>, others: Result<(), WriteError>) {
        let done = self.done.clone();
        let outcome = |write: &Write| if write.is_intent() { intents } else { others };
        let written = self.take_back();
        done(
            written
                .iter()
                .map(|(number, write)| (*number, outcome(write)))
                .collect(),
        );
    }
}
