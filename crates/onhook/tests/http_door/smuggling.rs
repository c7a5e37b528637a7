//! Requests that a proxy in front and the door could tell apart in different ways are refused, and nothing behind them
//! is acted on.

use crate::stage::{ALICE, DISCONNECT, start, told};

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

/// A request with these header lines and body, and behind it one that must not be seen.
fn before_another(lines: &str, body: &str) -> String {
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {ALICE}\r\n{lines}\r\n\r\n{body}\
         GET /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

#[tokio::test]
async fn two_answers_to_where_a_body_ends_are_none() {
    let server = start();
    let length = DISCONNECT.len();
    for (lines, body) in [
        (
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
            chunked(DISCONNECT),
        ),
        (
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            DISCONNECT.into(),
        ),
        (
            format!("Content-Length: {length}\r\nContent-Length: {length}"),
            DISCONNECT.into(),
        ),
        (
            format!("Content-Length: {length}\r\nContent-Length: 1"),
            DISCONNECT.into(),
        ),
        (format!("Content-Length: {length}, {length}"), DISCONNECT.into()),
        (format!("Content-Length: +{length}"), DISCONNECT.into()),
        (format!("Content-Length : {length}"), DISCONNECT.into()),
        ("Transfer-Encoding : chunked".into(), chunked(DISCONNECT)),
        ("Transfer-Encoding: identity, chunked".into(), chunked(DISCONNECT)),
        ("Transfer-Encoding: chunked, chunked".into(), chunked(DISCONNECT)),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".into(),
            chunked(DISCONNECT),
        ),
        ("Transfer-Encoding: chunke\r\n d".into(), chunked(DISCONNECT)),
        (format!("X: folded\r\n Content-Length: {length}"), DISCONNECT.into()),
        (format!("X: bare\nContent-Length: {length}"), DISCONNECT.into()),
        (format!("X: bare\rContent-Length: {length}"), DISCONNECT.into()),
        (format!("Host: y\r\nContent-Length: {length}"), DISCONNECT.into()),
    ] {
        let answers = told(server.address(), &before_another(&lines, &body)).await;
        assert_eq!(statuses(&answers), ["400"], "{lines:?}: {answers}");
    }
}

#[tokio::test]
async fn nothing_is_read_behind_a_chunked_body() {
    let server = start();
    for body in [
        chunked(DISCONNECT),
        format!("{:x};a=b\r\n{DISCONNECT}\r\n0\r\nX: y\r\n\r\n", DISCONNECT.len()),
    ] {
        let answers = told(server.address(), &before_another("Transfer-Encoding: chunked", &body)).await;
        assert_eq!(statuses(&answers), ["200"], "{answers}");
        assert!(answers.to_ascii_lowercase().contains("connection: close"), "{answers}");
    }
    for body in ["5\n", "5 5\r\n", "0x5\r\n", "-5\r\n", "fffffffffffffffff\r\n"] {
        let answers = told(server.address(), &before_another("Transfer-Encoding: chunked", body)).await;
        assert_eq!(statuses(&answers), ["400"], "{body:?}: {answers}");
    }
}

#[tokio::test]
async fn requests_with_lengths_follow_one_another() {
    let server = start();
    let lines = format!("Content-Length: {}", DISCONNECT.len());
    let answers = told(server.address(), &before_another(&lines, DISCONNECT)).await;
    assert_eq!(statuses(&answers), ["200", "401"]);
    // The end of line that old clients leave behind a body.
    let answers = told(server.address(), &before_another(&lines, &format!("{DISCONNECT}\r\n"))).await;
    assert_eq!(statuses(&answers), ["200", "401"]);
}

/// What is wrong with the second request is no matter of the first.
#[tokio::test]
async fn a_refusal_waits_for_its_turn() {
    let server = start();
    let first = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {ALICE}\r\nContent-Length: {}\r\n\r\n{DISCONNECT}",
        DISCONNECT.len()
    );
    let second = before_another("Content-Length: 1\r\nContent-Length: 1", "x");
    assert_eq!(
        statuses(&told(server.address(), &(first + &second)).await),
        ["200", "400"]
    );
}
