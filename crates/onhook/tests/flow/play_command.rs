//! `onhook play`, `info` and `hangup` as built, against a server.

use std::process::{Output, Stdio};
use std::time::Duration;

use onhook::phone::{Behaviour, Ending, PhoneOptions, What};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::stage::{PASSWORD, PATIENCE, Stage, byes, stage};

/// Starts the binary with the server's address, the user, and the password on standard input.
async fn onhook(stage: &Stage, command: &str, arguments: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_onhook"))
        .arg(command)
        .args(["--url", &stage.url(), "--user", "anna"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await.unwrap();
    child
}

async fn ended(child: Child) -> Output {
    timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap()
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn play_follows_a_call_to_its_end() {
    let options = PhoneOptions {
        hang_up_after: Some(Duration::from_millis(1500)),
        ..PhoneOptions::default()
    };
    let stage = stage(options).await;
    let arguments = ["--item-id", &stage.item_id, "--to", "4711", "--wait", "--json"];
    let output = ended(onhook(&stage, "play", &arguments).await).await;
    assert_eq!(code(&output), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["state"], "Disconnected");
    assert_eq!(report["connection_failure_cause"], "None");
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains("playing\n"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn play_tells_when_nobody_answered() {
    let options = PhoneOptions {
        behaviour: Behaviour::Busy,
        ..PhoneOptions::default()
    };
    let stage = stage(options).await;
    let arguments = ["--item-id", &stage.item_id, "--to", "4711", "--wait"];
    let output = ended(onhook(&stage, "play", &arguments).await).await;
    assert_eq!(code(&output), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Disconnected, UserBusy (486 Busy Here)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn play_tells_why_the_server_refused() {
    let stage = stage(PhoneOptions::default()).await;
    let refused = |output: &Output, why: &str| {
        assert_eq!(code(output), Some(3));
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(shown.contains(why), "{shown}");
    };
    let arguments = ["--item-id", &stage.item_id, "--to", "not a number"];
    refused(
        &ended(onhook(&stage, "play", &arguments).await).await,
        "ErrorInvalidPhoneNumber",
    );
    let arguments = ["--item-id", &stage.item_id, "--to", "0900123456"];
    refused(
        &ended(onhook(&stage, "play", &arguments).await).await,
        "ErrorPhoneNumberNotDialable",
    );
    refused(
        &ended(onhook(&stage, "play", &["--item-id", "-x", "--to", "4711"]).await).await,
        "ErrorInvalidIdMalformed",
    );
    refused(
        &ended(onhook(&stage, "info", &["-AAAAAAAAAAAAAAAAAAAAA"]).await).await,
        "ErrorInvalidPhoneCallId",
    );
    refused(
        &ended(onhook(&stage, "hangup", &["--json", "--x"]).await).await,
        "ErrorInvalidPhoneCallId",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_hangs_up() {
    let mut stage = stage(PhoneOptions::default()).await;
    let arguments = ["--item-id", &stage.item_id, "--to", "4711", "--wait"];
    let child = onhook(&stage, "play", &arguments).await;
    stage.phone_tells(|what| matches!(what, What::Acked)).await;
    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let told = stage.phone_tells(|what| matches!(what, What::Ended { .. })).await;
    assert_eq!(byes(&told), 1);
    let output = ended(child).await;
    assert_eq!(code(&output), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Hung up."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_be_asked_about_and_hung_up_by_its_id() {
    let mut stage = stage(PhoneOptions::default()).await;
    let arguments = ["--item-id", &stage.item_id, "--to", "4711"];
    let played = ended(onhook(&stage, "play", &arguments).await).await;
    let mut lines = BufReader::new(played.stdout.as_slice()).lines();
    let id = lines.next_line().await.unwrap().unwrap();
    stage.phone_tells(|what| matches!(what, What::Acked)).await;
    let information = ended(onhook(&stage, "info", &[&id]).await).await;
    assert_eq!(
        (code(&information), information.stdout.as_slice()),
        (Some(0), &b"Connected\n"[..])
    );
    assert_eq!(code(&ended(onhook(&stage, "hangup", &[&id]).await).await), Some(0));
    let told = stage.phone_tells(|what| matches!(what, What::Ended { .. })).await;
    assert!(matches!(
        told.last(),
        Some(What::Ended {
            why: Ending::CallerHungUp,
            ..
        })
    ));
    let information = ended(onhook(&stage, "info", &["--json", &id]).await).await;
    let report: serde_json::Value = serde_json::from_slice(&information.stdout).unwrap();
    assert_eq!(report["state"], "Disconnected");
}
