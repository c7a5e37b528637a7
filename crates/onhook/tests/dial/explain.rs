//! `onhook dial explain` and the numbers of users, as an operator types them.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::cases::GERMANY;

struct Site(TempDir);

impl Site {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("onhook.toml"), config).unwrap();
        let site = Self(folder);
        let alice = [
            "user",
            "add",
            "alice",
            "--extension",
            "4711",
            "--phone",
            "+33 6 12345678",
        ];
        site.done(&alice, "secret\n");
        site.done(&["user", "add", "bob"], "secret\n");
        site
    }

    fn run(&self, words: &[&str], given: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_onhook"))
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn done(&self, words: &[&str], given: &str) -> String {
        let output = self.run(words, given);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What is explained, and the exit code.
    fn explain(&self, user: &str, number: &str) -> (String, i32) {
        let output = self.run(&["dial", "explain", "--user", user, number], "");
        (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
    }
}

#[test]
fn every_step_is_told_and_the_exit_code_says_what_came_of_it() {
    let site = Site::new(GERMANY);
    assert_eq!(
        site.explain("alice", "0 030 123456"),
        (
            "alice dials 0 030 123456\n  means +4930123456, DE, fixed line\n  rule 1, `boss`: no, it is not an extension\n  \
             rule 2, `house`: no, it is not an extension\n  rule 3, `berlin`: allowed\n  sent to the trunk as +4930123456\n"
                .to_owned(),
            0
        )
    );
    assert_eq!(
        site.explain("alice", "+43 1 234567"),
        (
            "alice dials +43 1 234567\n  means +431234567, AT, fixed line\n  rule 1, `boss`: no, it is not an extension\n  \
             rule 2, `house`: no, it is not an extension\n  rule 3, `berlin`: no, it is not a national number\n  \
             rule 4, `neighbours`: no, it is for other users\n  rule 5, `gateway`: no, it is not a SIP address\n  \
             rule 6, default: own extension and phones: no, it is not the user's own\n  refused: no rule covers it\n"
                .to_owned(),
            3
        )
    );
    for (user, number, told, code) in [
        ("Bob", "+43 1 234567", "rule 4, `neighbours`: allowed", 0),
        ("alice", "4711", "rule 2, `house`: allowed", 0),
        ("alice", "4999", "rule 1, `boss`: refused", 3),
        (
            "alice",
            "0033 6 12345678",
            "rule 6, default: own extension and phones: allowed",
            0,
        ),
        ("bob", "0033 6 12345678", "the user has no extension and no phones", 3),
        (
            "alice",
            "0900 1234567",
            "refused: a premium-rate number is never called",
            3,
        ),
        ("alice", "0110", "refused: an emergency number is never called", 3),
        ("alice", "sip:a@b", "refused: no rule covers it", 3),
        ("alice", "47\u{1b}[2J11", r"alice dials 47\u{1b}[2J11", 3),
        ("alice", "", "refused: not a telephone number", 3),
        ("alice", "-4711", "rule 2", 0),
    ] {
        let (text, exit) = site.explain(user, number);
        assert!(text.contains(told), "{number}: {text}");
        assert_eq!(exit, code, "{number}: {text}");
    }
}

#[test]
fn an_unknown_user_and_a_wrong_file_are_told() {
    let site = Site::new(GERMANY);
    let output = site.run(&["dial", "explain", "--user", "carol", "4711"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no user `carol`"));
    let directory = "[http]\nlogin = [\"users\", \"ldap\"]\n[login.ldap]\nurl = \"ldaps://ldap.example.com\"\nbind_dn = \"uid={user}\"\n";
    fs::write(site.0.path().join("onhook.toml"), format!("{directory}{GERMANY}")).unwrap();
    let output = site.run(&["dial", "explain", "--user", "carol", "4711"], "");
    assert_eq!(output.status.code(), Some(0), "a directory may know her");
    assert!(String::from_utf8_lossy(&output.stderr).contains("carol is not in the store"));
    assert_eq!(site.explain("carol", "+33612345678").1, 3);
    fs::write(site.0.path().join("onhook.toml"), "[dial.plan]\ncountry = \"XX\"\n").unwrap();
    let output = site.run(&["dial", "explain", "--user", "alice", "4711"], "");
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("onhook.toml:2:11"));
}

#[test]
fn numbers_of_users_are_given_changed_listed_and_taken_away() {
    let site = Site::new("");
    let list = |site: &Site| site.done(&["user", "list", "--json"], "");
    let users: serde_json::Value = serde_json::from_str(&list(&site)).unwrap();
    assert_eq!(users[0]["extension"], "4711");
    assert_eq!(users[0]["phones"][0], "+33 6 12345678");
    assert_eq!(users[1]["extension"], serde_json::Value::Null);
    assert!(
        site.done(&["user", "list"], "")
            .starts_with("USER   EXTENSION  PHONES  MESSAGES  CREATED")
    );

    site.done(&["user", "set", "bob", "--extension", "4712"], "");
    assert_eq!(site.explain("bob", "4712").1, 0);
    site.done(&["user", "set", "alice", "--no-extension", "--phone", "+49301"], "");
    assert_eq!(site.explain("alice", "4711").1, 3);
    for refused in [
        ["user", "set", "alice", "--extension", "47a"],
        ["user", "set", "alice", "--phone", "sip:a@b"],
        ["user", "set", "alice", "--phone", ""],
    ] {
        assert_eq!(site.run(&refused, "").status.code(), Some(2), "{refused:?}");
    }
    assert_eq!(
        site.run(&["user", "set", "carol", "--no-phones"], "").status.code(),
        Some(1)
    );
}

#[test]
fn what_is_wrong_in_the_rules_is_shown_where_it_is() {
    let site = Site::new("");
    for (config, message) in [
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"national\"",
            "3:8: a rule of kind \"national\" needs [dial.plan] country",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"extensions\"",
            "3:8: a rule of kind \"extensions\" needs [dial.plan] extensions",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"international\"",
            "names its countries",
        ),
        ("[[dial.rule]]\nname = \"x\"\nkind = \"sip\"", "names its hosts"),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"own\"\nmasks = [\"1\"]",
            "4:9: masks are for rules",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"own\"\ngroups = [\"y\"]",
            "4:10: there is no [[dial.group]] named `y`",
        ),
        (
            "[[dial.group]]\nname = \"x\"\nusers = []\n[[dial.group]]\nname = \"x\"\nusers = []",
            "5:8: there are two groups named `x`",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"own\"\n[[dial.rule]]\nname = \"x\"\nkind = \"own\"",
            "5:8: there are two rules named `x`",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"a/b\"]",
            "\"a/b\" is not a host",
        ),
        (
            "[[dial.rule]]\nname = \"x\"\nkind = \"national\"\nmasks = [\"0*3\"]",
            "\"0*3\" is not a mask",
        ),
        ("[store]\nkeep_records = \"23h\"", "records are kept for a day at least"),
    ] {
        fs::write(site.0.path().join("onhook.toml"), config).unwrap();
        let output = site.run(&["check-config"], "");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{config}");
        assert!(told.contains(message), "{config}: {told}");
    }
}
