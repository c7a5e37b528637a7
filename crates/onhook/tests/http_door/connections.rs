//! Who may hold a connection when there are more clients than places.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{ALICE, DISCONNECT, PATIENCE, read_answer, request, start_slow, start_with};

const FEW: &str = "max_connections_per_address = 3
header_timeout = \"60s\"";

async fn ends(mut stream: TcpStream) -> bool {
    let read = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    read.is_ok()
}

#[tokio::test]
async fn the_quietest_connection_makes_place_for_a_new_one() {
    let server = start_with(FEW);
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let whole = request(
        "POST",
        "/EWS/Exchange.asmx",
        &format!("Authorization: {ALICE}\r\n"),
        DISCONNECT,
    );
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client.write_all(whole.as_bytes()).await.unwrap();
    assert_eq!(timeout(PATIENCE, read_answer(&mut client)).await.unwrap().status, 200);
    assert!(ends(idle.remove(0)).await);
    let still = timeout(Duration::from_millis(50), idle[1].read(&mut [0])).await;
    assert!(still.is_err(), "one place was needed, and one given up: {still:?}");
}

#[tokio::test]
async fn a_request_under_way_is_not_given_up_for_a_new_one() {
    let headers = format!("Authorization: {ALICE}\r\n");
    let whole = request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT);
    let length = DISCONNECT.len();
    let chunked = whole
        .replace(&format!("Content-Length: {length}"), "Transfer-Encoding: chunked")
        .replace(DISCONNECT, &format!("{length:x}\r\n{DISCONNECT}\r\n0\r\n\r\n"));
    let login = whole.replace(ALICE, "Basic slow");
    for (whole, server) in [
        (whole, start_slow(FEW)),
        (chunked, start_slow(FEW)),
        (login, start_with(FEW)),
    ] {
        let mut busy = Vec::new();
        for _ in 0..3 {
            let mut client = TcpStream::connect(server.address()).await.unwrap();
            client.write_all(whole.as_bytes()).await.unwrap();
            server.service.asked.notified().await;
            busy.push(client);
        }
        assert!(
            ends(TcpStream::connect(server.address()).await.unwrap()).await,
            "a fourth is turned away"
        );
        for mut client in busy {
            server.service.let_go.notify_one();
            assert_eq!(timeout(PATIENCE, read_answer(&mut client)).await.unwrap().status, 200);
        }
    }
}
