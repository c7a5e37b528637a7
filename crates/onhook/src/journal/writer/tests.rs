use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use call::Save;
use switch::journal::{CallKey, CallState, IdHash};

use super::super::{Batches, Written};
use super::*;
use crate::store::{Store, connect};

fn writer() -> (tempfile::TempDir, Writer) {
    let (folder, _, writer) = writer_with_ballast(0);
    (folder, writer)
}

fn writer_with_ballast(size: u64) -> (tempfile::TempDir, Ballast, Writer) {
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
        ballast.clone(),
        Status::default(),
    )
    .unwrap();
    (folder, ballast, writer)
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

fn intent(k: i64) -> (CallKey, Write) {
    let intent = Write::Intent {
        id_hash: IdHash([0; 32]),
        intent: vec![1; 40_000],
    };
    (CallKey(k), intent)
}

fn state(k: i64) -> (CallKey, Write) {
    let state = CallState {
        phase: 1,
        wish: true,
        dialog: vec![2],
    };
    (CallKey(k), Write::State(state))
}

/// A batch as it comes out of the queue, and who is told of it.
fn batch(entries: impl IntoIterator<Item = (CallKey, Write)>) -> (Batch, Receiver<Vec<Written>>) {
    batch_of(entries.into_iter().map(|(key, write)| {
        let save = match write {
            Write::Intent { .. } => Save::Intent,
            Write::State(_) => Save::Wish,
            Write::Ended(_) => Save::End,
        };
        (key, save, write)
    }))
}

fn batch_of(entries: impl IntoIterator<Item = (CallKey, Save, Write)>) -> (Batch, Receiver<Vec<Written>>) {
    let (queue, mut commands) = mpsc::channel(1);
    let (told, words) = channel();
    let done = move |written| told.send(written).unwrap();
    let mut batches = Batches::new(queue, Status::default(), Arc::new(done));
    let entries = (0..).zip(entries).map(|(number, (key, save, write))| Entry {
        number,
        key,
        save,
        write,
    });
    assert!(batches.submit(entries.collect()).is_empty());
    match commands.try_recv().unwrap() {
        Command::Write(batch) => (batch, words),
        Command::Sweep | Command::Close(_) => unreachable!(),
    }
}

/// Writes these as one batch, and gives the word about each: there is one word about the batch.
fn write(writer: &mut Writer, entries: impl IntoIterator<Item = (CallKey, Write)>) -> Vec<Result<(), WriteError>> {
    let (batch, words) = batch(entries);
    writer.write(vec![batch], false);
    let written = words.try_recv().unwrap();
    assert!(words.try_recv().is_err(), "it is told once");
    assert!(
        (0..).zip(&written).all(|(number, written)| written.number == number),
        "in order"
    );
    written.iter().map(|written| written.outcome).collect()
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
    let ((new_call, refused), (hang_up, taken)) = (batch([intent(1)]), batch([state(2)]));
    writer.write(vec![new_call, hang_up], false);
    assert_eq!(refused.try_recv().unwrap()[0].outcome, Err(WriteError::DiskFull));
    assert_eq!(taken.try_recv().unwrap()[0].outcome, Ok(()));
    assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (0, 1));

    leave_room(&writer, 1000);
    assert_eq!(write(&mut writer, [intent(3)]), [Ok(())], "room again, calls again");
}

#[test]
fn a_full_disk_refuses_the_intents_of_a_batch_and_takes_the_rest() {
    let (_folder, mut writer) = writer();
    leave_room(&writer, 2);
    let written = write(&mut writer, [intent(1), state(2)]);
    assert_eq!(written, [Err(WriteError::DiskFull), Ok(())]);
    assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (0, 1));
}

#[test]
fn the_ballast_goes_first_and_new_calls_wait_until_it_is_back() {
    let (_folder, ballast, mut writer) = writer_with_ballast(100_000);
    leave_room(&writer, 2);
    let written = write(&mut writer, [intent(1), state(2)]);
    assert_eq!(written, [Err(WriteError::DiskFull), Ok(())]);
    assert!(!ballast.path().exists());

    leave_room(&writer, 1000);
    let written = write(&mut writer, [intent(3), state(4)]);
    assert_eq!(
        written,
        [Err(WriteError::DiskFull), Ok(())],
        "the room of the ballast is not for new calls"
    );

    ballast.keep().unwrap();
    writer.status.disk_has_room();
    assert_eq!(write(&mut writer, [intent(5)]), [Ok(())]);
}

/// The disk had refused its end, and another of its phones has answered since.
#[test]
fn the_row_of_a_call_that_is_begun_anew_is_no_new_call_and_holds_nothing_of_before() {
    let (_folder, ballast, mut writer) = writer_with_ballast(100_000);
    assert_eq!(write(&mut writer, [intent(1), state(1)]), [Ok(()), Ok(())]);
    leave_room(&writer, 2);
    assert_eq!(write(&mut writer, [intent(2)]), [Err(WriteError::DiskFull)]);
    assert!(!ballast.path().exists());

    leave_room(&writer, 1000);
    let (key, anew) = intent(1);
    let (late_fork, words) = batch_of([(key, Save::Fork(0), anew)]);
    writer.write(vec![late_fork], false);
    assert_eq!(
        words.try_recv().unwrap()[0].outcome,
        Ok(()),
        "the room of the ballast is for it"
    );
    assert_eq!((rows(&writer, "call"), rows(&writer, "call_state")), (1, 0));
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
    assert_eq!(write(&mut writer, (0..500).map(state)), [Ok(()); 500]);
    assert_eq!((flushes(&writer) - before, rows(&writer, "call_state")), (1, 500));
}

#[test]
fn a_quiet_journal_leaves_its_log_as_it_is_and_a_busy_one_has_it_moved() {
    let (_folder, mut writer) = writer();
    let (upkeep, woken) = Upkeep::watched();
    let mut is_moved_after = |entries: i64| {
        assert!(write(&mut writer, (0..entries).map(state)).iter().all(Result::is_ok));
        writer.keep_log_short(&upkeep);
        woken.try_recv().is_ok()
    };
    for _ in 0..2 {
        for _ in 1..MOVED_AFTER {
            assert!(!is_moved_after(1), "the next entry would cost a flush more");
        }
        assert!(is_moved_after(1));
    }
    assert!(is_moved_after(500));
}

#[test]
fn a_batch_is_not_taken_apart_and_a_transaction_is_not_without_bound() {
    let takes = |counts: &[i64]| {
        let batches: Vec<_> = counts.iter().map(|count| batch((0..*count).map(state)).0).collect();
        for_one_transaction(&batches)
    };
    assert_eq!(takes(&[1000, 1000, 48, 1]), 3);
    assert_eq!(takes(&[1000, 1049]), 1);
    assert_eq!(takes(&[3000, 1]), 1);
    assert_eq!(takes(&[]), 0);
}

#[test]
fn no_call_is_written_without_the_incarnation_it_belongs_to() {
    let (_folder, mut writer) = writer();
    let incarnation = |writer: &Writer| -> i64 {
        let connection = &writer.connection;
        connection
            .query_row("SELECT last FROM incarnation", [], |row| row.get(0))
            .unwrap()
    };
    leave_room(&writer, 0);
    assert_eq!(write(&mut writer, [intent(1)]), [Err(WriteError::DiskFull)]);

    leave_room(&writer, 1000);
    assert_eq!(write(&mut writer, [intent(2)]), [Ok(())]);
    assert_eq!((rows(&writer, "call"), incarnation(&writer)), (1, 7));
}

#[test]
fn a_transaction_is_written_whole_or_not_at_all_and_a_failure_is_final() {
    let (_folder, mut writer) = writer();
    writer
        .connection
        .execute_batch("ALTER TABLE call_state RENAME TO elsewhere")
        .unwrap();
    let ((new_call, first), (hang_up, second)) = (batch([intent(1)]), batch([state(1)]));
    writer.write(vec![new_call, hang_up], false);
    for words in [first, second] {
        assert_eq!(words.try_recv().unwrap()[0].outcome, Err(WriteError::Failed));
    }
    assert_eq!(rows(&writer, "call"), 0);

    writer
        .connection
        .execute_batch("ALTER TABLE elsewhere RENAME TO call_state")
        .unwrap();
    assert_eq!(write(&mut writer, [intent(2)]), [Err(WriteError::Failed)]);
}
