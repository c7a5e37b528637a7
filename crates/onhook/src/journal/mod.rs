//! The journal: what must be on disk before it may be acted on or answered.
//!
//! One thread writes. It takes the batches that are waiting, commits them as one transaction and tells what became of each
//! entry; so a thousand calls at once cost a few flushes, and one call costs one. The switch decides what waits for it: the
//! INVITE for its intent, the ACK for the answer, `NoError` for the wish. The BYE never waits.
//!
//! To the journal an intent, a dialog and a record are bytes; it knows nothing of SIP or EWS. It also does not end the
//! calls that it finds left over: it only lists them.
//!
//! ```text
//! batches    the way in, and the word about each entry   recover    the calls that an earlier process left
//! queue      what the writer is handed                   taking_up  which of them are being ended, should we die of one
//! writer     the thread, its transactions, the close     history    the calls that have ended
//! rows       what an entry is in the tables              upkeep     checkpoints, sweeps, a ballast anew
//! status     whether new calls may be written            full_disk  what is refused then, and the ballast given up
//! log_length what the write-ahead log is given at the start
//! ```

mod ballast;
mod batches;
mod checkpoint;
mod failure;
mod full_disk;
mod history;
mod log_length;
mod queue;
mod recover;
mod rows;
mod status;
mod taking_up;
mod upkeep;
mod writer;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use switch::journal::CallKey;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::store::{Reader, Store, StoreError};

use ballast::Ballast;
pub use batches::Batches;
pub use history::History;
use queue::Command;
pub use queue::Written;
pub use recover::Recovered;
use status::Status;
pub use taking_up::TakingUp;

/// How many entries may wait for the disk.
const QUEUE: usize = 16_384;

/// What the journal is told about its store.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Records that are older are swept.
    pub keep_records: Duration,
    /// Bytes of disk kept for calls that are up when the rest of the disk is full; 0 for none.
    pub ballast: u64,
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

/// A handle to the writing thread. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Journal {
    queue: mpsc::Sender<Command>,
    status: Status,
    /// The keys of calls of earlier processes are not above it.
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
        let status = Status::default();
        let (queue, commands) = mpsc::channel(QUEUE);
        let upkeep = upkeep::start(
            crate::store::connect(path)?,
            queue.downgrade(),
            ballast.clone(),
            status.clone(),
        )
        .map_err(JournalError::Thread)?;
        let writer = writer::Writer::new(
            connection,
            path,
            incarnation,
            settings.keep_records,
            ballast,
            status.clone(),
        )
        .map_err(|error| StoreError::from(error).at(path))?;
        writer::start(writer, commands, upkeep, lock)?;
        // There is room: nobody else has written yet.
        let _ = queue.try_send(Command::Sweep);
        let before = CallKey::before(incarnation);
        Ok((Self { queue, status, before }, recovered))
    }

    /// The calls that have ended, as `reader` finds them.
    pub fn history(&self, reader: Reader) -> History {
        History::new(reader, self.before)
    }

    /// The way in. `done` is told what became of the entries of each batch, in their order. The writing thread calls it, and writes
    /// nothing meanwhile.
    pub fn batches(&self, done: impl Fn(Vec<Written>) + Send + Sync + 'static) -> Batches {
        Batches::new(self.queue.clone(), self.status.clone(), Arc::new(done))
    }

    /// Below every call of this process, and above those of earlier ones.
    pub fn before(&self) -> CallKey {
        self.before
    }

    /// Whether a new call's intent would be tried. When not, it is better not begun: its end would be written, too.
    pub fn takes_new_calls(&self) -> bool {
        self.status.refusal().is_none()
    }

    /// Writes what is waiting, then closes the files. Later entries are refused, from every clone.
    pub async fn close(&self) -> Result<(), WriteError> {
        let (answer, closed) = oneshot::channel();
        // Unlike batches this waits for room: it comes once, and nothing is left to do meanwhile.
        self.queue
            .send(Command::Close(answer))
            .await
            .map_err(|_| WriteError::Closed)?;
        closed.await.unwrap_or(Err(WriteError::Closed))
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
