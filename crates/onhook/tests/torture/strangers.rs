//! Every message of the catalogue, sent by a stranger.

use crate::{
    baseline,
    catalogue::{CASES, Case},
    message, panics,
    peer::{self, Outcome},
    server::Tortured,
};

#[tokio::test]
async fn every_message_is_treated_as_the_baseline_says() {
    panics::watch();
    let before = panics::seen();
    let server = Tortured::start("").await;
    let mut rows = Vec::new();
    for case in CASES {
        let bytes = message::load(case.name);
        let outcome = send(&server, case, &bytes).await;
        rows.push(baseline::row(case, &outcome));
    }
    server.stop().await;
    assert_eq!(panics::seen(), before, "something panicked in the server");
    baseline::compare("baseline.txt", &rows);
}

/// By the transport that the first Via names, and by IPv6 if the message is about that.
async fn send(server: &Tortured, case: &Case, bytes: &[u8]) -> Outcome {
    let name = case.name.replace('/', "-");
    if case.name.starts_with("rfc5118/") {
        return peer::by_udp(server.udp6.unwrap_or(server.udp), bytes, &name).await;
    }
    let text = String::from_utf8_lossy(bytes);
    let place = |transport| text.find(transport).unwrap_or(text.len());
    if place("/TCP") < place("/UDP") {
        peer::by_tcp(server.tcp, bytes, &name).await
    } else {
        peer::by_udp(server.udp, bytes, &name).await
    }
}
