//! The journal from outside: what resolved is on disk, in order; what cannot be written is told; nothing is unbounded.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use onhook::journal::{
    CallKey, CallState, Ended, IdHash, Journal, JournalError, Recovered, Settings, WriteError, Written,
};
use onhook::store::{Reader, Store};
use rusqlite::Connection;

const DAY: Duration = Duration::from_secs(86_400);
const SETTINGS: Settings = Settings {
    keep_records: DAY,
    ballast: 0,
};

fn open(path: &Path) -> (Journal, Recovered) {
    Journal::open(&Store::open(path).unwrap(), SETTINGS).unwrap()
}

fn reader(path: &Path) -> Reader {
    Reader::start(&Store::open(path).unwrap(), "reader", Duration::from_secs(60)).unwrap()
}

fn store_path() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onhook.db");
    (folder, path)
}

fn state(phase: u8, wish: bool) -> CallState {
    CallState {
        phase,
        wish,
        dialog: vec![phase; 200],
    }
}

fn ended(id: &str, when: SystemTime) -> Ended {
    Ended {
        id_hash: IdHash::of(id),
        owner: [9; 32],
        started: when - Duration::from_millis(1500),
        ended: when,
        own_phone: true,
        cause: "local hang-up".into(),
        record: b"record".to_vec(),
    }
}

#[tokio::test]
async fn what_was_written_is_found_by_the_next_server() {
    let (_folder, path) = store_path();
    let (journal, recovered) = open(&path);
    assert!(recovered.leftovers.is_empty());

    let [ringing, answered, over] = [(); 3].map(|()| journal.next_key());
    for (key, id) in [(ringing, "ringing"), (answered, "answered"), (over, "over")] {
        journal
            .intent(key, IdHash::of(id), id.as_bytes().to_vec())
            .await
            .unwrap();
    }
    for phase in 1..=50 {
        drop(journal.state(answered, state(phase, phase == 50)));
    }
    journal.state(over, state(1, false)).await.unwrap();
    // Times are kept in milliseconds.
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs());
    journal.ended(over, ended("over", now)).await.unwrap();
    journal.close().await.unwrap();

    let (journal, recovered) = open(&path);
    let found: Vec<_> = recovered
        .leftovers
        .iter()
        .map(|call| (call.key, call.id_hash, call.state.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (ringing, IdHash::of("ringing"), None),
            (answered, IdHash::of("answered"), Some(state(50, true)))
        ],
        "in order of placing, each with the last state written"
    );
    assert_eq!(recovered.leftovers[0].intent, b"ringing");
    let history = journal.history(reader(&path));
    let (owner, id) = ([9; 32], IdHash::of("over"));
    assert_eq!(history.ended(owner, id).await.unwrap(), Some(ended("over", now)));
    assert_eq!(history.ended([8; 32], id).await.unwrap(), None, "it is nobody else's");
    assert!(journal.next_key() > over, "keys ascend over restarts");
}

#[tokio::test]
async fn a_thousand_writers_at_once_are_all_answered() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let writes: Vec<_> = (0..1000)
        .map(|n| {
            let key = journal.next_key();
            (
                key,
                journal.intent(key, IdHash::of(&n.to_string()), vec![0; 600]),
                journal.state(key, state(1, false)),
            )
        })
        .collect();
    let mut keys: Vec<CallKey> = Vec::new();
    for (key, intent, state) in writes {
        assert_eq!((intent.await, state.await), (Ok(()), Ok(())));
        keys.push(key);
    }
    journal.close().await.unwrap();
    let (_, recovered) = open(&path);
    assert_eq!(
        recovered.leftovers.iter().map(|call| call.key).collect::<Vec<_>>(),
        keys
    );
}

#[tokio::test]
async fn what_resolved_survives_without_an_orderly_close() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let key = journal.next_key();
    journal.intent(key, IdHash::of("id"), b"intent".to_vec()).await.unwrap();

    // What a killed server leaves: the files as they are at this moment, copied from under the running writer.
    let copy = tempfile::tempdir().unwrap();
    for name in ["onhook.db", "onhook.db-wal"] {
        std::fs::copy(path.with_file_name(name), copy.path().join(name)).unwrap();
    }
    let (_, recovered) = open(&copy.path().join("onhook.db"));
    assert_eq!(
        recovered.leftovers.iter().map(|call| call.key).collect::<Vec<_>>(),
        [key]
    );
}

#[tokio::test]
async fn a_closed_journal_leaves_everything_in_the_one_file() {
    let (_folder, path) = store_path();
    let store = Store::open(&path).unwrap();
    let (journal, _) = Journal::open(&store, SETTINGS).unwrap();
    let key = journal.next_key();
    journal.intent(key, IdHash::of("id"), b"intent".to_vec()).await.unwrap();
    journal.close().await.unwrap();
    assert_eq!(
        std::fs::metadata(path.with_file_name("onhook.db-wal")).unwrap().len(),
        0
    );

    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&path, copy.path().join("onhook.db")).unwrap();
    assert_eq!(open(&copy.path().join("onhook.db")).1.leftovers[0].key, key);
}

#[tokio::test]
async fn one_store_has_one_server() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let second = Journal::open(&Store::open(&path).unwrap(), SETTINGS);
    assert!(matches!(second, Err(JournalError::InUse(_))));
    journal.close().await.unwrap();
    open(&path);
}

#[tokio::test]
async fn a_closed_journal_refuses_from_every_clone() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let clone = journal.clone();
    let key = journal.next_key();
    let before = journal.state(key, state(1, false));
    journal.close().await.unwrap();
    assert_eq!(before.await, Ok(()), "what was waiting has been written");
    assert_eq!(clone.state(key, state(2, false)).await, Err(WriteError::Closed));
    assert_eq!(
        clone.intent(key, IdHash::of("id"), vec![]).await,
        Err(WriteError::Closed)
    );
    assert_eq!(clone.close().await, Err(WriteError::Closed));
}

#[tokio::test]
async fn the_queue_is_bounded_and_refuses_new_calls_before_hang_ups() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let mut writes = Vec::new();
    let mut fill = |write: &dyn Fn(CallKey) -> Written| {
        use std::task::{Context, Poll, Waker};
        for _ in 0..100_000 {
            let mut written = Box::pin(write(journal.next_key()));
            match written.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(refused) => return refused,
                Poll::Pending => writes.push(written),
            }
        }
        Ok(())
    };
    let intent = |key| journal.intent(key, IdHash::of("id"), vec![]);
    let hang_up = |key| journal.state(key, state(1, true));
    assert_eq!(fill(&intent), Err(WriteError::QueueFull));
    assert_eq!(fill(&hang_up), Err(WriteError::QueueFull));
    assert!(writes.len() > 15_000, "{}", writes.len());

    other.execute_batch("COMMIT").unwrap();
    for written in writes {
        assert_eq!(written.await, Ok(()));
    }
}

#[tokio::test]
async fn a_record_has_a_longest_length() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let key = journal.next_key();
    assert_eq!(journal.intent(key, IdHash::of("id"), vec![0; 64 * 1024]).await, Ok(()));
    assert_eq!(
        journal.intent(key, IdHash::of("id"), vec![0; 64 * 1024 + 1]).await,
        Err(WriteError::TooLong)
    );
}

#[tokio::test]
async fn records_that_are_too_old_are_swept() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let now = SystemTime::now();
    for (id, age) in [("new", Duration::ZERO), ("old", DAY / 2), ("swept", DAY * 2)] {
        journal.ended(journal.next_key(), ended(id, now - age)).await.unwrap();
    }
    journal.sweep().await.unwrap();
    let records: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM cdr", [], |row| row.get(0))
        .unwrap();
    assert_eq!(records, 2);
    let history = journal.history(reader(&path));
    let mut found = Vec::new();
    for id in ["new", "old", "swept"] {
        found.push(history.ended([9; 32], IdHash::of(id)).await.unwrap().is_some());
    }
    assert_eq!(found, [true, true, false]);
}
