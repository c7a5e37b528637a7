//! Panics, put in at named points of the built server (`ONHOOK_CRASH_POINT`): where calls are kept, written or played they end
//! the process, and the next one has every phone on-hook in time; anywhere else they end one request.

use std::time::{Duration, Instant};

use ews::ReplyError;
use onhook::client::ClientError;
use rusqlite::Connection;

use crate::stage::{Serving, Stage, stage};

const CALLS: usize = 50;
/// From the start of the next server to the last phone's end.
const BAR: Duration = Duration::from_secs(2);
const NO_BALLAST: &str = "ballast = \"0\"";

async fn all_but_one_up(server: &Serving, stage: &mut Stage) {
    for _ in 1..CALLS {
        server.play().await.unwrap();
        stage.answered().await;
    }
}

async fn all_end_with_the_next_server(stage: &mut Stage) {
    let server = stage.serve(NO_BALLAST, "").await;
    let ready = Instant::now();
    for _ in 0..CALLS {
        stage.hung_up().await;
    }
    assert!(
        ready.elapsed() < BAR,
        "the last phone was down after {:?}",
        ready.elapsed()
    );
    // And it is as good as any.
    server.play().await.unwrap();
    stage.answered().await;
}

async fn dies_of_a_hang_up(point: &str, what: &str) {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let point = format!("ONHOOK_CRASH_POINT={point}");
    let mut server = stage.serve_by(&["env", &point], NO_BALLAST, "").await;
    all_but_one_up(&server, &mut stage).await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    // An answer may just get out, and is true then: the phone may have confirmed its end.
    let _ = server.hang_up(&call).await;
    let line = server.tells("a panic").await;
    assert!(line.contains(".rs:") && line.contains("as a crash point"), "{line}");
    let line = server.tells("ends at once").await;
    assert!(line.contains(what), "{line}");
    server.aborts().await;
    all_end_with_the_next_server(&mut stage).await;
}

#[tokio::test]
async fn a_panic_of_the_owner_ends_the_process_and_the_next_one_hangs_up() {
    dies_of_a_hang_up("panic-owner", "the owner of the calls").await;
}

#[tokio::test]
async fn a_panic_of_the_journal_ends_the_process_and_the_next_one_hangs_up() {
    dies_of_a_hang_up("panic-journal", "the journal").await;
}

#[tokio::test]
async fn a_panic_of_the_pacer_ends_the_process_and_the_next_one_hangs_up() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut server = stage
        .serve_by(&["env", "ONHOOK_CRASH_POINT=panic-pacer:50"], NO_BALLAST, "")
        .await;
    all_but_one_up(&server, &mut stage).await;
    // Its sound is one too many.
    server.play().await.unwrap();
    server.tells("ends at once").await;
    server.aborts().await;
    all_end_with_the_next_server(&mut stage).await;
}

#[tokio::test]
async fn a_panic_while_a_request_is_answered_ends_that_request_alone() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut server = stage
        .serve_by(&["env", "ONHOOK_CRASH_POINT=panic-request:2"], NO_BALLAST, "")
        .await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    match server.hang_up(&call).await {
        Err(ClientError::Reply(ReplyError::Fault { code, .. })) => {
            assert_eq!(code, "ErrorInternalServerError");
        }
        other => panic!("{other:?}"),
    }
    let line = server.tells("a panic").await;
    assert!(line.contains("request_id=") && line.contains(".rs:"), "{line}");
    server.hang_up(&call).await.unwrap();
    stage.hung_up().await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
}

/// The call in this place, as the log and the crash points name it.
fn call_of(stage: &Stage, place: i64) -> String {
    let key: i64 = Connection::open(stage.store())
        .unwrap()
        .query_row("SELECT k FROM call ORDER BY k LIMIT 1 OFFSET ?1", [place], |row| {
            row.get(0)
        })
        .unwrap();
    format!("{}.{}", key >> 40, key & ((1 << 40) - 1))
}

#[tokio::test]
async fn a_call_that_no_server_can_take_up_keeps_no_other_phone_up() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let server = stage.serve(NO_BALLAST, "").await;
    all_but_one_up(&server, &mut stage).await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("KILL").await;
    server.exits().await;
    let poisoned = call_of(&stage, 17);
    let starter = ["env", &format!("ONHOOK_CRASH_POINT=panic-taking-up:{poisoned}")];

    for _ in 0..2 {
        let log = stage.dies(&starter, NO_BALLAST, "").await;
        assert!(!log.contains("taken up last"), "{log}");
    }
    let started = Instant::now();
    let log = stage.dies(&starter, NO_BALLAST, "").await;
    for _ in 1..CALLS {
        stage.hung_up().await;
    }
    assert!(started.elapsed() < BAR, "49 phones took {:?}", started.elapsed());
    let told = format!("call={poisoned} ");
    let is_told = |log: &str, what: &str| {
        log.lines()
            .any(|line| line.contains(what) && (line.to_owned() + " ").contains(&told))
    };
    assert!(is_told(&log, "taken up last"), "{log}");

    // It has been tried alone. A server that would die of it for ever serves nobody.
    let mut server = stage.serve_by(&starter, NO_BALLAST, "").await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("KILL").await;
    server.exits().await;
    // A program that can take it up does, when it is told to.
    std::fs::remove_file(stage.store().with_extension("db-taking-up")).unwrap();
    server = stage.serve(NO_BALLAST, "").await;
    for _ in 0..2 {
        stage.hung_up().await;
    }
    server.play().await.unwrap();
}
