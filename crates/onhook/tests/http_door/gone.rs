//! Clients that are gone before they are answered: what they have asked for is carried out.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{ALICE, DISCONNECT, PATIENCE, Server, request, start, start_slow};

/// Sends a request, and is gone while it is being worked at. The door has seen that when this returns.
async fn ask_and_go(server: &Server, request: &str) {
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    server.service.asked.notified().await;
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

/// Of a client that means to stay: only for the end of such a one hyper looks out.
fn disconnect(authorization: &str) -> String {
    let headers = format!("Authorization: {authorization}\r\n");
    request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT).replace("Connection: close\r\n", "")
}

/// The first is still being authenticated, the other being carried out.
#[tokio::test]
async fn a_hang_up_does_not_need_its_client() {
    for (server, authorization) in [(start(), "Basic slow"), (start_slow(""), ALICE)] {
        ask_and_go(&server, &disconnect(authorization)).await;
        server.service.let_go.notify_one();
        let ended = timeout(PATIENCE, server.service.ended.notified()).await;
        assert!(ended.is_ok(), "{authorization}");
    }
}

/// hyper sees the end before anybody has had a look at the request.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_its_end_right_behind_it_is_carried_out() {
    let server = start();
    for turn in 0..1_000 {
        let mut client = TcpStream::connect(server.address()).await.unwrap();
        client.write_all(disconnect(ALICE).as_bytes()).await.unwrap();
        if turn % 2 == 0 {
            SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        timeout(PATIENCE, server.service.ended.notified()).await.unwrap();
    }
}

#[tokio::test]
async fn shutdown_lets_be_carried_out_what_a_client_that_is_gone_has_asked_for() {
    let server = start_slow("");
    ask_and_go(&server, &disconnect(ALICE)).await;
    server.shutdown.cancel();
    let mut serving = server.serving;
    let early = timeout(Duration::from_millis(300), &mut serving).await;
    assert!(early.is_err(), "the door has closed before the call was ended");
    server.service.let_go.notify_one();
    timeout(PATIENCE, serving).await.unwrap().unwrap();
    timeout(PATIENCE, server.service.ended.notified()).await.unwrap();
}
