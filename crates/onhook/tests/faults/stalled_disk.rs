//! A disk whose flushes or reads take minutes: requests are answered in time with what is true, and nothing rings of what was refused.

use std::cell::Cell;
use std::time::{Duration, Instant};

use onhook::phone::What;

use crate::stage::{refused, stage};
use crate::strace::Strace;

const TRANSIENT: &str = "ErrorInternalServerTransientError";
/// A minute each.
const STALLED: &str = "delay_enter=60000000";
/// Far less than that, and far more than what does not wait for it.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn requests_are_answered_while_a_flush_takes_a_minute_and_only_with_what_is_true() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let server = stage
        .serve("ballast = \"0\"\ndisk_wait = \"1s\"", "disconnect_wait = \"100ms\"")
        .await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    let stalled = Strace::of_flushes(&server, STALLED).await;

    let started = Instant::now();
    refused(server.play().await, TRANSIENT);
    assert!(server.knows(&call).await);
    // The BYE does not wait, and the phone says that it is down; but a crash now would not know it.
    let hanging_up = server.hang_up(&call);
    refused(hanging_up.await, TRANSIENT);
    assert!(server.knows(&call).await);
    refused(server.play().await, TRANSIENT);
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    stage.hung_up().await;

    stalled.detach().await;
    // Asked again when the disk is back, it is what it should be.
    server.hang_up(&call).await.unwrap();
    server.play().await.unwrap();
    let invited = Cell::new(0);
    stage
        .phone_tells(|what| {
            invited.set(invited.get() + usize::from(matches!(what, What::Invited { .. })));
            matches!(what, What::Acked)
        })
        .await;
    assert_eq!(invited.get(), 1, "nobody holds the id of a call that was refused");
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
    let mut causes = stage.causes();
    causes.sort();
    assert_eq!(causes, ["drain", "hangup", "hangup", "hangup"]);
}

#[tokio::test]
async fn requests_are_answered_while_a_read_takes_a_minute_and_calls_go_on() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let server = stage.serve("ballast = \"0\"\ndisk_wait = \"1s\"", "").await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    let stalled = Strace::of_reads(&server, STALLED).await;
    // Now there is something to be read: more requests than the runtime has workers find it.
    stage.add_user("bob");
    let started = Instant::now();
    let asked = tokio::join!(
        server.knows(&call),
        server.knows(&call),
        server.knows(&call),
        server.knows(&call)
    );
    assert_eq!(asked, (true, true, true, true));
    refused(server.play().await, TRANSIENT);
    refused(server.hang_up(&call).await, TRANSIENT);
    stage.hung_up().await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    stalled.detach().await;
    server.play().await.unwrap();
    stage.answered().await;
}
