//! SIGTERM drains; a second one, or SIGINT, ends all calls now. Whatever was up is down before the process is gone.

use std::time::Duration;

use crate::stage::{refused, stage};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_draining_server_takes_no_call_and_waits_for_the_running_one() {
    let mut stage = stage(Duration::from_secs(8), None).await;
    let mut server = stage.serve("ballast = \"0\"", "drain_timeout = \"30s\"").await;
    let call = server.play().await.unwrap();
    stage.answered().await;

    server.signal("TERM").await;
    server.tells("draining").await;
    // Not Connected to a dead port, but told: the client may go on with another server.
    refused(server.play().await, "ErrorUnifiedMessagingServerNotFound");
    assert!(server.knows(&call).await, "a running call can still be asked about");
    server.tells("stopped").await;
    assert_eq!(server.exits().await, 0);
    stage.hung_up().await;
    assert_eq!(stage.causes(), ["finished"]);
    stage.phone.hang_up().await;
}

#[tokio::test]
async fn a_running_call_can_be_hung_up_by_its_caller_while_draining() {
    let mut stage = stage(LONG, None).await;
    let mut server = stage.serve("ballast = \"0\"", "").await;
    let call = server.play().await.unwrap();
    stage.answered().await;
    server.signal("TERM").await;
    server.tells("draining").await;
    server.hang_up(&call).await.unwrap();
    assert_eq!(server.exits().await, 0);
    assert_eq!(stage.causes(), ["hangup"]);
}

#[tokio::test]
async fn what_is_up_when_the_time_is_over_is_hung_up() {
    let mut stage = stage(LONG, None).await;
    let mut server = stage.serve("ballast = \"0\"", "drain_timeout = \"500ms\"").await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("TERM").await;
    server.tells("stopping").await;
    assert_eq!(server.exits().await, 0);
    stage.hung_up().await;
    assert_eq!(stage.causes(), ["drain"]);
}

#[tokio::test]
async fn a_second_signal_ends_all_calls_now() {
    for second in ["TERM", "INT"] {
        let mut stage = stage(LONG, None).await;
        let mut server = stage.serve("ballast = \"0\"", "drain_timeout = \"1h\"").await;
        for _ in 0..3 {
            server.play().await.unwrap();
            stage.answered().await;
        }
        server.signal("TERM").await;
        server.tells("draining").await;
        server.signal(second).await;
        assert_eq!(server.exits().await, 0);
        for _ in 0..3 {
            stage.hung_up().await;
        }
        assert_eq!(stage.causes(), ["drain"; 3]);
    }
}

#[tokio::test]
async fn an_interrupt_ends_all_calls_now() {
    let mut stage = stage(LONG, None).await;
    let server = stage.serve("ballast = \"0\"", "drain_timeout = \"1h\"").await;
    server.play().await.unwrap();
    stage.answered().await;
    server.signal("INT").await;
    assert_eq!(server.exits().await, 0);
    stage.hung_up().await;
    assert_eq!(stage.causes(), ["drain"]);
}

#[tokio::test]
async fn a_server_without_calls_is_gone_at_once() {
    let stage = stage(LONG, None).await;
    let server = stage.serve("ballast = \"0\"", "drain_timeout = \"1h\"").await;
    server.signal("TERM").await;
    assert_eq!(server.exits().await, 0);
}
