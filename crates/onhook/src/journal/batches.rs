//! The way in: what one turn of the switch wants durable is handed in together, and what became of it comes back together.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switch::journal::{Entry, Write};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::queue::{Batch, Command, Done, Written, is_intent};
use super::status::Status;
use super::{QUEUE, WriteError};

/// What of the queue is kept for calls that exist already: a new call's intent is refused before a hang-up is.
const KEPT_FOR_LIVE_CALLS: usize = QUEUE / 4;
/// The longest intent, dialog or record, in bytes.
const MAX_RECORD: usize = 64 * 1024;

/// Writes batches. They are durable in the order in which they were handed in, each in one transaction or several in one; one
/// flush serves all that are in it.
pub struct Batches {
    queue: mpsc::Sender<Command>,
    status: Status,
    /// Entries that wait for the disk.
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
    pub(super) fn new(queue: mpsc::Sender<Command>, status: Status, done: Done) -> Self {
        Self {
            queue,
            status,
            waiting: Arc::default(),
            done,
        }
    }

    /// Hands a batch to the disk, without waiting, and gives back what is refused at once. Everything else is told by the callback,
    /// once for the batch; its intents may be refused there while the rest of it is durable (a full disk).
    ///
    /// At most 16 384 entries wait; from three quarters of that on intents are refused, so that running calls can end. An intent,
    /// dialog or record has 64 KiB at most.
    #[must_use = "what is refused here is not told again"]
    pub fn submit(&mut self, batch: Vec<Entry>) -> Vec<Written> {
        let mut refused = Vec::new();
        let mut taken = Vec::with_capacity(batch.len());
        let no_new_calls = self.status.refusal();
        // Only this adds to it.
        let mut waiting = self.waiting.load(Ordering::Acquire);
        for entry in batch {
            match refusal(&entry, no_new_calls, waiting) {
                Some(error) => refused.push(Written::new(&entry, Err(error))),
                None => {
                    waiting += 1;
                    taken.push(entry);
                }
            }
        }
        if taken.is_empty() {
            return refused;
        }
        let batch = Batch::new(taken, self.waiting.clone(), self.done.clone());
        let (command, error) = match self.queue.try_send(Command::Write(batch)) {
            Ok(()) => return refused,
            Err(TrySendError::Full(command)) => (command, WriteError::QueueFull),
            Err(TrySendError::Closed(command)) => (command, WriteError::Closed),
        };
        if let Command::Write(batch) = command {
            let entries = batch.take_back();
            refused.extend(entries.iter().map(|entry| Written::new(entry, Err(error))));
        }
        refused
    }
}

/// Why an entry is not tried.
fn refusal(entry: &Entry, no_new_calls: Option<WriteError>, waiting: usize) -> Option<WriteError> {
    if length(&entry.write) > MAX_RECORD {
        return Some(WriteError::TooLong);
    }
    let most = if is_intent(entry) {
        if no_new_calls.is_some() {
            return no_new_calls;
        }
        QUEUE - KEPT_FOR_LIVE_CALLS
    } else {
        QUEUE
    };
    (waiting >= most).then_some(WriteError::QueueFull)
}

/// Bytes of the intent, dialog or record.
fn length(write: &Write) -> usize {
    match write {
        Write::Intent { intent, .. } => intent.len(),
        Write::State(state) => state.dialog.len(),
        Write::Ended(ended) => ended.record.len(),
    }
}
