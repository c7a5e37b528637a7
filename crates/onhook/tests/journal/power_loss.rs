//! A power cut, emulated: what is left of the files is what had been flushed, and any part of what was written after.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use switch::journal::{CallKey, CallState, Write};

use crate::rig::{Submitter, intent, nth_key, open, state};

/// Copies the files as they are at this moment, the log only up to a length.
fn copy(from: &Path, to: &Path, log: Option<u64>) {
    fs::copy(from, to).unwrap();
    let log_copy = to.with_file_name("onhook.db-wal");
    fs::copy(from.with_file_name("onhook.db-wal"), &log_copy).unwrap();
    if let Some(length) = log {
        File::options()
            .write(true)
            .open(log_copy)
            .unwrap()
            .set_len(length)
            .unwrap();
    }
}

#[test]
fn whatever_was_acknowledged_is_found_at_every_moment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onhook.db");
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    let mut acknowledged = Vec::new();
    for n in 0..100_u8 {
        let key = nth_key(&journal, i64::from(n) + 1);
        assert_eq!(submitter.write(key, intent("id", vec![n; 3000])), Ok(()));
        let state = CallState {
            phase: n,
            wish: true,
            dialog: vec![n; 500],
        };
        assert_eq!(submitter.write(key, Write::State(state.clone())), Ok(()));
        acknowledged.push((key, Some(state)));
        if n % 5 == 4 {
            // The log may be moved into the file meanwhile: whatever is moved has been flushed before. So the file is
            // copied first, as it was at the latest when the log was.
            let cut = tempfile::tempdir().unwrap();
            let copied = cut.path().join("onhook.db");
            copy(&path, &copied, None);
            let (_, recovered) = open(&copied);
            let found: Vec<_> = recovered
                .leftovers
                .into_iter()
                .map(|call| (call.key, call.state))
                .collect();
            assert_eq!(found, acknowledged);
        }
    }
}

/// Begins the log anew, and gives the reader that keeps it from being so once more: its length then tells how far it was
/// flushed.
fn keep_the_log(path: &Path) -> Connection {
    let checkpoint = |connection: &Connection| -> bool {
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        busy.unwrap()
    };
    let [writer, reader, other] = [(); 3].map(|()| Connection::open(path).unwrap());
    // Longer than the journal's own checkpoints take, which are not what is looked for.
    other.busy_timeout(Duration::from_millis(500)).unwrap();
    loop {
        while checkpoint(&writer) {}
        writer.execute_batch("UPDATE incarnation SET last = last + 1").unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM call").unwrap();
        // Unless what was written has been moved into the file meanwhile, and the reader needs no log.
        if checkpoint(&other) {
            return reader;
        }
        reader.execute_batch("COMMIT").unwrap();
    }
}

#[test]
fn a_log_cut_anywhere_holds_what_was_flushed_before_and_nothing_by_halves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("onhook.db");
    let (journal, _) = open(&path);
    let mut submitter = Submitter::of(&journal);
    // What is written on opening is written then: nothing else is beside the intents. Of no call, it is not found either.
    let nobodys = Write::State(state(0, false));
    assert_eq!(submitter.write(nth_key(&journal, 1000), nobodys), Ok(()));
    let _reader = keep_the_log(&path);
    let log = path.with_file_name("onhook.db-wal");
    // What the reader sees may be moved into the file at any time: of that, the log is not needed, nor cut, any more.
    let moved = fs::metadata(&log).unwrap().len();
    let mut acknowledged: Vec<(CallKey, u64)> = Vec::new();
    for n in 0..60_u8 {
        let key = nth_key(&journal, i64::from(n) + 1);
        assert_eq!(submitter.write(key, intent("id", vec![n; 5000])), Ok(()));
        acknowledged.push((key, fs::metadata(&log).unwrap().len()));
    }

    let whole = fs::read(&log).unwrap();
    let longest = acknowledged.last().unwrap().1;
    let around_flushes = acknowledged
        .iter()
        .step_by(7)
        .flat_map(|(_, at)| [at - 1, *at, (at + 1).min(longest)]);
    let anywhere = (1..40).map(|n: u64| moved + n * 2_654_435_761 % (longest - moved));
    for (round, length) in around_flushes.chain(anywhere).enumerate() {
        let cut = tempfile::tempdir().unwrap();
        let copied = cut.path().join("onhook.db");
        copy(&path, &copied, Some(length));
        let mut flushed = acknowledged.iter().filter(|(_, flushed)| *flushed <= length).count();
        if round % 2 == 1 {
            // The file system may have made the file longer before it wrote what belongs there.
            let log = File::options()
                .write(true)
                .open(cut.path().join("onhook.db-wal"))
                .unwrap();
            log.set_len(length + 10_000).unwrap();
            // Where zeros belong there, nothing is missing.
            let next = acknowledged
                .get(flushed)
                .map(|(_, at)| &whole[length as usize..*at as usize]);
            flushed += usize::from(next.is_some_and(|rest| rest.iter().all(|byte| *byte == 0)));
        }
        let (_, recovered) = open(&copied);
        let found: Vec<_> = recovered.leftovers.iter().map(|call| call.key).collect();
        let all: Vec<_> = acknowledged.iter().map(|(key, _)| *key).collect();
        assert!(all.starts_with(&found), "cut at {length}: no gap, nothing out of order");
        assert_eq!(found.len(), flushed, "cut at {length}");
        for (n, call) in recovered.leftovers.iter().enumerate() {
            assert_eq!(call.intent, vec![n as u8; 5000]);
        }
    }
}

/// How many entries [`entries_one_after_the_other`] writes.
const TRACED: usize = 30;

#[test]
#[ignore = "is run by the next one, under strace"]
fn entries_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(&folder.path().join("onhook.db"));
    // A system call of its own, to be seen between the others.
    let seen = || std::io::stderr().write_all(b"acknowledged\n").unwrap();
    let mut submitter = Submitter::seeing(&journal, seen);
    for n in 1..=TRACED {
        let key = nth_key(&journal, n as i64);
        assert_eq!(submitter.write(key, intent("id", vec![7; 500])), Ok(()));
    }
}

#[test]
fn nothing_is_acknowledged_before_it_was_flushed() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let traced = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=pwrite64,fsync,fdatasync,write", "-o"])
        .arg(trace.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "power_loss::entries_one_after_the_other", "--ignored"])
        .output()
        .expect("strace (`make setup` installs it)");
    let told = String::from_utf8(traced.stderr).unwrap();
    assert!(traced.status.success(), "{told}");
    assert_eq!(told.matches("acknowledged").count(), TRACED, "{told}");

    let is_flush = |call: &str| call.starts_with("fsync") || call.starts_with("fdatasync");
    let (mut acknowledged, mut written, mut flushing, mut flushed) = (0, None, None, false);
    for line in fs::read_to_string(trace.path()).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if call.starts_with("pwrite64") && call.contains("onhook.db-wal") {
            (written, flushed) = (Some(thread.to_owned()), false);
        } else if is_flush(call) && call.contains("onhook.db-wal") && written.as_deref() == Some(thread) {
            // The checkpoints' flushes, from another thread, count for nothing.
            if call.contains("unfinished") {
                flushing = Some(thread.to_owned());
            } else {
                flushed = call.ends_with("= 0");
            }
        } else if call.strip_prefix("<... ").is_some_and(is_flush) && flushing.as_deref() == Some(thread) {
            (flushing, flushed) = (None, call.ends_with("= 0"));
        } else if call.starts_with("write(2") && call.contains("acknowledged") {
            assert!(flushed, "entry {acknowledged} was acknowledged before its flush");
            acknowledged += 1;
            flushed = false;
        }
    }
    assert_eq!(acknowledged, TRACED);
}
