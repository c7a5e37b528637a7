//! A journal and who writes to it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use call::Save;
use onhook::journal::{Batches, Journal, Recovered, Settings, WriteError, Written};
use onhook::store::Store;
use switch::journal::{CallKey, CallState, Entry, IdHash, Write};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
pub(crate) const SETTINGS: Settings = Settings {
    keep_records: DAY,
    ballast: 0,
};
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Outcome = Result<(), WriteError>;

pub(crate) fn open(path: &Path) -> (Journal, Recovered) {
    Journal::open(&Store::open(path).unwrap(), SETTINGS).unwrap()
}

pub(crate) fn store_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onhook.db");
    (folder, path)
}

/// The key of the call that is placed as this one.
pub(crate) fn nth_key(journal: &Journal, n: i64) -> CallKey {
    CallKey(journal.before().0 + n)
}

/// A call is going to be placed.
pub(crate) fn intent(id: &str, intent: Vec<u8>) -> Write {
    let id_hash = IdHash::of(id);
    Write::Intent { id_hash, intent }
}

/// A call has got this far.
pub(crate) fn state(phase: u8, wish: bool) -> CallState {
    CallState {
        phase,
        wish,
        dialog: vec![phase; 200],
    }
}

/// Who hands in batches, and is told what became of them.
pub(crate) struct Submitter {
    batches: Batches,
    told: Receiver<Vec<Written>>,
    entries: u64,
}

impl Submitter {
    pub(crate) fn of(journal: &Journal) -> Self {
        Self::seeing(journal, || {})
    }

    /// One that is there when the word comes: `seen` happens before anything else may be written.
    pub(crate) fn seeing(journal: &Journal, seen: impl Fn() + Send + Sync + 'static) -> Self {
        let (tell, told) = channel();
        let batches = journal.batches(move |written| {
            seen();
            // Whoever waited may have gone.
            let _ = tell.send(written);
        });
        Self {
            batches,
            told,
            entries: 0,
        }
    }

    /// Hands in a batch, and waits for nothing. The entries have the next numbers, from 0 on; what is refused at once comes back.
    pub(crate) fn submit(&mut self, batch: impl IntoIterator<Item = (CallKey, Write)>) -> Vec<(u64, Outcome)> {
        let entries = (self.entries..).zip(batch).map(|(number, (key, write))| Entry {
            number,
            key,
            save: save(&write),
            write,
        });
        let entries: Vec<Entry> = entries.collect();
        self.entries += entries.len() as u64;
        of_numbers(&self.batches.submit(entries))
    }

    /// The word about the next batch, which is waited for.
    pub(crate) fn word(&self) -> Vec<(u64, Outcome)> {
        of_numbers(&self.told.recv_timeout(PATIENCE).unwrap())
    }

    /// Writes one entry, and waits for the word about it. No other may be waited for.
    pub(crate) fn write(&mut self, key: CallKey, write: Write) -> Outcome {
        let number = self.entries;
        let refused = self.submit([(key, write)]);
        let word = if refused.is_empty() { self.word() } else { refused };
        assert_eq!(word.len(), 1);
        assert_eq!(word[0].0, number);
        word[0].1
    }
}

/// Why this is written, as far as it can be seen from what is written.
fn save(write: &Write) -> Save {
    match write {
        Write::Intent { .. } => Save::Intent,
        Write::State(state) if state.wish => Save::Wish,
        Write::State(_) => Save::Answer,
        Write::Ended(_) => Save::End,
    }
}

fn of_numbers(written: &[Written]) -> Vec<(u64, Outcome)> {
    written
        .iter()
        .map(|written| (written.number, written.outcome))
        .collect()
}
