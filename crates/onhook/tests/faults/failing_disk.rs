//! Writes and flushes that fail under a running server: the journal is shut for good, and calls can still be ended.

use std::time::{Duration, Instant};

use crate::stage::{Serving, Stage, refused, run, stage};
use crate::strace::Strace;

/// The signal for a file that grows too long would end the process before the write can fail.
const WITHOUT_SIGXFSZ: [&str; 3] = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

#[tokio::test]
async fn after_a_failed_write_calls_end_and_none_begins() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut server = stage.serve_by(&WITHOUT_SIGXFSZ, "ballast = \"0\"", "").await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    run("prlimit", &["--pid", &server.pid(), "--fsize=0:0"]).await;
    none_begins(&mut server).await;
    calls_end(&mut stage, &server, &call).await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
    the_next_server_takes_over(&mut stage).await;
}

#[tokio::test]
async fn after_a_failed_flush_calls_end_and_none_begins() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut server = stage.serve("ballast = \"0\"", "").await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    // Only the first flush of each thread fails: a second try would succeed, and must not be made.
    let strace = Strace::of_flushes(&server, "error=EIO:when=1").await;
    none_begins(&mut server).await;
    // It has done its part, and slows everything down.
    strace.detach().await;
    calls_end(&mut stage, &server, &call).await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
    the_next_server_takes_over(&mut stage).await;
}

#[tokio::test]
async fn a_server_on_a_disk_that_takes_its_time_hangs_up_at_once_what_the_last_one_left() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let server = stage.serve("ballast = \"0\"", "").await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("KILL").await;
    server.exits().await;

    // Ten seconds a flush.
    let slowly = [
        "strace",
        "-D",
        "-f",
        "-q",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
        "inject=fsync,fdatasync:delay_enter=10000000",
    ];
    let started = Instant::now();
    let server = stage.serve_by(&slowly, "ballast = \"0\"", "").await;
    stage.hung_up().await;
    assert!(started.elapsed() < Duration::from_secs(8), "it waited for the disk");
    server.signal("KILL").await;
    server.exits().await;
}

async fn none_begins(server: &mut Serving) {
    refused(server.play().await, "ErrorInternalServerTransientError");
    let line = server.tells("the journal has failed").await;
    assert!(line.contains("onhook.db") && line.contains("restart onhook"), "{line}");
    refused(server.play().await, "ErrorInternalServerTransientError");
}

async fn calls_end(stage: &mut Stage, server: &Serving, call: &ews::PhoneCallId) {
    assert!(server.knows(call).await);
    // NoError, for the phone has confirmed; the wish itself could not be written.
    server.hang_up(call).await.unwrap();
    stage.hung_up().await;
    assert_eq!(stage.invited(), 0, "no INVITE without an intent");
}

/// The last server could not write down that its call has ended: the next one ends it again, which does no harm.
async fn the_next_server_takes_over(stage: &mut Stage) {
    let mut server = stage.serve("ballast = \"0\"", "").await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("TERM").await;
    server.tells("draining").await;
    server.signal("TERM").await;
    assert_eq!(server.exits().await, 0);
    assert_eq!(stage.causes().last().unwrap(), "drain");
}
