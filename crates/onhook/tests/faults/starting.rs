//! Stores that cannot be used: told before a port is bound, with what to do, and exit code 1.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use onhook::store::Store;
use rusqlite::Connection;

const BINARY: &str = env!("CARGO_BIN_EXE_onhook");

/// Starts a server whose HTTP port is taken: whoever complains of something else has looked at that first.
#[track_caller]
fn does_not_start(program: &[&str], store: &Path, why: &[&str]) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let config = folder.path().join("onhook.toml");
    let port = taken.local_addr().unwrap().port();
    fs::write(
        &config,
        format!(
            "[http]\nlisten = \"127.0.0.1:{port}\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[store]\npath = {store:?}\nballast = \"0\"\n"
        ),
    )
    .unwrap();
    let ended = Command::new(program[0])
        .args(&program[1..])
        .args(["serve", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    for why in why {
        assert!(told.contains(why), "{why:?} is not in:\n{told}");
    }
}

fn store() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("onhook.db");
    Store::open(&path).unwrap();
    (folder, path)
}

#[test]
fn a_missing_folder() {
    does_not_start(
        &[BINARY],
        Path::new("/nowhere/at/all/onhook.db"),
        &["the folder /nowhere/at/all does not exist: make it"],
    );
}

#[test]
fn a_folder_that_cannot_be_written() {
    // Not even root makes a file there.
    does_not_start(
        &[BINARY],
        Path::new("/sys/onhook.db"),
        &[
            "cannot make the store /sys/onhook.db",
            "let the user that runs onhook write in its folder",
        ],
    );
}

#[test]
fn a_file_that_cannot_be_written() {
    let (folder, path) = store();
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::set_permissions(file.unwrap().path(), Permissions::from_mode(0o444)).unwrap();
    }
    // Permissions do not bind root, so another user runs it.
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let starter: &[&str] = if is_root { &nobody } else { &[] };
    // That user may not be let in where the binary is. This process does not write the copy itself: whoever is forked meanwhile
    // would hold it open, and what is open for writing cannot be run.
    let binary = folder.path().join("onhook");
    assert!(
        Command::new("cp")
            .args([Path::new(BINARY), &binary])
            .status()
            .unwrap()
            .success()
    );
    does_not_start(
        &[starter, &[binary.to_str().unwrap()]].concat(),
        &path,
        &["cannot write the store", "let the user that runs onhook own it"],
    );
}

#[test]
fn a_store_of_a_newer_version() {
    let (_folder, path) = store();
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    does_not_start(
        &[BINARY],
        &path,
        &[
            "was written by a newer onhook (schema 99",
            "run that version, or restore a backup",
        ],
    );
}

#[test]
fn a_damaged_store() {
    let (_folder, path) = store();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0xA5; 4096], page * 4096).unwrap();
    }
    does_not_start(&[BINARY], &path, &["is damaged", "restore a backup"]);
}

#[test]
fn somebody_elses_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.db");
    fs::write(&path, "no database, but long enough to be taken for one\n".repeat(50)).unwrap();
    does_not_start(
        &[BINARY],
        &path,
        &["is not an onhook store", "give [store] path another name"],
    );
}

#[test]
fn a_store_that_another_server_uses() {
    let (_folder, path) = store();
    let settings = onhook::journal::Settings {
        keep_records: std::time::Duration::from_secs(60),
        ballast: 0,
    };
    let _journal = onhook::journal::Journal::open(&Store::open(&path).unwrap(), settings).unwrap();
    does_not_start(&[BINARY], &path, &["another onhook is serving from", "stop it"]);
}
