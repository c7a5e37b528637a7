//! The one thread that writes the journal.

use std::fs::File;
use std::thread;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use tokio::sync::mpsc;
use tracing::error;

use super::checkpoint::Checkpoints;
use super::{Entry, JournalError, Write, WriteError};
use crate::store::milliseconds;

/// How many entries one transaction takes at most.
const BATCH: usize = 2_048;
/// How many old records one transaction removes at most.
const SWEEP: i64 = 500;
/// Pages in the write-ahead log at which the writer itself moves them, should the checkpoint thread not keep up.
const AUTOCHECKPOINT: i64 = 4_000;

pub(super) struct Writer {
    connection: Connection,
    keep_records: Duration,
    /// Set by the first error that leaves doubt about what is on disk.
    failed: bool,
}

pub(super) fn start(
    connection: Connection,
    entries: mpsc::Receiver<Entry>,
    checkpoints: Checkpoints,
    keep_records: Duration,
    lock: File,
) -> Result<(), JournalError> {
    let writer = Writer::new(connection, keep_records)?;
    thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || writer.run(entries, checkpoints, lock))
        .map_err(JournalError::Thread)?;
    Ok(())
}

impl Writer {
    fn new(connection: Connection, keep_records: Duration) -> rusqlite::Result<Self> {
        connection.pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT)?;
        Ok(Self {
            connection,
            keep_records,
            failed: false,
        })
    }

    fn run(mut self, mut entries: mpsc::Receiver<Entry>, checkpoints: Checkpoints, lock: File) {
        let mut batch = Vec::new();
        let mut closing = Vec::new();
        while entries.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (close, writes): (Vec<Entry>, _) =
                batch.drain(..).partition(|entry| matches!(entry.write, Write::Close));
            if !close.is_empty() {
                // What is in the queue is still received and written; nothing new gets in.
                entries.close();
                closing.extend(close);
            }
            self.write(writes);
            checkpoints.wake();
        }
        checkpoints.stop();
        // All into the one file, for whoever copies it now. What stays in the log is not lost: it is read at the next start.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let closed = match self.connection.close() {
            Ok(()) => Ok(()),
            Err(_) => Err(WriteError::Failed),
        };
        drop(lock);
        for entry in closing {
            let _ = entry.answer.send(closed);
        }
    }

    /// Makes a batch durable and answers each of its entries.
    fn write(&mut self, batch: Vec<Entry>) {
        let is_intent = |entry: &Entry| matches!(entry.write, Write::Intent { .. });
        let outcome = self.commit(batch.iter());
        // The full disk of new calls must not keep running ones from ending.
        let (intents, others) = match outcome {
            Err(WriteError::DiskFull) => (outcome, self.commit(batch.iter().filter(|entry| !is_intent(entry)))),
            outcome => (outcome, outcome),
        };
        for entry in batch {
            let outcome = if is_intent(&entry) { intents } else { others };
            // Whoever wrote it may not be waiting.
            let _ = entry.answer.send(outcome);
        }
    }

    fn commit<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> Result<(), WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        self.transact(entries).map_err(|cause| {
            let error = classify(&cause);
            error!(%cause, "the journal did not take a batch: {error}");
            self.failed |= error == WriteError::Failed;
            error
        })
    }

    fn transact<'e>(&mut self, entries: impl Iterator<Item = &'e Entry>) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut sweep = false;
        for entry in entries {
            match &entry.write {
                Write::Intent { key, id_hash, intent } => {
                    transaction
                        .prepare_cached("INSERT OR REPLACE INTO call (k, id_hash, intent) VALUES (?1, ?2, ?3)")?
                        .execute(params![key.0, id_hash.0, intent])?;
                }
                Write::State { key, state } => {
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO call_state (k, phase, wish, dialog) VALUES (?1, ?2, ?3, ?4)",
                        )?
                        .execute(params![key.0, state.phase, state.wish, state.dialog])?;
                }
                Write::Ended { key, ended } => {
                    sweep = true;
                    transaction
                        .prepare_cached("DELETE FROM call WHERE k = ?1")?
                        .execute(params![key.0])?;
                    transaction
                        .prepare_cached("DELETE FROM call_state WHERE k = ?1")?
                        .execute(params![key.0])?;
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO cdr (k, id_hash, owner, started, ended, cause, record)
                             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                        )?
                        .execute(params![
                            key.0,
                            ended.id_hash.0,
                            ended.owner,
                            milliseconds(ended.started),
                            milliseconds(ended.ended),
                            ended.cause,
                            ended.record,
                        ])?;
                }
                Write::Sweep => sweep = true,
                Write::Close => {}
            }
        }
        if sweep {
            let before = SystemTime::now().checked_sub(self.keep_records).map_or(0, milliseconds);
            transaction
                .prepare_cached(
                    "DELETE FROM cdr WHERE k IN (SELECT k FROM cdr WHERE ended < ?1 ORDER BY ended LIMIT ?2)",
                )?
                .execute(params![before, SWEEP])?;
        }
        transaction.commit()
    }
}

fn classify(error: &rusqlite::Error) -> WriteError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => WriteError::DiskFull,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => WriteError::Locked,
        Some(_) | None => WriteError::Failed,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;
    use tokio::sync::oneshot;

    use super::super::{CallKey, CallState, IdHash};
    use super::*;
    use crate::store::{Store, connect};

    type Answer = oneshot::Receiver<Result<(), WriteError>>;

    fn writer() -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        Store::open(&path).unwrap();
        let writer = Writer::new(connect(&path).unwrap(), Duration::from_secs(60)).unwrap();
        (folder, writer)
    }

    fn entry(write: Write) -> (Entry, Answer) {
        let (answer, written) = oneshot::channel();
        (Entry { write, answer }, written)
    }

    fn intent(k: i64) -> (Entry, Answer) {
        entry(Write::Intent {
            key: CallKey(k),
            id_hash: IdHash([0; 32]),
            intent: vec![1; 40_000],
        })
    }

    fn state(k: i64) -> (Entry, Answer) {
        entry(Write::State {
            key: CallKey(k),
            state: CallState {
                phase: 1,
                wish: true,
                dialog: vec![2],
            },
        })
    }

    fn rows(writer: &Writer, table: &str) -> i64 {
        writer
            .connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_full_disk_refuses_new_calls_and_still_takes_hang_ups() {
        let (_folder, mut writer) = writer();
        let pages: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update(None, "max_page_count", pages + 2)
            .unwrap();

        let ((new_call, mut refused), (hang_up, mut taken)) = (intent(1), state(2));
        writer.write(vec![new_call, hang_up]);
        assert_eq!(refused.try_recv().unwrap(), Err(WriteError::DiskFull));
        assert_eq!(taken.try_recv().unwrap(), Ok(()));
        assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (0, 1));

        writer
            .connection
            .pragma_update(None, "max_page_count", pages + 1000)
            .unwrap();
        let (new_call, mut taken) = intent(3);
        writer.write(vec![new_call]);
        assert_eq!(taken.try_recv().unwrap(), Ok(()), "room again, calls again");
    }

    #[test]
    fn a_batch_is_written_whole_or_not_at_all_and_a_failure_is_final() {
        let (_folder, mut writer) = writer();
        writer
            .connection
            .execute_batch("ALTER TABLE call_state RENAME TO elsewhere")
            .unwrap();
        let ((new_call, mut first), (hang_up, mut second)) = (intent(1), state(1));
        writer.write(vec![new_call, hang_up]);
        assert_eq!(first.try_recv().unwrap(), Err(WriteError::Failed));
        assert_eq!(second.try_recv().unwrap(), Err(WriteError::Failed));
        assert_eq!(rows(&writer, "call"), 0);

        writer
            .connection
            .execute_batch("ALTER TABLE elsewhere RENAME TO call_state")
            .unwrap();
        let (new_call, mut third) = intent(2);
        writer.write(vec![new_call]);
        assert_eq!(third.try_recv().unwrap(), Err(WriteError::Failed));
    }

    #[test]
    fn errors_of_the_disk_are_told_apart() {
        let of = |code| classify(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!(of(ffi::SQLITE_FULL), WriteError::DiskFull);
        assert_eq!(of(ffi::SQLITE_BUSY), WriteError::Locked);
        assert_eq!(of(ffi::SQLITE_IOERR_FSYNC), WriteError::Failed);
        assert_eq!(of(ffi::SQLITE_CORRUPT), WriteError::Failed);
        assert_eq!(of(ffi::SQLITE_READONLY), WriteError::Failed);
    }
}
