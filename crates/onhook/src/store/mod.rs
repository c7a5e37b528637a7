//! The store: one SQLite file with users, voice messages and the journal's tables.
//!
//! Calls are written by [`crate::journal`] alone; this room opens the file, keeps its schema, and reads and writes the
//! rest. What [`Store`] does touches the disk, and is for commands; what a request reads comes from a [`Reader`] or from the
//! [`UserCache`], and keeps no worker of the runtime waiting.

mod migrate;
mod numbers;
mod reader;
mod secrets;
mod user_cache;
mod users;
mod voice_messages;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode};
use thiserror::Error;

pub use numbers::{Numbers, NumbersChange};
pub use reader::Reader;
pub use user_cache::{KnownUser, KnownUsers, UserCache};
pub use users::{NO_PASSWORD, User, UserError, UserName, UserNameError};
pub use voice_messages::{MessageFacts, MessageId, MessageSummary, NewMessage};

/// How long a writer waits for another process that holds the write lock (`onhook user`, `onhook voicemail`).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the store cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("the folder {} does not exist: make it, and let onhook write there", .0.display())]
    NoFolder(PathBuf),
    #[error(
        "cannot make the store {}: {source}: let the user that runs onhook write in its folder, or give [store] path another one",
        path.display()
    )]
    Unmakeable { path: PathBuf, source: io::Error },
    #[error(
        "cannot write the store {}: {source}: let the user that runs onhook own it, the files beside it and their folder",
        path.display()
    )]
    Unwritable { path: PathBuf, source: rusqlite::Error },
    #[error(
        "the store {0} is damaged: {1}: restore a backup, or save what can be read with `sqlite3 {0} .recover`",
        .path.display(), .source
    )]
    Damaged { path: PathBuf, source: rusqlite::Error },
    #[error("no room on the disk for the store {}: free some and try again", .0.display())]
    DiskFull(PathBuf),
    #[error("{} is not an onhook store: give [store] path another name", .0.display())]
    Foreign(PathBuf),
    #[error(
        "{} was written by a newer onhook (schema {found}, this one knows {known}): run that version, or restore a backup from before it",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("no random numbers from the system: {0}")]
    Random(#[from] getrandom::Error),
    #[error("cannot start a thread that reads the store: {0}")]
    NoThread(io::Error),
    #[error("the store takes too long to be read")]
    NotInTime,
    #[error("too many reads of the store wait for the disk")]
    TooManyReads,
    #[error("a read of the store failed")]
    NoAnswer,
}

impl StoreError {
    /// Whether the same may well work a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NotInTime | Self::TooManyReads)
    }

    /// Says what can be done about a failure of the file at `path`, where SQLite's own words do not.
    pub(crate) fn at(self, path: &Path) -> Self {
        let Self::Sqlite(source) = self else { return self };
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::Unwritable { path, source }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            Some(ErrorCode::DiskFull) => Self::DiskFull(path),
            Some(_) | None => Self::Sqlite(source),
        }
    }
}

/// An open store. It can be shared; one call at a time goes through.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the file, makes it if it is not there (readable by its owner only), and brings its schema up to date.
    ///
    /// # Errors
    /// When the folder is missing, the file is no store, a newer or a damaged one, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        create(path)?;
        let open = || {
            let mut connection = connect(path)?;
            migrate::migrate(&mut connection, path)?;
            Ok(Self {
                path: path.to_owned(),
                connection: Mutex::new(connection),
            })
        };
        open().map_err(|error: StoreError| error.at(path))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A panic elsewhere left no half-done work: a transaction that was not committed has been rolled back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another connection to a store that [`Store::open`] has been through.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Before anything is written: a file of somebody else's is not even put into WAL mode.
    migrate::schema_of(&connection, path)?;
    use_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// Puts the file into WAL mode, in which it stays.
///
/// For this one step SQLite does not wait for another program's lock by itself: when two make the file at once, one of
/// them is told that it is busy. It then waits its turn as a writer, and looks again.
fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    for _ in 0..100 {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            done => return done,
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL")
}

fn create(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        return Err(StoreError::NoFolder(folder.to_owned()));
    }
    // Only a new file is opened here: closing a descriptor of an old one would drop the locks that another connection
    // of this process holds on it (POSIX locks belong to the process). SQLite gives -wal and -shm the same permissions.
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Unmakeable {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Milliseconds since 1970, as the tables keep times.
pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The time of a column written by [`milliseconds`].
pub(crate) fn system_time(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
