//! The built binary, as people and scripts use it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with a configuration file of defaults.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("onhook.toml"), "").unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn onhook(&self, args: &[&str], stdin: &str) -> Ended {
        let mut child = Command::new(env!("CARGO_BIN_EXE_onhook"))
            .args(args)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Ended::from(child.wait_with_output().unwrap())
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.onhook(args, "")
    }

    /// A second of a tone.
    fn sound(&self, name: &str) -> String {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut wav = hound::WavWriter::create(self.path().join(name), spec).unwrap();
        for n in 0..8000 {
            wav.write_sample(((n as f32 * 0.3).sin() * 8000.0) as i16).unwrap();
        }
        wav.finalize().unwrap();
        name.to_owned()
    }
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out
    }

    #[track_caller]
    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    #[track_caller]
    fn fails(self, code: i32, why: &str) {
        assert_eq!(self.code, code, "{}", self.err);
        assert!(self.err.contains(why), "{}", self.err);
        assert_eq!(self.out, "");
    }
}

#[test]
fn a_first_start_goes_from_the_example_to_a_stored_message() {
    let folder = Folder::new();
    let example = folder.run(&["check-config", "--print-example"]).ok();
    fs::write(folder.path().join("onhook.toml"), example).unwrap();
    let checked = folder.run(&["check-config"]);
    let next = "onhook.toml: good\nnext: onhook user add NAME, then onhook serve\n";
    assert!(checked.err.ends_with(next), "{}", checked.err);
    assert_eq!(checked.ok(), "", "results only on standard output");

    folder.onhook(&["user", "add", "Alice"], "secret\n").ok();
    let checked = folder.run(&["check-config", "./onhook.toml"]).err;
    assert!(
        checked.ends_with("next: onhook serve --config ./onhook.toml\n"),
        "{checked}"
    );
    let sound = folder.sound("hello.wav");
    let item_id = folder.run(&["voicemail", "add", "--mailbox", "alice", &sound]).ok();
    assert_eq!(item_id.trim_end().len(), 22);

    let list = folder.run(&["voicemail", "list"]).ok();
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..2], ["ITEM", "ID"]);
    assert_eq!(lines[1][..4], [item_id.trim_end(), "alice", "0:01", "hello.wav"]);
}

#[test]
fn the_minimal_configuration_is_enough_beside_a_pbx() {
    let folder = Folder::new();
    let minimal = folder.run(&["check-config", "--print-minimal"]).ok();
    assert!(minimal.lines().count() <= 12, "{minimal}");
    fs::write(folder.path().join("onhook.toml"), minimal).unwrap();
    folder.run(&["check-config"]).fails(64, "password_file = …");
    fs::write(folder.path().join("pbx.password"), "change-me\n").unwrap();
    let checked = folder.run(&["check-config"]);
    assert!(!checked.err.contains("note:"), "nothing is missing: {}", checked.err);
    checked.ok();
}

#[test]
fn a_password_is_not_asked_for_when_it_cannot_be_sent() {
    let folder = Folder::new();
    for command in [
        &["play", "--item-id", "x", "--to", "4711"][..],
        &["info", "x"],
        &["hangup", "x"],
    ] {
        let to = |url| [command, &["--user", "anna", "--url", url]].concat();
        let plain = to("http://voice.example.com/EWS/Exchange.asmx");
        folder.run(&plain).fails(2, "a password is not sent over plain http://");
        let named = folder.run(&to("https://anna:hunter2@voice.example.com/"));
        assert!(!named.err.contains("hunter2"), "{}", named.err);
        named.fails(2, "an address holds no user");
    }
}

#[test]
fn a_wrong_file_is_told_before_anything_else_and_exits_64() {
    let folder = Folder::new();
    fs::write(folder.path().join("onhook.toml"), "[calls]\nring_limt = \"30s\"\n").unwrap();
    for command in [
        &["serve"][..],
        &["check-config"],
        &["user", "list"],
        &["voicemail", "list"],
    ] {
        folder
            .run(command)
            .fails(64, "onhook.toml:2:1: unknown key `ring_limt`");
    }
    assert!(!folder.path().join("onhook.db").exists());
    folder
        .run(&["user", "list", "--config", "elsewhere.toml"])
        .fails(64, "cannot read elsewhere.toml");
    fs::write(folder.path().join("good.toml"), "").unwrap();
    folder.run(&["check-config", "good.toml"]).ok();
}

#[test]
fn users_come_change_and_go() {
    let folder = Folder::new();
    folder.onhook(&["user", "add", "alice"], "secret\r\nsecond line\n").ok();
    folder
        .onhook(&["user", "add", "ALICE"], "other\n")
        .fails(1, "there is a user `alice` already");
    folder
        .onhook(&["user", "add", "bob"], "")
        .fails(1, "the password is empty");
    folder
        .onhook(&["user", "passwd", "bob"], "x\n")
        .fails(1, "there is no user `bob`");
    folder.onhook(&["user", "passwd", "alice"], "new\n").ok();
    folder
        .onhook(&["user", "add", "a:b"], "x\n")
        .fails(2, "is not a user name");

    let users = folder.run(&["user", "list", "--json"]).json();
    assert_eq!(users.as_array().unwrap().len(), 1);
    assert_eq!((&users[0]["name"], &users[0]["messages"]), (&"alice".into(), &0.into()));

    let sound = folder.sound("hello.wav");
    folder.run(&["voicemail", "add", "--mailbox", "alice", &sound]).ok();
    folder
        .run(&["user", "remove", "alice"])
        .fails(1, "`alice` has 1 voice messages");
    folder.run(&["user", "remove", "alice", "--with-messages"]).ok();
    folder
        .run(&["user", "remove", "alice"])
        .fails(1, "there is no user `alice`");
    assert_eq!(
        folder.run(&["voicemail", "list", "--json"]).json(),
        Value::Array(vec![])
    );
}

#[test]
fn a_password_is_in_no_file() {
    let folder = Folder::new();
    folder.onhook(&["user", "add", "alice"], "correct horse battery\n").ok();
    for file in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"battery"));
    }
}

#[test]
fn one_bad_file_does_not_keep_the_others_out() {
    let folder = Folder::new();
    folder.onhook(&["user", "add", "alice"], "secret\n").ok();
    let (first, second) = (folder.sound("first.wav"), folder.sound("second.wav"));
    fs::write(folder.path().join("notes.txt"), "no sound").unwrap();

    let added = folder.run(&[
        "voicemail",
        "add",
        "--mailbox",
        "alice",
        &first,
        "notes.txt",
        "missing.wav",
        &second,
    ]);
    assert_eq!(added.code, 7, "{}", added.err);
    assert!(
        added
            .err
            .contains("onhook: notes.txt: this is neither a WAV nor an MP3 file"),
        "{}",
        added.err
    );
    assert!(
        added.err.contains("onhook: missing.wav: cannot be read"),
        "{}",
        added.err
    );
    let ids: Vec<&str> = added.out.lines().collect();
    let stored = folder
        .run(&["voicemail", "list", "--mailbox", "alice", "--json"])
        .json();
    let stored: Vec<_> = stored
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (&message["item_id"], &message["name"]))
        .collect();
    assert_eq!(
        stored,
        [
            (&ids[0].into(), &"first.wav".into()),
            (&ids[1].into(), &"second.wav".into())
        ]
    );

    folder
        .run(&["voicemail", "add", "--mailbox", "alice", "notes.txt"])
        .fails(1, "notes.txt");
    folder
        .run(&["voicemail", "add", "--mailbox", "alcie", &first])
        .fails(1, "there is no user `alcie`");
    folder.run(&["voicemail", "add", "--mailbox", "alice"]).fails(2, "FILE");

    let added = folder.run(&["voicemail", "add", "--mailbox", "alice", "--json", &first, "notes.txt"]);
    assert_eq!(added.code, 7);
    let lines: Vec<Value> = added
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["file"], &lines[0]["error"]),
        (&"first.wav".into(), &Value::Null)
    );
    assert_eq!(
        (&lines[1]["file"], &lines[1]["item_id"]),
        (&"notes.txt".into(), &Value::Null)
    );
}

#[test]
fn messages_are_shown_and_removed() {
    let folder = Folder::new();
    folder.onhook(&["user", "add", "alice"], "secret\n").ok();
    let sound = folder.sound("hello.wav");
    let item_id = folder.run(&["voicemail", "add", "--mailbox", "alice", &sound]).ok();
    let item_id = item_id.trim_end();

    let shown = folder.run(&["voicemail", "show", item_id, "--json"]).json();
    assert_eq!(
        (&shown["duration_ms"], &shown["sample_rate"], &shown["channels"]),
        (&1000.into(), &8000.into(), &1.into())
    );
    assert!(
        folder
            .run(&["voicemail", "show", item_id])
            .ok()
            .contains("Length    0:01\n")
    );

    let removed = folder.run(&["voicemail", "remove", item_id, "unknown"]);
    assert_eq!(removed.code, 7);
    assert!(
        removed.err.contains("there is no voice message \"unknown\""),
        "{}",
        removed.err
    );
    folder
        .run(&["voicemail", "show", item_id])
        .fails(1, "there is no voice message");
    folder
        .run(&["voicemail", "remove", item_id])
        .fails(1, "there is no voice message");
}

/// Every command whose help a person may ask for, and whether it works by a configuration file.
const COMMANDS: [(&[&str], bool); 20] = [
    (&[], false),
    (&["serve"], true),
    (&["check-config"], true),
    (&["demo"], false),
    (&["phone"], false),
    (&["dial"], true),
    (&["dial", "explain"], true),
    (&["user"], true),
    (&["user", "add"], true),
    (&["user", "set"], true),
    (&["user", "list"], true),
    (&["user", "remove"], true),
    (&["user", "passwd"], true),
    (&["voicemail"], true),
    (&["voicemail", "add"], true),
    (&["voicemail", "list"], true),
    (&["voicemail", "show"], true),
    (&["play"], false),
    (&["info"], false),
    (&["hangup"], false),
];

#[test]
fn every_command_has_help_and_names_a_configuration_file_only_where_it_reads_one() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]).ok();
    for (command, reads_one) in COMMANDS {
        if let [command] = command {
            assert!(help.contains(&format!("\n  {command} ")), "{command}");
        }
        let help = folder.run(&[command, &["--help"]].concat());
        assert_eq!(help.ok().contains("--config <FILE>"), reads_one, "{command:?}");
    }
    folder
        .run(&["demo", "--config", "onhook.toml"])
        .fails(2, "unexpected argument '--config'");
    assert!(folder.run(&["--version"]).ok().starts_with("onhook "));
    folder.run(&["ring"]).fails(2, "unrecognized subcommand");
    folder.run(&[]).fails(2, "Usage:");
}

#[test]
fn help_fits_the_terminal_and_fills_its_lines() {
    let folder = Folder::new();
    for (command, _) in COMMANDS {
        for columns in [80, 100] {
            let help = Command::new(env!("CARGO_BIN_EXE_onhook"))
                .args([command, &["--help"]].concat())
                .env("COLUMNS", columns.to_string())
                .current_dir(folder.path())
                .output()
                .unwrap();
            let help = Ended::from(help).ok();
            // The line of the usage is clap's own, which never wraps it.
            let lines: Vec<&str> = help.lines().filter(|line| !line.starts_with("Usage:")).collect();
            for line in &lines {
                assert!(line.chars().count() <= columns, "{command:?} at {columns}: {line}");
            }
            let examples = lines.iter().skip_while(|line| **line != "Examples:").skip(1);
            for example in examples.take_while(|line| !line.is_empty()) {
                let is_whole = ["  onhook ", "  pass ", "    --"]
                    .iter()
                    .any(|begins| example.starts_with(begins));
                assert!(is_whole, "{command:?} at {columns} breaks an example: {example}");
            }
            // Prose stands at the margin; a line of it that ends early although the next word would fit was broken by hand.
            let is_prose = |line: &str| line.starts_with(|first: char| first.is_alphabetic() || first == '`');
            for pair in lines.windows(2) {
                let [line, next] = pair else { continue };
                if is_prose(line) && is_prose(next) {
                    let word = next.split(' ').next().unwrap();
                    let with_word = line.chars().count() + 1 + word.chars().count();
                    assert!(
                        with_word > columns,
                        "{command:?} at {columns} is ragged: {line}\n{next}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let folder = Folder::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_onhook"))
        .args(["check-config", "--print-example"])
        .current_dir(folder.path())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), b"".as_slice())
    );
}
