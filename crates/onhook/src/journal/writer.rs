//! The one thread that writes the journal.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::mpsc;
use tracing::{error, info};

use super::ballast::Ballast;
use super::checkpoint::checkpoint;
use super::entry::{Entry, Write};
use super::failure::{classify, fail};
use super::gate::Gate;
use super::upkeep::Upkeep;
use super::{JournalError, WriteError};
use crate::crash_points;
use crate::panics::Vital;
use crate::store::milliseconds;

/// How many writes one transaction takes at most, unless a single batch has more.
const TRANSACTION: usize = 2_048;
/// How many old records one transaction removes at most.
const SWEEP: i64 = 500;
/// Bytes in the write-ahead log from which on the writer itself moves them, should the upkeep not keep up.
const LONG_LOG: u32 = 16 * 1024 * 1024;

pub(super) struct Writer {
    connection: Connection,
    /// The write-ahead log. Only ever looked at: opening it by hand would drop SQLite's locks.
    log: PathBuf,
    /// Which life of the server this is, until it is written: with the first entries, since no key of it may be durable
    /// without it.
    incarnation: Option<i64>,
    keep_records: Duration,
    ballast: Ballast,
    gate: Gate,
    /// What has been told of a full disk, since a new call was last written.
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    /// New calls are not written.
    Full,
    /// Nor is anything else.
    NoRoomAtAll,
}

pub(super) fn start(
    writer: Writer,
    entries: mpsc::Receiver<Entry>,
    upkeep: Upkeep,
    lock: File,
) -> Result<(), JournalError> {
    thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            let _held = Vital("the journal");
            writer.run(entries, upkeep, lock);
        })
        .map_err(JournalError::Thread)?;
    Ok(())
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        store: &Path,
        incarnation: i64,
        keep_records: Duration,
        ballast: Ballast,
        gate: Gate,
    ) -> rusqlite::Result<Self> {
        // SQLite's own checkpoints keep their errors to themselves; ours are looked at.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // So that the length of the log tells how much is in it.
        connection.pragma_update(None, "journal_size_limit", LONG_LOG)?;
        let mut log = store.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self {
            connection,
            log: log.into(),
            incarnation: Some(incarnation),
            keep_records,
            ballast,
            gate,
            told: Told::Nothing,
        })
    }

    fn run(mut self, mut entries: mpsc::Receiver<Entry>, upkeep: Upkeep, lock: File) {
        let mut waiting = Vec::new();
        let mut closing = Vec::new();
        while entries.blocking_recv_many(&mut waiting, TRANSACTION) > 0 {
            let before = closing.len();
            closing.extend(waiting.extract_if(.., |entry| matches!(entry, Entry::Close(_))));
            if closing.len() > before {
                // What is in the queue is still received and written; nothing new gets in.
                entries.close();
            }
            while !waiting.is_empty() {
                let rest = waiting.split_off(for_one_transaction(&waiting));
                self.write(std::mem::replace(&mut waiting, rest));
            }
            upkeep.wake();
            if fs::metadata(&self.log).is_ok_and(|log| log.len() > LONG_LOG.into()) {
                checkpoint(&self.connection, &self.gate);
            }
        }
        upkeep.stop();
        let closed = self.close();
        drop(lock);
        for entry in closing {
            entry.answer(closed, closed);
        }
    }

    fn close(self) -> Result<(), WriteError> {
        if self.gate.has_failed() {
            // The last connection to be closed moves the log into the file and removes it. Now the log is all there is
            // to believe, and an open connection keeps every other one from touching it.
            std::mem::forget(self.connection);
            return Err(WriteError::Failed);
        }
        // All into the one file, for whoever copies it now. What stays in the log is not lost: it is read at the next start.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.close().map_err(|_| WriteError::Failed)
    }

    /// Makes entries durable, in one transaction, and answers each.
    fn write(&mut self, entries: Vec<Entry>) {
        let (intents, others) = match self.gate.refusal() {
            Some(WriteError::DiskFull) => (Err(WriteError::DiskFull), self.commit_all_but_intents(&entries)),
            Some(refusal) => (Err(refusal), Err(refusal)),
            None => match self.commit(&entries, |_| true) {
                Err(WriteError::DiskFull) => {
                    self.make_room();
                    (Err(WriteError::DiskFull), self.commit_all_but_intents(&entries))
                }
                outcome => (outcome, outcome),
            },
        };
        if intents.is_ok() && self.told > Told::Nothing && entries.iter().any(Entry::has_intent) {
            self.told = Told::Nothing;
            info!("new calls are written again");
        }
        for entry in entries {
            entry.answer(intents, others);
        }
    }

    /// The full disk of new calls must not keep running ones from ending.
    fn commit_all_but_intents(&mut self, entries: &[Entry]) -> Result<(), WriteError> {
        let outcome = self.commit(entries, |write| !write.is_intent());
        if outcome == Err(WriteError::DiskFull) && self.told < Told::NoRoomAtAll {
            self.told = Told::NoRoomAtAll;
            let store = self.connection.path();
            error!(
                store,
                "no room at all is left on the disk: calls are hung up, but it cannot be promised over a restart; free some room"
            );
        }
        outcome
    }

    /// Gives up the ballast. From then on new calls are refused, until the upkeep has made it again.
    fn make_room(&mut self) {
        let store = self.connection.path();
        match self.ballast.give_up() {
            Ok(true) => {
                self.gate.shut();
                error!(
                    store,
                    ballast = self.ballast.size(),
                    "the disk is full: the ballast is given up, so that running calls can end; new calls are refused until twice its bytes are free"
                );
            }
            Ok(false) if self.told >= Told::Full => {}
            Ok(false) => error!(
                store,
                "the disk is full, and there is no ballast to give up: new calls are refused; free some room"
            ),
            Err(error) => error!(store, %error, file = %self.ballast.path().display(),
                "the disk is full, and the ballast cannot be removed: new calls are refused; free some room"),
        }
        self.told = self.told.max(Told::Full);
    }

    fn commit(&mut self, entries: &[Entry], takes: impl Fn(&Write) -> bool) -> Result<(), WriteError> {
        self.transact(entries, takes).map_err(|cause| {
            let error = classify(&cause);
            match error {
                WriteError::Failed => fail(&self.gate, &self.connection, &cause),
                // Told of where the ballast is given up.
                WriteError::DiskFull => {}
                error => error!(%cause, store = self.connection.path(), "the journal did not take a batch: {error}"),
            }
            error
        })
    }

    fn transact(&mut self, entries: &[Entry], takes: impl Fn(&Write) -> bool) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(incarnation) = self.incarnation {
            transaction.execute("UPDATE incarnation SET last = ?1", params![incarnation])?;
        }
        let mut sweep = entries.iter().any(|entry| matches!(entry, Entry::Sweep(_)));
        for write in entries.iter().flat_map(Entry::writes).filter(|write| takes(write)) {
            match write {
                Write::Intent { key, id_hash, intent } => {
                    transaction
                        .prepare_cached("INSERT OR REPLACE INTO call (k, id_hash, intent) VALUES (?1, ?2, ?3)")?
                        .execute(params![key.0, id_hash.0, intent])?;
                }
                Write::State { key, state } => {
                    if state.wish {
                        crash_points::panic_at("journal");
                    }
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
                            "INSERT OR REPLACE INTO cdr (k, id_hash, owner, started, ended, own_phone, cause, record)
                             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        )?
                        .execute(params![
                            key.0,
                            ended.id_hash.0,
                            ended.owner,
                            milliseconds(ended.started),
                            milliseconds(ended.ended),
                            ended.own_phone,
                            ended.cause,
                            ended.record,
                        ])?;
                }
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
        transaction.commit()?;
        self.incarnation = None;
        Ok(())
    }
}

/// How many of the first entries go into one transaction: a batch is not taken apart.
fn for_one_transaction(entries: &[Entry]) -> usize {
    let mut writes = 0;
    let fits = entries.iter().take_while(|entry| {
        writes += entry.writes().count();
        writes <= TRANSACTION
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::super::{Batches, CallKey, CallState, IdHash, Outcomes};
    use super::*;
    use crate::store::{Store, connect};

    type Answer = oneshot::Receiver<Result<(), WriteError>>;

    fn writer() -> (tempfile::TempDir, Writer) {
        writer_with_ballast(0)
    }

    fn writer_with_ballast(size: u64) -> (tempfile::TempDir, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        Store::open(&path).unwrap();
        let ballast = Ballast::beside(&path, size);
        ballast.keep().unwrap();
        let writer = Writer::new(
            connect(&path).unwrap(),
            &path,
            7,
            Duration::from_secs(60),
            ballast,
            Gate::default(),
        )
        .unwrap();
        (folder, writer)
    }

    /// As if the disk had room for this many pages more.
    fn leave_room(writer: &Writer, pages: i64) {
        let used: i64 = writer
            .connection
            .pragma_query_value(None, "page_count", |row| row.get(0))
            .unwrap();
        writer
            .connection
            .pragma_update(None, "max_page_count", used + pages)
            .unwrap();
    }

    fn entry(write: Write) -> (Entry, Answer) {
        let (answer, written) = oneshot::channel();
        (Entry::Write(write, answer), written)
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
        leave_room(&writer, 2);
        let ((new_call, mut refused), (hang_up, mut taken)) = (intent(1), state(2));
        writer.write(vec![new_call, hang_up]);
        assert_eq!(refused.try_recv().unwrap(), Err(WriteError::DiskFull));
        assert_eq!(taken.try_recv().unwrap(), Ok(()));
        assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (0, 1));

        leave_room(&writer, 1000);
        let (new_call, mut taken) = intent(3);
        writer.write(vec![new_call]);
        assert_eq!(taken.try_recv().unwrap(), Ok(()), "room again, calls again");
    }

    #[test]
    fn the_ballast_goes_first_and_new_calls_wait_until_it_is_back() {
        let (_folder, mut writer) = writer_with_ballast(100_000);
        leave_room(&writer, 2);
        let ((new_call, mut refused), (hang_up, mut taken)) = (intent(1), state(2));
        writer.write(vec![new_call, hang_up]);
        assert_eq!(refused.try_recv().unwrap(), Err(WriteError::DiskFull));
        assert_eq!(taken.try_recv().unwrap(), Ok(()));
        assert!(!writer.ballast.path().exists());

        leave_room(&writer, 1000);
        let ((new_call, mut refused), (hang_up, mut taken)) = (intent(3), state(4));
        writer.write(vec![new_call, hang_up]);
        assert_eq!(
            refused.try_recv().unwrap(),
            Err(WriteError::DiskFull),
            "the room of the ballast is not for new calls"
        );
        assert_eq!(taken.try_recv().unwrap(), Ok(()));

        writer.ballast.keep().unwrap();
        writer.gate.reopen();
        let (new_call, mut taken) = intent(5);
        writer.write(vec![new_call]);
        assert_eq!(taken.try_recv().unwrap(), Ok(()));
    }

    /// A batch, and what is told of it.
    fn batch(writes: Vec<Write>) -> (Entry, std::sync::mpsc::Receiver<Outcomes>) {
        let (queue, mut entries) = mpsc::channel(1);
        let (told, outcomes) = std::sync::mpsc::channel();
        let mut batches = Batches::new(queue, Gate::default(), Arc::new(move |done| told.send(done).unwrap()));
        assert!(batches.submit((0..).zip(writes).collect()).is_empty());
        (entries.try_recv().unwrap(), outcomes)
    }

    fn writes(entry: Entry) -> Vec<Write> {
        entry.writes().cloned().collect()
    }

    #[test]
    fn a_full_disk_refuses_the_intents_of_a_batch_and_takes_the_rest() {
        let (_folder, mut writer) = writer();
        leave_room(&writer, 2);
        let both = [intent(1), state(2)].into_iter().flat_map(|(entry, _)| writes(entry));
        let (entry, outcomes) = batch(both.collect());
        writer.write(vec![entry]);
        assert_eq!(
            outcomes.try_recv().unwrap(),
            [(0, Err(WriteError::DiskFull)), (1, Ok(()))]
        );
        assert!(outcomes.try_recv().is_err(), "it is told once");
        assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (0, 1));
    }

    /// Transactions in the write-ahead log: each ends with a frame that says how long the file is after it, and is flushed.
    fn flushes(writer: &Writer) -> usize {
        let log = fs::read(&writer.log).unwrap_or_default();
        let Some((head, frames)) = log.split_at_checked(32) else {
            return 0;
        };
        let page = u32::from_be_bytes(head[8..12].try_into().unwrap()) as usize;
        frames
            .chunks_exact(24 + page)
            .filter(|frame| frame[4..8] != [0; 4])
            .count()
    }

    #[test]
    fn a_batch_costs_one_flush() {
        let (_folder, mut writer) = writer();
        writer
            .connection
            .pragma_query_value(None, "synchronous", |row| {
                assert_eq!(row.get::<_, i64>(0)?, 2, "every transaction is flushed");
                Ok(())
            })
            .unwrap();
        let before = flushes(&writer);
        let states = (0..500).flat_map(|key| writes(state(key).0)).collect();
        let (entry, outcomes) = batch(states);
        writer.write(vec![entry]);
        assert_eq!(outcomes.try_recv().unwrap().len(), 500);
        assert_eq!((flushes(&writer) - before, rows(&writer, "call_state")), (1, 500));
    }

    #[test]
    fn a_batch_is_not_taken_apart_and_a_transaction_is_not_without_bound() {
        let of = |count: i64| batch((0..count).flat_map(|key| writes(state(key).0)).collect()).0;
        let takes = |counts: &[i64]| {
            let entries: Vec<_> = counts.iter().map(|count| of(*count)).collect();
            for_one_transaction(&entries)
        };
        assert_eq!(takes(&[1000, 1000, 48, 1]), 3);
        assert_eq!(takes(&[1000, 1049]), 1);
        assert_eq!(takes(&[3000, 1]), 1);
    }

    #[test]
    fn no_call_is_written_without_the_life_it_belongs_to() {
        let (_folder, mut writer) = writer();
        let life = |writer: &Writer| -> i64 {
            let connection = &writer.connection;
            connection
                .query_row("SELECT last FROM incarnation", [], |row| row.get(0))
                .unwrap()
        };
        leave_room(&writer, 0);
        let (new_call, mut refused) = intent(1);
        writer.write(vec![new_call]);
        assert_eq!(refused.try_recv().unwrap(), Err(WriteError::DiskFull));

        leave_room(&writer, 1000);
        let (new_call, mut taken) = intent(2);
        writer.write(vec![new_call]);
        assert_eq!(taken.try_recv().unwrap(), Ok(()));
        assert_eq!((rows(&writer, "call"), life(&writer)), (1, 7));
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
}
