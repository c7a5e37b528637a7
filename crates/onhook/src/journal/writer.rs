//! The one thread that writes the journal.

use std::fs::{self, File};
use std::mem;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use switch::journal::{Entry, Write};
use tokio::sync::mpsc;
use tracing::{debug, error};

use super::ballast::{Ballast, room_beside};
use super::checkpoint::checkpoint;
use super::failure::{classify, fail};
use super::full_disk::FullDisk;
use super::log_length;
use super::queue::{Batch, Command, is_intent};
use super::rows;
use super::status::Status;
use super::upkeep::Upkeep;
use super::{JournalError, WriteError};
use crate::panics::Vital;

/// How many entries one transaction takes at most, unless a single batch has more.
const TRANSACTION: usize = 2_048;
/// Entries after which the upkeep moves the write-ahead log into the file. Not before: when all is moved the log begins anew, and whoever
/// writes next waits for two flushes, of its new head and of the entry. Nor much later: what comes one by one fits into the length that
/// the log has from the start ([`log_length`]).
const MOVED_AFTER: usize = 256;
/// Bytes in the log from which on the writer itself moves them, should the upkeep not keep up.
const LONG_LOG: u32 = 16 * 1024 * 1024;

pub(super) struct Writer {
    connection: Connection,
    /// The write-ahead log. Only ever looked at: opening it by hand would drop SQLite's locks.
    log: PathBuf,
    /// That of this process, until it is written: with the first entries, since no key of it may be durable without it.
    incarnation: Option<i64>,
    /// Entries since the upkeep was last woken.
    unmoved: usize,
    keep_records: Duration,
    status: Status,
    full_disk: FullDisk,
}

pub(super) fn start(
    writer: Writer,
    commands: mpsc::Receiver<Command>,
    upkeep: Upkeep,
    lock: File,
) -> Result<(), JournalError> {
    thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            let _held = Vital("the journal");
            writer.run(commands, upkeep, lock);
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
        status: Status,
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
            unmoved: 0,
            keep_records,
            full_disk: FullDisk::new(ballast, status.clone()),
            status,
        })
    }

    fn run(mut self, mut commands: mpsc::Receiver<Command>, upkeep: Upkeep, lock: File) {
        if room_beside(&self.log) >= log_length::ROOM
            && let Err(error) = log_length::lengthen(&mut self.connection)
        {
            debug!(%error, "the log is not lengthened: the first entries take longer to flush");
        }
        let mut waiting = Vec::new();
        let mut closing = Vec::new();
        while commands.blocking_recv_many(&mut waiting, TRANSACTION) > 0 {
            let mut batches = Vec::new();
            let mut sweep = false;
            for command in waiting.drain(..) {
                match command {
                    Command::Write(batch) => batches.push(batch),
                    Command::Sweep => sweep = true,
                    Command::Close(answer) => {
                        // What is in the queue is still received and written; nothing new gets in.
                        commands.close();
                        closing.push(answer);
                    }
                }
            }
            while sweep || !batches.is_empty() {
                let rest = batches.split_off(for_one_transaction(&batches));
                self.write(mem::replace(&mut batches, rest), mem::take(&mut sweep));
            }
            self.keep_log_short(&upkeep);
        }
        upkeep.stop();
        let closed = self.close();
        drop(lock);
        for answer in closing {
            // Whoever closed it may not be waiting.
            let _ = answer.send(closed);
        }
    }

    fn keep_log_short(&mut self, upkeep: &Upkeep) {
        if self.unmoved >= MOVED_AFTER {
            self.unmoved = 0;
            upkeep.wake();
        }
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LONG_LOG.into()) {
            checkpoint(&self.connection, &self.status);
        }
    }

    fn close(self) -> Result<(), WriteError> {
        if self.status.has_failed() {
            // The last connection to be closed moves the log into the file and removes it. Now the log is all there is
            // to believe, and an open connection keeps every other one from touching it.
            mem::forget(self.connection);
            return Err(WriteError::Failed);
        }
        // All into the one file, for whoever copies it now. What stays in the log is not lost: it is read at the next start.
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.connection.close().map_err(|_| WriteError::Failed)
    }

    /// Makes batches durable, in one transaction, and tells what became of each. Old records may be swept in the same one.
    fn write(&mut self, batches: Vec<Batch>, sweep: bool) {
        let (intents, others) = match self.status.refusal() {
            Some(WriteError::DiskFull) => (Err(WriteError::DiskFull), self.commit_all_but_intents(&batches, sweep)),
            Some(refusal) => (Err(refusal), Err(refusal)),
            None => match self.commit(&batches, sweep, |_| true) {
                Err(WriteError::DiskFull) => {
                    self.full_disk.give_up_ballast(self.connection.path());
                    (Err(WriteError::DiskFull), self.commit_all_but_intents(&batches, sweep))
                }
                outcome => (outcome, outcome),
            },
        };
        if intents.is_ok() && batches.iter().flat_map(Batch::entries).any(is_intent) {
            self.full_disk.new_call_is_written();
        }
        self.unmoved += batches.iter().map(|batch| batch.entries().len()).sum::<usize>();
        for batch in batches {
            batch.tell(intents, others);
        }
    }

    /// The full disk of new calls must not keep running ones from ending.
    fn commit_all_but_intents(&mut self, batches: &[Batch], sweep: bool) -> Result<(), WriteError> {
        let outcome = self.commit(batches, sweep, |entry| !is_intent(entry));
        if outcome == Err(WriteError::DiskFull) {
            self.full_disk.no_room_at_all(self.connection.path());
        }
        outcome
    }

    fn commit(&mut self, batches: &[Batch], sweep: bool, takes: impl Fn(&Entry) -> bool) -> Result<(), WriteError> {
        self.transact(batches, sweep, takes).map_err(|cause| {
            let error = classify(&cause);
            match error {
                WriteError::Failed => fail(&self.status, &self.connection, &cause),
                // Told of where the ballast is given up.
                WriteError::DiskFull => {}
                error => error!(%cause, store = self.connection.path(), "the journal did not take a batch: {error}"),
            }
            error
        })
    }

    fn transact(&mut self, batches: &[Batch], mut sweep: bool, takes: impl Fn(&Entry) -> bool) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(incarnation) = self.incarnation {
            transaction.execute("UPDATE incarnation SET last = ?1", params![incarnation])?;
        }
        let entries = batches.iter().flat_map(Batch::entries);
        for entry in entries.filter(|entry| takes(entry)) {
            sweep |= matches!(entry.write, Write::Ended(_));
            rows::write(&transaction, entry)?;
        }
        if sweep {
            rows::sweep(&transaction, self.keep_records)?;
        }
        transaction.commit()?;
        self.incarnation = None;
        Ok(())
    }
}

/// How many of the first batches go into one transaction: none is taken apart.
fn for_one_transaction(batches: &[Batch]) -> usize {
    let mut entries = 0;
    let fits = batches.iter().take_while(|batch| {
        entries += batch.entries().len();
        entries <= TRANSACTION
    });
    fits.count().max(1).min(batches.len())
}

#[cfg(test)]
mod tests;
