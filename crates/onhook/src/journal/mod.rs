//! The journal: what must be on disk before it may be acted on or answered.
//!
//! One thread writes. It takes whatever is waiting, commits it as one transaction and tells every writer; so a thousand
//! calls at once cost a few flushes, and one call costs one. Callers get a future for each entry and decide what waits
//! for it: the intent before the INVITE, the answer before the ACK, the wish before `NoError`. The BYE never waits.
//!
//! To the journal an intent, a dialog and a record are bytes; it knows nothing of SIP or EWS. It also does not end the
//! calls that it finds left over: it only lists them.

mod ballast;
mod batches;
mod checkpoint;
mod entry;
mod failure;
mod gate;
mod history;
mod recover;
mod taking_up;
mod upkeep;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::store::{Reader, Store, StoreError};

use ballast::Ballast;
pub use batches::{Batches, Outcomes};
pub use entry::Write;
use entry::{Answer, Entry};
use gate::Gate;
pub use history::{Counted, History};
pub use recover::{Leftover, Recovered};
pub use switch::journal::{CallState, IdHash};
pub use taking_up::TakingUp;

/// How many entries may wait for the disk.
const QUEUE: usize = 16_384;
/// What of the queue is kept for calls that exist already: a new call's intent is refused before a hang-up is.
const KEPT_FOR_LIVE_CALLS: usize = QUEUE / 4;
/// The longest intent, dialog or record, in bytes.
const MAX_RECORD: usize = 64 * 1024;

/// What the journal is told about its store.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Records that are older are swept.
    pub keep_records: Duration,
    /// Bytes of disk kept for calls that are up when the rest of the disk is full; 0 for none.
    pub ballast: u64,
}

/// A call's row: incarnation of the server << 40 | counter, so that keys ascend over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(i64);

impl CallKey {
    /// The key of the call at this row.
    pub fn at(row: i64) -> Self {
        Self(row)
    }

    pub fn row(self) -> i64 {
        self.0
    }
}

impl fmt::Display for CallKey {
    /// Which life of the server, and which call in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 40, self.0 & ((1 << 40) - 1))
    }
}

/// A call detail record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub id_hash: IdHash,
    /// The key of the caller whose call it was.
    pub owner: [u8; 32],
    pub started: SystemTime,
    pub ended: SystemTime,
    /// Whether it was for a phone of the caller's own.
    pub own_phone: bool,
    /// A short word for statistics.
    pub cause: Cow<'static, str>,
    /// Everything that GetPhoneCallInformation needs later.
    pub record: Vec<u8>,
}

/// Why the journal cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    #[error("another onhook is serving from {}: stop it, or give this one its own [store] path", .0.display())]
    InUse(PathBuf),
    #[error("cannot lock {}: {source}: let the user that runs onhook write there", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("cannot start the journal's threads: {0}")]
    Thread(io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an entry is not on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    #[error("too many entries wait for the disk")]
    QueueFull,
    #[error("the record is too long")]
    TooLong,
    #[error("the disk is full")]
    DiskFull,
    #[error("another program kept the store locked")]
    Locked,
    /// The disk or the file failed once. Nothing is written any more: a flush that failed cannot be repeated and believed.
    #[error("the journal failed")]
    Failed,
    #[error("the journal is closed")]
    Closed,
}

/// Resolves when an entry is durable. Dropping it does not take the entry back.
#[derive(Debug)]
#[must_use = "an entry is on disk only when this has resolved to Ok; say so if nothing waits for it"]
pub struct Written(Outcome);

#[derive(Debug)]
enum Outcome {
    Waiting(oneshot::Receiver<Result<(), WriteError>>),
    Refused(WriteError),
}

impl Future for Written {
    type Output = Result<(), WriteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Outcome::Waiting(answer) => {
                Poll::Ready(ready!(Pin::new(answer).poll(context)).unwrap_or(Err(WriteError::Closed)))
            }
            Outcome::Refused(error) => Poll::Ready(Err(*error)),
        }
    }
}

/// A handle to the writing thread. Clones write to the same journal; entries of one clone are written in order.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<Entry>,
    gate: Gate,
    last_key: Arc<AtomicI64>,
    /// The keys of calls of earlier servers are not above it.
    before: CallKey,
}

impl Journal {
    /// Opens the journal for the one server that may use this store, and tells what an earlier one left behind.
    /// A ballast that cannot be made is warned of, and tried again when there is room.
    ///
    /// # Errors
    /// When another server has it open, or the store fails.
    pub fn open(store: &Store, settings: Settings) -> Result<(Self, Recovered), JournalError> {
        let path = store.path();
        let lock = lock(path)?;
        let connection = crate::store::connect(path)?;
        let (recovered, incarnation) =
            take_over(&connection, path).map_err(|error| StoreError::from(error).at(path))?;

        let ballast = Ballast::beside(path, settings.ballast);
        if let Err(error) = ballast.keep() {
            warn!(%error, file = %ballast.path().display(), size = ballast.size(),
                "no ballast: on a full disk calls may not end durably; free that many bytes, or set [store] ballast");
        }
        let gate = Gate::default();
        let (queue, entries) = mpsc::channel(QUEUE);
        let upkeep = upkeep::start(
            crate::store::connect(path)?,
            queue.downgrade(),
            ballast.clone(),
            gate.clone(),
        )
        .map_err(JournalError::Thread)?;
        let writer = writer::Writer::new(
            connection,
            path,
            incarnation,
            settings.keep_records,
            ballast,
            gate.clone(),
        )
        .map_err(|error| StoreError::from(error).at(path))?;
        writer::start(writer, entries, upkeep, lock)?;
        let journal = Self {
            queue,
            gate,
            last_key: Arc::new(AtomicI64::new(incarnation << 40)),
            before: CallKey(incarnation << 40),
        };
        drop(journal.sweep());
        Ok((journal, recovered))
    }

    /// The calls that have ended, as `reader` finds them.
    pub fn history(&self, reader: Reader) -> History {
        History::new(reader, self.before)
    }

    /// Another way in, for whoever has many things to write at once: `done` is told what became of each batch. The writing thread
    /// calls it, so it must not wait for anything.
    pub fn batches(&self, done: impl Fn(Outcomes) + Send + Sync + 'static) -> Batches {
        Batches::new(self.queue.clone(), self.gate.clone(), Arc::new(done))
    }

    /// Below every call of this server, and above those of earlier ones.
    pub fn before(&self) -> CallKey {
        self.before
    }

    /// The key of a new call, above all earlier ones.
    pub fn next_key(&self) -> CallKey {
        CallKey(self.last_key.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Whether a new call's intent would be tried. When not, it is better not begun: its end would be written, too.
    pub fn takes_new_calls(&self) -> bool {
        self.gate.refusal().is_none()
    }

    /// Writes that a call is going to be placed. No INVITE may leave before this has resolved.
    pub fn intent(&self, key: CallKey, id_hash: IdHash, intent: Vec<u8>) -> Written {
        if let Some(refusal) = self.gate.refusal()
            && !self.queue.is_closed()
        {
            return Written(Outcome::Refused(refusal));
        }
        if self.queue.capacity() <= KEPT_FOR_LIVE_CALLS && !self.queue.is_closed() {
            return Written(Outcome::Refused(WriteError::QueueFull));
        }
        self.write(Write::Intent { key, id_hash, intent })
    }

    /// Writes what has become of a call, over what was known of it.
    pub fn state(&self, key: CallKey, state: CallState) -> Written {
        self.write(Write::State { key, state })
    }

    /// Writes a call's record and forgets the rest of it.
    pub fn ended(&self, key: CallKey, ended: Ended) -> Written {
        self.write(Write::Ended { key, ended })
    }

    /// Removes some of the records that are too old. It is done on opening, at
    /// every end of a call, and once a minute; nobody has to ask for it.
    pub fn sweep(&self) -> Written {
        self.send(Entry::Sweep)
    }

    /// Writes what is waiting, then closes the files. Later entries are refused, from every clone.
    pub async fn close(&self) -> Result<(), WriteError> {
        let (answer, closed) = oneshot::channel();
        // Unlike all others this one waits for room: it comes once, and nothing is left to do meanwhile.
        self.queue
            .send(Entry::Close(answer))
            .await
            .map_err(|_| WriteError::Closed)?;
        closed.await.unwrap_or(Err(WriteError::Closed))
    }

    fn write(&self, write: Write) -> Written {
        if write.length() > MAX_RECORD {
            return Written(Outcome::Refused(WriteError::TooLong));
        }
        self.send(|answer| Entry::Write(write, answer))
    }

    fn send(&self, entry: impl FnOnce(Answer) -> Entry) -> Written {
        let (answer, written) = oneshot::channel();
        match self.queue.try_send(entry(answer)) {
            Ok(()) => Written(Outcome::Waiting(written)),
            Err(mpsc::error::TrySendError::Full(_)) => Written(Outcome::Refused(WriteError::QueueFull)),
            Err(mpsc::error::TrySendError::Closed(_)) => Written(Outcome::Refused(WriteError::Closed)),
        }
    }
}

/// What the last server left, and the number of this one. Nothing is written and no flush waited for: on a disk that is
/// busy or full, phones are to be hung up all the same. The writer puts the number down with its first entries.
fn take_over(connection: &rusqlite::Connection, store: &Path) -> rusqlite::Result<(Recovered, i64)> {
    let recovered = recover::recover(connection, store)?;
    let last: i64 = connection.query_row("SELECT last FROM incarnation", [], |row| row.get(0))?;
    // Fails when the file cannot be written: better told now than by the first call.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok((recovered, last + 1))
}

/// Takes the lock that only one server can hold; the system frees it when the process is gone, however it went.
fn lock(store: &Path) -> Result<File, JournalError> {
    let mut name = store.as_os_str().to_owned();
    name.push("-serving");
    let path = PathBuf::from(name);
    let failed = |source| JournalError::Lock {
        path: path.clone(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(store.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
