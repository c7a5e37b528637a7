//! Requests that a proxy in front and the door could tell apart in different ways are refused, and nothing behind them
//! is acted on.

use crate::stage::{ALICE, DISCONNECT, XML, start, told};

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

/// A request with these header lines and body, and behind it one that must not be seen.
fn before_another(lines: &str, body: &str) -> String {
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {ALICE}\r\n{XML}{lines}\r\n\r\n{body}\
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
async fn requests_in_plain_chunks_follow_one_another() {
    let server = start();
    let (first, second) = DISCONNECT.split_at(100);
    for body in [
        chunked(DISCONNECT),
        format!(
            "{:08X}\r\n{first}\r\n{:x}\r\n{second}\r\n00\r\n\r\n",
            first.len(),
            second.len()
        ),
    ] {
        let lines = "Transfer-Encoding: chunked";
        let answers = told(server.address(), &before_another(lines, &body)).await;
        assert_eq!(statuses(&answers), ["200", "401"], "{answers}");
        let answers = told(
            server.address(),
            &before_another(lines, &(body.clone() + &before_another(lines, &body))),
        )
        .await;
        assert_eq!(statuses(&answers), ["200", "200", "401"], "{answers}");
    }
}

#[tokio::test]
async fn nothing_is_read_behind_a_chunked_body_whose_end_is_in_doubt() {
    let server = start();
    let length = DISCONNECT.len();
    for body in [
        format!("{length:x};a=b\r\n{DISCONNECT}\r\n0\r\n\r\n"),
        format!("{length:x}\r\n{DISCONNECT}\r\n0;a=b\r\n\r\n"),
        format!("{length:x} \r\n{DISCONNECT}\r\n0\r\n\r\n"),
        format!("{length:09x}\r\n{DISCONNECT}\r\n0\r\n\r\n"),
        format!("{length:x}\r\n{DISCONNECT}\r\n000000000\r\n\r\n"),
        format!("{length:x}\r\n{DISCONNECT}\r\n0\r\nX: y\r\n\r\n"),
        format!("{length:x}\r\n{DISCONNECT}\r\n0\r\nContent-Length: 5\r\n\r\n"),
    ] {
        let one = before_another("Transfer-Encoding: chunked", &body);
        let answers = told(server.address(), &one).await;
        assert_eq!(statuses(&answers), ["200"], "{answers}");
        assert!(answers.to_ascii_lowercase().contains("connection: close"), "{answers}");
        // What is in doubt is the second request's end, and not the first's.
        let behind_another = before_another(&format!("Content-Length: {length}"), &(DISCONNECT.to_owned() + &one));
        let answers = told(server.address(), &behind_another).await;
        assert_eq!(statuses(&answers), ["200", "200"], "{answers}");
        assert_eq!(
            answers.to_ascii_lowercase().matches("connection: close").count(),
            1,
            "{answers}"
        );
    }
    // One of these readers would have seen the end of the body earlier, or later.
    // hyper takes this for a trailer, and reads on to an empty line.
    let trailer = before_another("Transfer-Encoding: chunked", "0\r\n\n");
    assert_eq!(statuses(&told(server.address(), &trailer).await), ["500"]);
    let long = format!("5;{}\r\n", "x".repeat(60_000));
    for body in [
        "5\n",
        "5 5\r\n",
        "\r\n",
        "5\r\nhello\r\n\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "0\n\n",
        "0x5\r\n",
        "-5\r\n",
        "fffffffffffffffff\r\n",
        "5;x\n",
        "5;x\ry\r\n",
        "1\r\nx\n0\r\n\r\n",
        &long,
    ] {
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
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: {ALICE}\r\n{XML}Content-Length: {}\r\n\r\n{DISCONNECT}",
        DISCONNECT.len()
    );
    let second = before_another("Content-Length: 1\r\nContent-Length: 1", "x");
    assert_eq!(
        statuses(&told(server.address(), &(first + &second)).await),
        ["200", "400"]
    );
}

#[tokio::test]
async fn request_lines_are_read_in_one_way() {
    let server = start();
    let behind = "Host: x\r\n\r\nGET /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for line in [
        "GET /",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.0 HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        " GET / HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "G\0ET / HTTP/1.1",
    ] {
        let answers = told(server.address(), &format!("{line}\r\n{behind}")).await;
        assert_eq!(statuses(&answers), ["400"], "{line:?}: {answers}");
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(told(server.address(), preface).await, "");
    // HTTP/1.0 knows no chunks (RFC 9112 §6.1).
    let answers = told(
        server.address(),
        &format!("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n{behind}"),
    )
    .await;
    assert_eq!(statuses(&answers), ["400"], "{answers}");
}

/// What follows is the next request, and not another protocol.
#[tokio::test]
async fn nobody_leaves_http() {
    let server = start();
    let behind = "\r\nGET /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for request in [
        "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n",
        "GET http://y/ HTTP/1.1\r\nHost: x\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
    ] {
        let answers = told(server.address(), &format!("{request}{behind}")).await;
        assert_eq!(statuses(&answers), ["404", "401"], "{request:?}: {answers}");
    }
}
