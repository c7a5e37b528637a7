//! How much a client may send, and how long it may take.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::stage::{
    ALICE, DISCONNECT, PATIENCE, XML, exchange, post, read_answer, request, start, start_slow, start_tls, start_with,
};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn long_bodies_are_refused_with_and_without_a_length() {
    let server = start();
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(post(&server, "Expect: 100-continue\r\n", &long).await.status, 413);
    let chunked = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n{XML}\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n",
        long.len()
    );
    assert_eq!(exchange(server.address(), &chunked).await.status, 413);
}

/// Otherwise who sends the body before reading would find a reset instead of the challenge.
#[tokio::test]
async fn the_body_of_a_stranger_is_read_away() {
    let server = start();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = request("POST", "/EWS/Exchange.asmx", "", &"x".repeat(2_000)).replace("Connection: close\r\n", "");
    let (most, rest) = request.split_at(request.len() - 1_000);
    for _ in 0..2 {
        stream.write_all(most.as_bytes()).await.unwrap();
        let early = timeout(SHORT, stream.read(&mut [0])).await;
        assert!(early.is_err(), "answered before the body has come: {early:?}");
        stream.write_all(rest.as_bytes()).await.unwrap();
        assert_eq!(timeout(PATIENCE, read_answer(&mut stream)).await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_forever() {
    let server = start_with("body_timeout = \"50ms\"");
    let unfinished = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n{XML}\
         Content-Length: 100\r\n\r\n<"
    );
    assert_eq!(exchange(server.address(), &unfinished).await.status, 408);
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server = start_with("header_timeout = \"50ms\"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"POST /EWS/Exchange.asmx HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_ends_the_connection() {
    let server = start_with("header_timeout = \"300ms\"");
    let started = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address()).await.unwrap().into_split();
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
    let ended = timeout(PATIENCE, reader.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
    assert!(started.elapsed() >= Duration::from_millis(300));
    dripping.abort();
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_kept() {
    let server = start_with("header_timeout = \"50ms\"\nidle_timeout = \"60s\"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
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
    let server = start_with("header_timeout = \"50ms\"\nidle_timeout = \"60s\"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
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
    let server = start_with("header_timeout = \"60s\"\nidle_timeout = \"50ms\"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(kept().as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    let ended = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_takes_longer_than_a_connection_is_kept_still_comes() {
    let server = start_slow("header_timeout = \"50ms\"\nidle_timeout = \"50ms\"");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(kept().as_bytes()).await.unwrap();
    server.service.asked.notified().await;
    let early = timeout(4 * SHORT, stream.read(&mut [0])).await;
    assert!(early.is_err(), "{early:?}");
    server.service.let_go.notify_one();
    assert_eq!(read_answer(&mut stream).await.status, 200);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let (server, _) = start_tls("header_timeout = \"50ms\"");
    for beginning in [b"".as_slice(), b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(server.tls_address()).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert_eq!(ended.unwrap().unwrap(), 0);
    }
}

/// A body is held from the moment it is announced until it has been read and understood.
#[tokio::test]
async fn bodies_of_all_clients_have_so_much_room() {
    let server = start_with("body_limit = 1024\nbodies_limit = 1500\nbody_timeout = \"2s\"");
    let head = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n{XML}\
         Content-Length: 1024\r\n\r\n<"
    );
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    first.write_all(head.as_bytes()).await.unwrap();
    // There is none for another one, until the first has taken too long.
    let body = format!("{DISCONNECT}{}", " ".repeat(1000 - DISCONNECT.len()));
    let early = timeout(Duration::from_millis(300), post(&server, "", &body)).await;
    assert!(early.is_err(), "{:?}", early.map(|answer| answer.status));
    assert_eq!(post(&server, "", &body).await.status, 200);
    let mut refused = String::new();
    first.read_to_string(&mut refused).await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 408"), "{refused}");

    // Where two take too long one after the other, the third is told.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        slow.push(client);
    }
    let mut told = String::new();
    timeout(PATIENCE, slow[2].read_to_string(&mut told))
        .await
        .unwrap()
        .unwrap();
    assert!(
        told.contains("ErrorServerBusy") && told.contains("BackOffMilliseconds"),
        "{told}"
    );
}
