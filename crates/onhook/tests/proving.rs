//! `make crash-test` and `make loss-test`, in small: the built server killed, its packets lost, phones counted.

use std::{path::PathBuf, time::Duration};

use proving::{crash::CrashRun, loss::LossRun, phones::Quality};

fn onhook() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_onhook"))
}

#[tokio::test]
async fn no_phone_is_up_after_a_kill_and_a_restart() {
    let run = CrashRun {
        onhook: onhook(),
        seed: 1,
        kills: 3,
        kills_at_each_point: if cfg!(feature = "crash-points") { 1 } else { 0 },
        at_once: 10,
    };
    let report = run.run().await.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn no_phone_is_up_after_a_hang_up_over_a_lossy_line() {
    let run = LossRun {
        onhook: onhook(),
        seed: 1,
        calls: 60,
        at_once: 10,
        // Not as short as `make loss-test` has it: in a debug build on a busy machine that would be too short to answer.
        t1: Duration::from_millis(20),
        quality: Quality {
            loss: 30,
            duplicates: 5,
            delay: Duration::from_millis(5),
        },
    };
    let report = run.run().await.unwrap();
    assert!(report.holds(), "{report}");
}
