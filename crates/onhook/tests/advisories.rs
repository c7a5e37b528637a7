//! `make check` says how old the last look-up of known vulnerabilities is. Here with a cargo-deny of our own, since the real one wants the
//! network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

/// A site where `cargo deny` does as told: whether it is there, can fetch its database, and finds nothing.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new(is_there: bool, fetches: bool, finds_nothing: bool, record: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cargo = folder.path().join("cargo");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n*--version) echo 'cargo-deny 1.2.3'; {is_there};;\n*'fetch db') {fetches};;\n\
             *'check advisories') {finds_nothing};;\n*) exit 9;;\nesac\n"
        );
        fs::write(&cargo, script).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("record"), record).unwrap();
        Self { folder }
    }

    /// Whether it succeeds, what it says, and what is written down then.
    fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        let record = self.folder.path().join("record");
        let path = format!("{}:{}", self.folder.path().display(), env::var("PATH").unwrap());
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/advisories"))
            .args(arguments)
            .args(["--today", "2026-06-30", "--record"])
            .arg(&record)
            .env("PATH", path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said, fs::read_to_string(record).unwrap())
    }
}

#[test]
fn where_nothing_can_be_looked_up_the_last_time_is_told_and_an_old_one_warned_of() {
    for (record, told, is_old) in [
        (
            "2026-06-29 by cargo-deny 1.2.3\n",
            "made on 2026-06-29, 1 days ago",
            false,
        ),
        (
            "2026-05-01 by cargo-deny 1.2.3\n",
            "made on 2026-05-01, 60 days ago",
            false,
        ),
        (
            "2026-04-30 by cargo-deny 1.2.3\n",
            "made on 2026-04-30, 61 days ago",
            true,
        ),
        (
            "2025-06-30 by cargo-deny 1.2.3\n",
            "made on 2025-06-30, 365 days ago",
            true,
        ),
        ("never\n", "no look-up has been written down", true),
        ("", "no look-up has been written down", true),
    ] {
        for (is_there, why) in [(false, "not installed"), (true, "cannot be had from here")] {
            let (succeeds, said, after) = Site::new(is_there, false, true, record).run(&[]);
            assert!(succeeds, "{said}");
            assert!(said.contains(told) && said.contains(why), "{record:?}: {said}");
            assert_eq!(said.contains("WARNING"), is_old, "{record:?}: {said}");
            assert_eq!(after, record);
        }
    }
}

#[test]
fn a_look_up_is_written_down_when_it_was_made_and_found_nothing() {
    let old = "2025-06-30 by cargo-deny 1.2.3\n";
    let (succeeds, said, after) = Site::new(true, true, true, old).run(&["look-up"]);
    assert!(succeeds && !said.contains("WARNING"), "{said}");
    assert_eq!(after, "2026-06-30 by cargo-deny 1.2.3\n");
    for (is_there, fetches, finds_nothing) in [(false, true, true), (true, false, true), (true, true, false)] {
        let (succeeds, said, after) = Site::new(is_there, fetches, finds_nothing, old).run(&["look-up"]);
        assert!(!succeeds, "{said}");
        assert_eq!(after, old, "{said}");
    }
    // `make check` looks, fails by what is found, and leaves the file as it is.
    let (succeeds, said, after) = Site::new(true, true, true, old).run(&[]);
    assert!(succeeds && !said.contains("WARNING"), "{said}");
    assert_eq!(after, old);
    assert!(!Site::new(true, true, false, old).run(&[]).0);
}
