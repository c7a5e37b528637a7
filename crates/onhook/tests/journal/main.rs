//! The journal from outside: what is told to be durable is on disk, in order; what cannot be written is told; nothing is unbounded.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod power_loss;
mod rig;

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use call::Save;
use dial::WallTime;
use onhook::journal::{Journal, JournalError, WriteError, Written};
use onhook::store::{Reader, Store};
use rig::{DAY, Outcome, SETTINGS, Submitter, intent, nth_key, open, state, store_path};
use rusqlite::Connection;
use switch::journal::{CallKey, Counted, Ended, Entry, IdHash, Write};

/// How many entries may wait.
const QUEUE: usize = 16_384;

fn reader(path: &Path) -> Reader {
    Reader::start(&Store::open(path).unwrap(), "reader", Duration::from_secs(60)).unwrap()
}

fn after_1970(elapsed: Duration) -> WallTime {
    WallTime::after_epoch(elapsed)
}

fn ended(id: &str, when: WallTime) -> Ended {
    Ended {
        id_hash: IdHash::of(id),
        owner: [9; 32],
        started: after_1970(when.since_epoch() - Duration::from_millis(1500)),
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

    let mut submitter = Submitter::of(&journal);
    let [ringing, answered, over] = [1, 2, 3].map(|n| nth_key(&journal, n));
    for (key, id) in [(ringing, "ringing"), (answered, "answered"), (over, "over")] {
        assert_eq!(submitter.write(key, intent(id, id.as_bytes().to_vec())), Ok(()));
    }
    for phase in 1..=50 {
        assert_eq!(
            submitter.submit([(answered, Write::State(state(phase, phase == 50)))]),
            []
        );
    }
    assert_eq!(submitter.submit([(over, Write::State(state(1, false)))]), []);
    // Times are kept in milliseconds.
    let now = after_1970(Duration::from_secs(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()));
    assert_eq!(submitter.submit([(over, Write::Ended(ended("over", now)))]), []);
    for number in 3..55 {
        assert_eq!(submitter.word(), [(number, Ok(()))], "one word for each, in order");
    }
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
    assert!(journal.before() > over, "keys ascend over restarts");
}

/// The tables are read and written as they have been from the first version on.
#[tokio::test]
async fn the_form_on_the_disk_stays_the_same() {
    let (_folder, path) = store_path();
    drop(Store::open(&path).unwrap());
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let row = (3_i64 << 40) + 7;
    let hash = IdHash::of("id").0;
    let tables = Connection::open(&path).unwrap();
    tables.execute("UPDATE incarnation SET last = 3", []).unwrap();
    tables
        .execute(
            "INSERT INTO call (k, id_hash, intent) VALUES (?1, ?2, x'0102')",
            (row, hash),
        )
        .unwrap();
    tables
        .execute(
            "INSERT INTO call_state (k, phase, wish, dialog) VALUES (?1, 5, 1, x'0304')",
            [row],
        )
        .unwrap();
    tables
        .execute(
            "INSERT INTO cdr (k, id_hash, owner, started, ended, own_phone, cause, record)
             VALUES (?1, ?2, ?3, ?4, ?5, 1, 'hangup', x'0506')",
            (row + 1, hash, [9; 32], now - 1500, now),
        )
        .unwrap();

    let (journal, recovered) = open(&path);
    let [left] = recovered.leftovers.try_into().unwrap();
    assert_eq!(
        (left.key, left.id_hash, left.intent),
        (CallKey(row), IdHash(hash), vec![1, 2])
    );
    let known = left.state.unwrap();
    assert_eq!((known.phase, known.wish, known.dialog), (5, true, vec![3, 4]));
    let millis = |at: i64| after_1970(Duration::from_millis(at.try_into().unwrap()));
    let counted = Counted {
        key: CallKey(row + 1),
        owner: [9; 32],
        started: millis(now - 1500),
        ended: millis(now),
        own_phone: true,
        record: Some(vec![5, 6]),
    };
    let history = journal.history(reader(&path));
    assert_eq!(history.last_day(DAY).await.unwrap(), [counted]);

    let mut submitter = Submitter::of(&journal);
    let key = nth_key(&journal, 1);
    // Parts of a millisecond are cut off.
    let ends = millis(now) + Duration::from_micros(999);
    assert_eq!(submitter.write(key, intent("other", vec![7])), Ok(()));
    assert_eq!(submitter.write(key, Write::State(state(2, true))), Ok(()));
    let columns = |table: &str, columns: &str| -> String {
        let text = format!("SELECT {columns} FROM {table} WHERE k = {}", (4_i64 << 40) + 1);
        tables.query_row(&text, [], |row| row.get(0)).unwrap()
    };
    let other: String = IdHash::of("other").0.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(
        columns("call", "hex(id_hash) || ' ' || hex(intent)"),
        format!("{other} 07")
    );
    assert_eq!(
        columns("call_state", "phase || ' ' || wish || ' ' || hex(dialog)"),
        format!("2 1 {}", "02".repeat(200))
    );
    assert_eq!(submitter.write(key, Write::Ended(ended("other", ends))), Ok(()));
    assert_eq!(
        columns(
            "cdr",
            "hex(id_hash) || started || ' ' || ended || ' ' || own_phone || cause || hex(record)"
        ),
        format!("{other}{} {now} 1local hang-up7265636F7264", now - 1500)
    );
}

#[tokio::test]
async fn a_thousand_batches_at_once_are_all_answered() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let keys: Vec<CallKey> = (1..=1000).map(|n| nth_key(&journal, n)).collect();
    for key in &keys {
        let batch = [
            (*key, intent(&key.to_string(), vec![0; 600])),
            (*key, Write::State(state(1, false))),
        ];
        assert_eq!(submitter.submit(batch), []);
    }
    for batch in 0..1000 {
        assert_eq!(submitter.word(), [(2 * batch, Ok(())), (2 * batch + 1, Ok(()))]);
    }
    journal.close().await.unwrap();
    let (_, recovered) = open(&path);
    let found: Vec<_> = recovered.leftovers.iter().map(|call| call.key).collect();
    assert_eq!(found, keys);
    assert!(
        recovered
            .leftovers
            .iter()
            .all(|call| call.state == Some(state(1, false)))
    );
}

#[tokio::test]
async fn a_word_says_what_it_is_about() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let (tell, told) = channel();
    let mut batches = journal.batches(move |written| tell.send(written).unwrap());
    let entry = |number, save| Entry {
        number,
        key: nth_key(&journal, 5),
        save,
        write: Write::State(state(1, false)),
    };
    assert_eq!(
        batches.submit(vec![entry(70, Save::Answer), entry(7, Save::Fork(2))]),
        []
    );
    let written = |number, save, outcome| Written {
        number,
        key: nth_key(&journal, 5),
        save,
        outcome,
    };
    assert_eq!(
        told.recv().unwrap(),
        [written(70, Save::Answer, Ok(())), written(7, Save::Fork(2), Ok(()))]
    );
    journal.close().await.unwrap();
    let closed = Err(WriteError::Closed);
    assert_eq!(
        batches.submit(vec![entry(8, Save::End)]),
        [written(8, Save::End, closed)]
    );
}

#[tokio::test]
async fn whoever_hands_in_batches_has_them_written_in_order() {
    const ROUNDS: u8 = 100;
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitters = [1, 2].map(|n| (nth_key(&journal, n), Submitter::of(&journal)));
    for round in 0..ROUNDS {
        for (key, submitter) in &mut submitters {
            let new = (round == 0).then(|| (*key, intent("id", vec![7; 600])));
            let batch = new.into_iter().chain([(*key, Write::State(state(round, false)))]);
            assert_eq!(submitter.submit(batch), []);
        }
    }
    for (_, submitter) in &submitters {
        assert_eq!(submitter.word(), [(0, Ok(())), (1, Ok(()))]);
        let numbers: Vec<_> = (1..ROUNDS).flat_map(|_| submitter.word()).collect();
        let expected: Vec<(u64, Outcome)> = (2..=u64::from(ROUNDS)).map(|number| (number, Ok(()))).collect();
        assert_eq!(numbers, expected, "one for each, in order");
    }

    journal.close().await.unwrap();
    let (_, recovered) = open(&path);
    let found: Vec<_> = recovered
        .leftovers
        .iter()
        .map(|call| (call.key, call.state.clone(), call.deaths))
        .collect();
    let last = Some(state(ROUNDS - 1, false));
    assert_eq!(found, submitters.map(|(key, _)| (key, last.clone(), 0)));
}

/// A journal, and another program that keeps its store locked until it commits.
fn locked(path: &Path) -> (Journal, Submitter, Connection) {
    let (journal, _) = open(path);
    let mut submitter = Submitter::of(&journal);
    // What is written on opening is written then.
    let over = Write::Ended(ended("over", WallTime::default() + DAY));
    assert_eq!(submitter.write(nth_key(&journal, 1), over), Ok(()));
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    (journal, submitter, other)
}

#[tokio::test]
async fn what_waits_is_bounded_and_new_calls_are_refused_before_hang_ups() {
    let (_folder, path) = store_path();
    let (journal, mut submitter, other) = locked(&path);
    let key = nth_key(&journal, 2);
    let new_calls = || (0..10_000).map(|_| (key, intent("id", vec![7; 600])));
    let hang_ups = || (0..10_000).map(|_| (key, Write::State(state(1, true))));
    assert_eq!(submitter.submit(new_calls()), []);
    let refused = submitter.submit(new_calls());
    assert_eq!(refused.len(), 20_000 - QUEUE * 3 / 4);
    assert!(refused.iter().all(|(_, why)| *why == Err(WriteError::QueueFull)));
    let refused = submitter.submit(hang_ups());
    assert_eq!(refused.len(), 10_000 - QUEUE / 4, "the rest is for calls that are up");
    assert!(refused.iter().all(|(_, why)| *why == Err(WriteError::QueueFull)));

    other.execute_batch("COMMIT").unwrap();
    let mut written = 0;
    while written < QUEUE {
        let told = submitter.word();
        assert!(told.iter().all(|(_, outcome)| outcome.is_ok()));
        written += told.len();
    }
    assert_eq!(submitter.submit([(key, intent("id", vec![]))]), [], "room again");
}

#[tokio::test]
async fn batches_of_one_are_bounded_as_well() {
    let (_folder, path) = store_path();
    let (journal, mut submitter, other) = locked(&path);
    let key = nth_key(&journal, 2);
    let mut taken = 0;
    let mut fill = |write: &dyn Fn() -> Write| {
        for _ in 0..=QUEUE {
            match submitter.submit([(key, write())]).as_slice() {
                [] => taken += 1,
                refused => return (taken, refused[0].1),
            }
        }
        (taken, Ok(()))
    };
    let full = Err(WriteError::QueueFull);
    assert_eq!(fill(&|| intent("id", vec![])), (QUEUE * 3 / 4, full));
    assert_eq!(fill(&|| Write::State(state(1, true))), (QUEUE, full));

    other.execute_batch("COMMIT").unwrap();
    for _ in 0..QUEUE {
        let told = submitter.word();
        assert!(told.len() == 1 && told[0].1.is_ok(), "{told:?}");
    }
}

#[tokio::test]
async fn what_a_batch_cannot_have_written_is_told_at_once() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let key = nth_key(&journal, 1);
    let mut long = state(1, false);
    long.dialog = vec![0; 64 * 1024 + 1];
    let batch = [(key, Write::State(long)), (key, Write::State(state(2, false)))];
    assert_eq!(submitter.submit(batch), [(0, Err(WriteError::TooLong))]);
    assert_eq!(submitter.word(), [(1, Ok(()))]);

    journal.close().await.unwrap();
    let batch = [(key, intent("id", vec![])), (key, Write::State(state(3, false)))];
    let closed = Err(WriteError::Closed);
    assert_eq!(submitter.submit(batch), [(2, closed), (3, closed)]);
}

#[tokio::test]
async fn a_record_has_a_longest_length() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let key = nth_key(&journal, 1);
    let record = |length| {
        let ended = ended("id", WallTime::default() + DAY);
        let record = vec![0; length];
        Write::Ended(Ended { record, ..ended })
    };
    let (longest, too_long) = (64 * 1024, Err(WriteError::TooLong));
    assert_eq!(submitter.write(key, intent("id", vec![0; longest])), Ok(()));
    assert_eq!(submitter.write(key, intent("id", vec![0; longest + 1])), too_long);
    assert_eq!(submitter.write(key, record(longest)), Ok(()));
    assert_eq!(submitter.write(key, record(longest + 1)), too_long);
}

#[tokio::test]
async fn a_leftover_says_how_often_the_process_died_of_it() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let key = nth_key(&journal, 1);
    assert_eq!(Submitter::of(&journal).write(key, intent("id", vec![])), Ok(()));
    for deaths in 0..3 {
        let copy = tempfile::tempdir().unwrap();
        for name in ["onhook.db", "onhook.db-wal", "onhook.db-taking-up"] {
            let _ = fs::copy(path.with_file_name(name), copy.path().join(name));
        }
        let (_, mut recovered) = open(&copy.path().join("onhook.db"));
        assert_eq!(recovered.leftovers[0].deaths, deaths);
        recovered.taking_up.begin(&[key]);
        fs::copy(recovered.taking_up.path(), path.with_file_name("onhook.db-taking-up")).unwrap();
    }
}

#[tokio::test]
async fn what_was_told_survives_without_an_orderly_close() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let key = nth_key(&journal, 1);
    assert_eq!(
        Submitter::of(&journal).write(key, intent("id", b"intent".to_vec())),
        Ok(())
    );

    // What a killed server leaves: the files as they are at this moment, copied from under the running writer.
    let copy = tempfile::tempdir().unwrap();
    for name in ["onhook.db", "onhook.db-wal"] {
        fs::copy(path.with_file_name(name), copy.path().join(name)).unwrap();
    }
    let (_, recovered) = open(&copy.path().join("onhook.db"));
    let found: Vec<_> = recovered.leftovers.iter().map(|call| call.key).collect();
    assert_eq!(found, [key]);
}

#[tokio::test]
async fn a_closed_journal_leaves_everything_in_the_one_file() {
    let (_folder, path) = store_path();
    // A store that stays open beside it.
    let store = Store::open(&path).unwrap();
    let (journal, _) = Journal::open(&store, SETTINGS).unwrap();
    let key = nth_key(&journal, 1);
    assert_eq!(
        Submitter::of(&journal).write(key, intent("id", b"intent".to_vec())),
        Ok(())
    );
    journal.close().await.unwrap();
    let log = fs::metadata(path.with_file_name("onhook.db-wal")).unwrap();
    assert_eq!(log.len(), 0);

    let copy = tempfile::tempdir().unwrap();
    fs::copy(&path, copy.path().join("onhook.db")).unwrap();
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
    let mut before = Submitter::of(&journal);
    let mut of_clone = Submitter::of(&clone);
    let key = nth_key(&journal, 1);
    assert_eq!(before.submit([(key, Write::State(state(1, false)))]), []);
    journal.close().await.unwrap();
    assert_eq!(before.word(), [(0, Ok(()))], "what was waiting has been written");
    let closed = Err(WriteError::Closed);
    assert_eq!(of_clone.write(key, Write::State(state(2, false))), closed);
    assert_eq!(of_clone.write(key, intent("id", vec![])), closed);
    assert_eq!(clone.close().await, closed);
}

#[tokio::test]
async fn records_that_are_too_old_are_swept() {
    let (_folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    for (n, (id, age)) in (1..).zip([("new", Duration::ZERO), ("old", DAY / 2), ("swept", DAY * 2)]) {
        let over = Write::Ended(ended(id, after_1970(now - age)));
        assert_eq!(submitter.write(nth_key(&journal, n), over), Ok(()));
    }
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

/// Nobody has to end a call for it: opening is enough.
#[tokio::test]
async fn an_opened_journal_sweeps() {
    let (_folder, path) = store_path();
    drop(Store::open(&path).unwrap());
    let tables = Connection::open(&path).unwrap();
    tables
        .execute(
            "INSERT INTO cdr (k, id_hash, owner, started, ended, cause, record)
             VALUES (1, zeroblob(32), zeroblob(32), 0, 0, 'hangup', x'00')",
            [],
        )
        .unwrap();
    let (journal, _) = open(&path);
    journal.close().await.unwrap();
    let records: i64 = tables
        .query_row("SELECT count(*) FROM cdr", [], |row| row.get(0))
        .unwrap();
    assert_eq!(records, 0);
}

#[tokio::test]
async fn the_first_entry_is_written_over_what_the_log_has_from_the_start() {
    let (folder, path) = store_path();
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let log = || fs::metadata(folder.path().join("onhook.db-wal")).unwrap().len();
    let key = nth_key(&journal, 1);
    assert_eq!(submitter.write(key, intent("first", b"intent".to_vec())), Ok(()));
    let after_the_first = log();
    assert_eq!(submitter.write(key, Write::State(state(1, false))), Ok(()));
    assert!(log() == after_the_first && after_the_first > 8 * 1024 * 1024);
    journal.close().await.unwrap();
}
