//! The journal from outside: what resolved is on disk, in order; what cannot be written is told; nothing is unbounded.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use onhook::journal::{
    Batches, CallKey, CallState, Ended, IdHash, Journal, JournalError, Outcomes, Recovered, Settings, Write,
    WriteError, Written,
};
use onhook::store::{Reader, Store};
use rusqlite::Connection;

const DAY: Duration = Duration::from_secs(86_400);
/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);
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

/// The batches of a journal, and what is told of them.
fn batches(journal: &Journal) -> (Batches, Receiver<Outcomes>) {
    let (told, outcomes) = channel();
    (journal.batches(move |done| told.send(done).unwrap()), outcomes)
}

fn intent_of(key: CallKey) -> Write {
    Write::Intent {
        key,
        id_hash: IdHash::of("id"),
        intent: vec![7; 600],
    }
}

fn state_of(key: CallKey, state: CallState) -> Write {
    Write::State { key, state }
}

#[tokio::test]
async fn batches_and_single_entries_are_each_written_in_order() {
    const ROUNDS: u8 = 100;
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let (mut core, outcomes) = batches(&journal);
    let [one, other] = [(); 2].map(|()| journal.next_key());
    let mut written = vec![journal.intent(other, IdHash::of("other"), vec![])];
    for round in 0..ROUNDS {
        let number = u64::from(round);
        let mut batch = vec![(number, state_of(one, state(round, false)))];
        if round == 0 {
            batch.insert(0, (1000, intent_of(one)));
        }
        assert_eq!(core.submit(batch), []);
        written.push(journal.state(other, state(round, false)));
    }
    for written in written {
        assert_eq!(written.await, Ok(()));
    }
    let told: Vec<Outcomes> = (0..ROUNDS).map(|_| outcomes.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(told[0], [(1000, Ok(())), (0, Ok(()))]);
    let numbers: Vec<_> = told[1..].iter().flatten().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (1..u64::from(ROUNDS)).collect::<Vec<_>>(),
        "one for each, in order"
    );

    journal.close().await.unwrap();
    let (_, recovered) = open(&path);
    let found: Vec<_> = recovered
        .leftovers
        .iter()
        .map(|call| (call.key, call.state.clone(), call.deaths))
        .collect();
    let last = Some(state(ROUNDS - 1, false));
    assert_eq!(found, [(one, last.clone(), 0), (other, last, 0)]);
}

#[tokio::test]
async fn what_waits_in_batches_is_bounded_and_new_calls_are_refused_before_hang_ups() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    journal.sweep().await.unwrap();
    let (mut core, outcomes) = batches(&journal);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let key = journal.next_key();
    let many = |write: &dyn Fn() -> Write| (0..10_000).map(|number| (number, write())).collect::<Vec<_>>();
    assert_eq!(core.submit(many(&|| intent_of(key))), []);
    let refused = core.submit(many(&|| intent_of(key)));
    assert_eq!(refused.len(), 20_000 - 16_384 * 3 / 4);
    assert!(refused.iter().all(|(_, why)| *why == WriteError::QueueFull));
    let refused = core.submit(many(&|| state_of(key, state(1, true))));
    assert_eq!(refused.len(), 10_000 - 16_384 / 4, "the rest is for calls that are up");

    other.execute_batch("COMMIT").unwrap();
    let mut written = 0;
    while written < 16_384 {
        let told = outcomes.recv_timeout(PATIENCE).unwrap();
        assert!(told.iter().all(|(_, outcome)| outcome.is_ok()));
        written += told.len();
    }
    assert_eq!(core.submit(vec![(1, intent_of(key))]), [], "room again");
}

#[tokio::test]
async fn what_a_batch_cannot_have_written_is_told_at_once() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let (mut core, outcomes) = batches(&journal);
    let key = journal.next_key();
    let mut long = state(1, false);
    long.dialog = vec![0; 64 * 1024 + 1];
    let batch = vec![(1, state_of(key, long)), (2, state_of(key, state(2, false)))];
    assert_eq!(core.submit(batch), [(1, WriteError::TooLong)]);
    assert_eq!(outcomes.recv_timeout(PATIENCE).unwrap(), [(2, Ok(()))]);

    journal.close().await.unwrap();
    let batch = vec![(3, intent_of(key)), (4, state_of(key, state(3, false)))];
    assert_eq!(core.submit(batch), [(3, WriteError::Closed), (4, WriteError::Closed)]);
}

#[tokio::test]
async fn a_leftover_says_how_often_the_process_died_of_it() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let key = journal.next_key();
    assert_eq!(CallKey::at(key.row()), key);
    journal.intent(key, IdHash::of("id"), vec![]).await.unwrap();
    for deaths in 0..3 {
        let copy = tempfile::tempdir().unwrap();
        for name in ["onhook.db", "onhook.db-wal", "onhook.db-taking-up"] {
            let _ = std::fs::copy(path.with_file_name(name), copy.path().join(name));
        }
        let (_, mut recovered) = open(&copy.path().join("onhook.db"));
        assert_eq!(recovered.leftovers[0].deaths, deaths);
        recovered.taking_up.begin(&[key]);
        std::fs::copy(recovered.taking_up.path(), path.with_file_name("onhook.db-taking-up")).unwrap();
    }
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
