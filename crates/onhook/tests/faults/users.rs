//! Users that are changed by commands beside a running server.

use std::time::Duration;

use onhook::client::ClientError;

use crate::stage::{refused, stage};

#[tokio::test]
async fn a_command_that_has_ended_is_what_the_next_request_meets() {
    let mut stage = stage(Duration::from_secs(60), None).await;
    let mut server = stage.serve("ballast = \"0\"", "").await;
    // Every request meets what the command before it did, also while calls are being written.
    for round in 0..5 {
        let (old, new) = (format!("old-password-{round}"), format!("new-password-{round}"));
        stage.command(&["user", "add", "bob"], &format!("{old}\n")).await;
        server.log_in("bob", &old);
        refused(server.play().await, "ErrorItemNotFound");
        stage.command(&["user", "passwd", "bob"], &format!("{new}\n")).await;
        assert!(
            matches!(server.play().await, Err(ClientError::Unauthorised)),
            "the old password"
        );
        server.log_in("bob", &new);
        refused(server.play().await, "ErrorItemNotFound");
        stage.command(&["user", "remove", "bob"], "").await;
        assert!(
            matches!(server.play().await, Err(ClientError::Unauthorised)),
            "nobody any more"
        );
        server.log_in("anna", "secret");
        server.play().await.unwrap();
        stage.answered().await;
    }
}
