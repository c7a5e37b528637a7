//! How much a client may send, and how long it may take.

use std::time::{Duration, Instant};

use onhook::http::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::stage::{ALICE, DISCONNECT, OneCall, exchange, post, read_answer, request, settings, start, start_with};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);
/// What has to happen happens long before.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn long_bodies_are_refused_with_and_without_a_length() {
    let server = start();
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(post(&server, "Expect: 100-continue\r\n", &long).await.status, 413);
    let chunked = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n",
        long.len()
    );
    assert_eq!(exchange(server.address, &chunked).await.status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_forever() {
    let settings = Settings {
        body_timeout: SHORT,
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let unfinished = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n\
         Content-Length: 100\r\n\r\n<"
    );
    assert_eq!(exchange(server.address, &unfinished).await.status, 408);
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let settings = Settings {
        header_timeout: SHORT,
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /EWS/Exchange.asmx HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_the_connection() {
    let settings = Settings {
        header_timeout: Duration::from_millis(300),
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let started = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address).await.unwrap().into_split();
    let dripping = tokio::spawn(async move {
        let mut clock = interval(Duration::from_millis(20));
        writer
            .write_all(b"GET /EWS/Exchange.asmx HTTP/1.1\r\nX: ")
            .await
            .unwrap();
        while writer.write_all(b"x").await.is_ok() {
            clock.tick().await;
        }
    });
    // Closed, or reset because more came after that.
    let _ = timeout(PATIENCE, reader.read_to_end(&mut Vec::new())).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    drop(reader);
    timeout(PATIENCE, dripping).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_kept() {
    let settings = Settings {
        header_timeout: SHORT,
        idle_timeout: LONG,
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

/// A request that leaves the connection open.
fn kept() -> String {
    let headers = format!("Authorization: {ALICE}\r\n");
    request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT).replace("Connection: close\r\n", "")
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_longer_than_for_a_head() {
    let settings = Settings {
        header_timeout: SHORT,
        idle_timeout: LONG,
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(kept().as_bytes()).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200);
        let next = timeout(4 * SHORT, stream.read(&mut [0])).await;
        assert!(next.is_err(), "the server has closed it: {next:?}");
    }
    // The next head is held to its own time again.
    stream.write_all(b"POST /EWS").await.unwrap();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_connection_is_not_kept_for_ever() {
    let settings = Settings {
        header_timeout: LONG,
        idle_timeout: SHORT,
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(kept().as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_a_connection_is_kept_still_comes() {
    let settings = Settings {
        header_timeout: SHORT,
        idle_timeout: SHORT,
        ..settings()
    };
    let service = OneCall {
        is_slow: true,
        ..OneCall::default()
    };
    let server = start_with(settings, service);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(kept().as_bytes()).await.unwrap();
    server.service.asked.notified().await;
    let early = timeout(4 * SHORT, stream.read(&mut [0])).await;
    assert!(early.is_err(), "{early:?}");
    server.service.let_go.notify_one();
    assert_eq!(read_answer(&mut stream).await.status, 200);
}
