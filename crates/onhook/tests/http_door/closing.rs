//! How connections end: announced where there is an answer, and so that no answer is lost.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{
    ALICE, Answer, DISCONNECT, PATIENCE, Server, XML, read_answer, request, start_slow, start_tls, start_with,
    taken_apart,
};

/// More than sockets hold for who does not read.
const MUCH: usize = 16 * 1024 * 1024;

fn closes(answer: &Answer) -> bool {
    let mut options = answer.head.lines().filter_map(|line| line.split_once(": "));
    options.any(|(name, value)| name.eq_ignore_ascii_case("connection") && value == "close")
}

/// A request without `Connection: close`.
fn keep_alive_request(headers: &str, body: &str) -> String {
    request("POST", "/EWS/Exchange.asmx", headers, body).replace("Connection: close\r\n", "")
}

/// Sends all of it before it reads anything, as many clients do, and reads until the server has closed.
async fn sent_whole<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &[u8]) -> String {
    let sent = timeout(PATIENCE, stream.write_all(request)).await.unwrap();
    assert!(sent.is_ok(), "the socket takes all of the request: {sent:?}");
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
    assert!(read.is_ok(), "no reset destroys the answer: {read:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_connection_closes_the_answer_says_so_and_arrives() {
    let (server, tls) = start_tls("body_timeout = \"100ms\"");
    let alice = format!("Authorization: {ALICE}\r\n{XML}");
    let much = "x".repeat(MUCH);
    let chunk = format!("{MUCH:x}\r\n{much}\r\n0\r\n\r\n");
    let chunked = |lines: &str, body: &str| {
        let head = "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
        format!("{head}{lines}\r\n{body}")
    };
    let long_head = "X: y\r\n".repeat(200);
    let cases: [(&[u16], &str, String); 13] = [
        (&[413], "a body that is too long", keep_alive_request(&alice, &much)),
        (&[413], "chunks that are too long", chunked(&alice, &chunk)),
        (
            &[401],
            "a stranger's body that is too long",
            keep_alive_request("", &much),
        ),
        (&[401], "a stranger's chunks that are too long", chunked("", &chunk)),
        (
            &[404],
            "a body where nothing is",
            keep_alive_request(&alice, &much).replace("/EWS/Exchange.asmx", "/"),
        ),
        (
            &[405],
            "a body where none is expected",
            keep_alive_request(&alice, &much).replace("Exchange.asmx", "Services.wsdl"),
        ),
        (
            &[415],
            "compressed",
            keep_alive_request(&format!("{alice}Content-Encoding: gzip\r\n"), &much),
        ),
        (
            &[400],
            "a head that we refuse",
            format!("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n{much}"),
        ),
        (
            &[400],
            "a head that hyper refuses",
            format!("GET / HTTP/9.9\r\nHost: x\r\n\r\n{much}"),
        ),
        (
            &[431],
            "a head of too many lines",
            format!("GET / HTTP/1.1\r\nHost: x\r\n{long_head}\r\n{much}"),
        ),
        (
            &[400, 431],
            "a head without end",
            format!("GET / HTTP/1.1\r\nX: {much}"),
        ),
        (
            &[400],
            "chunks that are none",
            chunked(&alice, &format!("5\r\nhello!{much}")),
        ),
        (
            &[401],
            "a stranger's chunks that are none",
            chunked("", &format!("5\r\nhello!{much}")),
        ),
    ];
    for (statuses, what, request) in cases {
        let plain = sent_whole(TcpStream::connect(server.address()).await.unwrap(), request.as_bytes()).await;
        let secure = sent_whole(tls.connect(server.tls_address()).await, request.as_bytes()).await;
        for answer in [plain, secure].map(|answer| taken_apart(&answer)) {
            assert!(statuses.contains(&answer.status), "{what}: {}", answer.head);
            assert!(closes(&answer), "{what}: {}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_too_late_is_read_away_behind_the_answer() {
    let server = start_with("body_timeout = \"50ms\"");
    for authorization in [format!("Authorization: {ALICE}\r\n"), String::new()] {
        let request = keep_alive_request(&authorization, DISCONNECT);
        let (most, rest) = request.split_at(request.len() - 100);
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(most.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        let answer = sent_whole(stream, rest.as_bytes()).await;
        let answer = taken_apart(&answer);
        assert_eq!(answer.status, if authorization.is_empty() { 401 } else { 408 });
        assert!(closes(&answer), "{}", answer.head);
    }
}

/// Waits until the server has closed, then sends a request that has crossed the end: it is not answered, and it is not
/// answered with a reset either, which some clients take for a failure that must not be tried again.
async fn crosses_the_end<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let ended = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
    assert!(matches!(ended, Ok(0)), "an end, and no reset: {ended:?}");
    for _ in 0..3 {
        let crossing = stream.write_all(keep_alive_request("", DISCONNECT).as_bytes()).await;
        assert!(crossing.is_ok(), "the server still listens: {crossing:?}");
        let read = stream.read(&mut [0]).await;
        assert!(matches!(read, Ok(0)), "an end, and no reset: {read:?}");
    }
}

async fn asked_once(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(keep_alive_request(&format!("Authorization: {ALICE}\r\n"), DISCONNECT).as_bytes())
        .await
        .unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    stream
}

#[tokio::test]
async fn a_request_that_crosses_the_end_of_an_idle_connection_is_not_reset() {
    let (server, tls) = start_tls("header_timeout = \"50ms\"\nidle_timeout = \"50ms\"");
    crosses_the_end(asked_once(&server).await).await;
    // One that has never said anything, and one that has begun to.
    crosses_the_end(TcpStream::connect(server.address()).await.unwrap()).await;
    crosses_the_end(TcpStream::connect(server.tls_address()).await.unwrap()).await;
    crosses_the_end(tls.connect(server.tls_address()).await).await;
    let mut begun = TcpStream::connect(server.address()).await.unwrap();
    begun.write_all(b"POST /EWS").await.unwrap();
    crosses_the_end(begun).await;
}

#[tokio::test]
async fn a_request_that_crosses_the_end_of_a_connection_that_makes_place_is_not_reset() {
    let server = start_with("max_connections_per_address = 2\nheader_timeout = \"60s\"");
    let quiet = [
        asked_once(&server).await,
        TcpStream::connect(server.address()).await.unwrap(),
    ];
    let newer = [asked_once(&server).await, asked_once(&server).await];
    for quiet in quiet {
        crosses_the_end(quiet).await;
    }
    drop(newer);
}

#[tokio::test]
async fn a_client_that_is_turned_away_is_not_reset() {
    let server = start_slow("max_connections_per_address = 1");
    let mut served = TcpStream::connect(server.address()).await.unwrap();
    served
        .write_all(keep_alive_request(&format!("Authorization: {ALICE}\r\n"), DISCONNECT).as_bytes())
        .await
        .unwrap();
    server.service.asked.notified().await;
    crosses_the_end(TcpStream::connect(server.address()).await.unwrap()).await;
    server.service.let_go.notify_one();
    assert_eq!(read_answer(&mut served).await.status, 200);
}

#[tokio::test]
async fn shutdown_closes_idle_connections_without_a_reset_and_announces_the_last_answer() {
    let server = start_slow("");
    let mut idle = TcpStream::connect(server.address()).await.unwrap();
    let headers = format!("Authorization: {ALICE}\r\n");
    idle.write_all(keep_alive_request(&headers, DISCONNECT).as_bytes())
        .await
        .unwrap();
    server.service.asked.notified().await;
    server.service.let_go.notify_one();
    assert!(!closes(&read_answer(&mut idle).await));

    let mut served = TcpStream::connect(server.address()).await.unwrap();
    served
        .write_all(keep_alive_request(&headers, DISCONNECT).as_bytes())
        .await
        .unwrap();
    server.service.asked.notified().await;
    server.shutdown.cancel();
    crosses_the_end(idle).await;
    server.service.let_go.notify_one();
    // Right behind it comes another, which finds nobody.
    let crossing = keep_alive_request(&headers, DISCONNECT).repeat(100);
    let answers = sent_whole(served, crossing.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    assert!(closes(&taken_apart(&answers)), "{answers}");
}

/// Clients that are told when a connection ends do not send into its end.
#[tokio::test]
async fn a_connection_that_is_kept_says_for_how_long() {
    let server = start_with("idle_timeout = \"30s\"");
    let alice = format!("Authorization: {ALICE}\r\n");
    for (request, said) in [
        (keep_alive_request(&alice, DISCONNECT), Some("timeout=29")),
        (keep_alive_request("", DISCONNECT), Some("timeout=29")),
        (request("POST", "/EWS/Exchange.asmx", &alice, DISCONNECT), None),
        (
            keep_alive_request(&format!("{alice}Connection: x, Close\r\n"), DISCONNECT),
            None,
        ),
        (
            keep_alive_request(&alice, DISCONNECT).replace("HTTP/1.1", "HTTP/1.0"),
            None,
        ),
    ] {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!(answer.header("keep-alive"), said, "{}", answer.head);
        let options = answer.head.to_ascii_lowercase().matches("\r\nconnection: ").count();
        assert!(options <= 1, "{}", answer.head);
        assert_eq!(
            answer.header("connection") == Some("keep-alive"),
            said.is_some(),
            "{}",
            answer.head
        );
    }
}
