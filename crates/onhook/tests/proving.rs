//! Whether the runners that prove the promise from outside can fail: a few rounds of each against this program, and
//! against the same program broken from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dial::{Caller, Covers, DialPolicy, Dialler, Plan, PlanSettings, Rule, RuleAction};
use proving::{
    connections::ConnectionsRun,
    crash::CrashRun,
    loss::LossRun,
    phones::{FORKING, NUMBERS, Quality},
    report::Report,
    restart::RestartRun,
};

const ONHOOK: &str = env!("CARGO_BIN_EXE_onhook");

/// A program that does something to its folder (`$site`) before it serves as onhook does.
fn broken(folder: &Path, before: &str) -> PathBuf {
    let path = folder.join("onhook");
    let script = format!(
        "#!/bin/sh\nsite=$(dirname \"$3\")\ncase \"$1\" in serve)\n{before}\n;; esac\nexec '{ONHOOK}' \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

fn crash(onhook: PathBuf) -> CrashRun {
    CrashRun {
        onhook,
        seed: 1,
        // So many that a phone rings at some of them, however slow the machine is.
        kills: 8,
        kills_at_each_point: 0,
        at_once: 5,
        down: Duration::ZERO,
        side_by_side: 1,
        patience: Duration::from_secs(10),
    }
}

/// T1 is ten times what long runs take, for a machine that has other things to do, and the line good enough for every end
/// to be confirmed.
fn loss(onhook: PathBuf) -> LossRun {
    LossRun {
        onhook,
        seed: 1,
        calls: 30,
        at_once: 30,
        t1: Duration::from_millis(100),
        hang_up_within: Duration::from_millis(700),
        quality: Quality {
            loss: 10,
            duplicates: 10,
            delay: Duration::from_millis(5),
        },
    }
}

/// T1 as in the run above, for the same reason.
fn connections(onhook: PathBuf, tls: bool) -> ConnectionsRun {
    ConnectionsRun {
        onhook,
        seed: 1,
        // So many that phones are up at some of the troubles.
        calls: 60,
        at_once: 20,
        side_by_side: 1,
        t1: Duration::from_millis(50),
        tls,
    }
}

#[track_caller]
fn fails_with(report: &Report, figure: &str) {
    let text = report.to_string();
    assert!(!report.holds(), "{text}");
    let missed = text.lines().any(|line| line.contains('✗') && line.contains(figure));
    assert!(missed, "not for the right reason:\n{text}");
}

#[tokio::test]
async fn killed_servers_leave_no_phone_up() {
    let report = crash(ONHOOK.into()).run().await.unwrap();
    assert!(report.holds(), "{report}");
}

/// Or a thousand kills at points that are not in the binary would leave no phone up.
#[tokio::test]
async fn points_that_were_not_compiled_in_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = crash(broken(folder.path(), "unset ONHOOK_CRASH_POINT"));
    (run.kills, run.kills_at_each_point, run.at_once) = (0, 1, 1);
    fails_with(&run.run().await.unwrap(), "is onhook/crash-points in the binary?");
}

#[tokio::test]
async fn a_server_that_forgets_its_calls_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let forgets = "[ -e \"$site/before\" ] || cp \"$site/onhook.db\" \"$site/before\"\n\
                   cp \"$site/before\" \"$site/onhook.db\"; rm -f \"$site/onhook.db-wal\" \"$site/onhook.db-shm\"";
    let mut run = crash(broken(folder.path(), forgets));
    run.patience = Duration::ZERO;
    let report = run.run().await.unwrap();
    fails_with(&report, "phones up 2 s after the restart");
    fails_with(&report, "of these, unknown after it");
}

#[tokio::test]
async fn a_restart_with_calls_up_ends_them_all() {
    let restart = RestartRun {
        onhook: ONHOOK.into(),
        seed: 1,
        calls: 30,
        old_records: 1000,
    };
    let report = restart.run().await.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn lost_packets_leave_no_phone_up() {
    let report = loss(ONHOOK.into()).run().await.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn a_server_that_does_not_repeat_what_was_lost_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "sed -i 's/t1 = \"10ms\"/t1 = \"60s\"/; s/t2 = \"80ms\"/t2 = \"60s\"/' \"$site/onhook.toml\"";
    let mut run = loss(broken(folder.path(), slow));
    run.t1 = Duration::from_millis(10);
    run.quality.loss = 30;
    let report = run.run().await.unwrap();
    fails_with(&report, "phones up 2·64·T1 after such an answer");
}

#[tokio::test]
async fn connections_that_break_leave_no_phone_up_over_tcp() {
    let report = connections(ONHOOK.into(), false).run().await.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn connections_that_break_leave_no_phone_up_over_tls() {
    let report = connections(ONHOOK.into(), true).run().await.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn a_server_that_does_not_send_again_what_was_cut_off_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let slow = "sed -i 's/t1 = \"10ms\"/t1 = \"2s\"/; s/t2 = \"80ms\"/t2 = \"2s\"/' \"$site/onhook.toml\"";
    let mut run = connections(broken(folder.path(), slow), false);
    // So many that requests of some are cut off, however slow the machine is.
    (run.t1, run.calls, run.side_by_side) = (Duration::from_millis(10), 400, 4);
    let report = run.run().await.unwrap();
    fails_with(&report, "phones up 2·64·T1 after the last of both");
}

/// A run of a hundred thousand calls ends at none that the gate refuses.
#[test]
fn every_number_that_is_dialled_is_let_through() {
    let digits = "^[0-9]{2,12}$".parse().unwrap();
    let rule = Rule {
        name: "as proving configures it".to_owned(),
        action: RuleAction::Allow,
        users: None,
        covers: Covers::Patterns(vec![digits]),
    };
    let policy = DialPolicy::new(Plan::new(PlanSettings::default()), vec![rule]);
    let caller = Caller {
        key: [1; 32],
        name: Some("alice".to_owned()),
        address: None,
    };
    for first in [NUMBERS, NUMBERS + FORKING] {
        let refused = (first..first + 100_000).step_by(7).find(|number| {
            policy
                .permit(caller.clone(), &Dialler::default(), &number.to_string())
                .is_err()
        });
        assert_eq!(refused, None);
    }
}
