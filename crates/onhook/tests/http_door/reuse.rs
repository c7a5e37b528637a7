//! A client that keeps its connection over a 401, as .NET's does: its next request is on its way before it could know that
//! the connection has been closed.
//!
//! `REUSE_REQUESTS` says how many logins for each kind of client; `make client-test` asks for many.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{ALICE, Answer, DISCONNECT, PATIENCE, Server, Tls, start_tls, try_read_answer};

/// Clients at a time.
const CLIENTS: usize = 8;
/// Logins on one connection, if it may: a request without credentials, and one with.
const ON_ONE: usize = 10;

/// How a client sends the body of a request that expects `100 Continue`.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// When it has been told to go on; never, if it is refused first.
    OnceTold,
    /// Behind the head.
    AtOnce,
}

fn requests() -> usize {
    std::env::var("REUSE_REQUESTS").map_or(400, |requests| requests.parse().unwrap())
}

fn head(authorization: &str) -> String {
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml; charset=utf-8\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n{authorization}\r\n",
        DISCONNECT.len()
    )
}

/// Sends a request and takes its answer; `None` when the connection ends before that.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, authorization: &str, body: Body) -> Option<Answer> {
    let mut sent = head(authorization);
    let mut owed = Some(DISCONNECT);
    if let Body::AtOnce = body {
        sent.push_str(owed.take()?);
    }
    stream.write_all(sent.as_bytes()).await.ok()?;
    loop {
        let answer = timeout(PATIENCE, try_read_answer(stream)).await.unwrap()?;
        if answer.status != 100 {
            return Some(answer);
        }
        if let Some(body) = owed.take() {
            stream.write_all(body.as_bytes()).await.ok()?;
        }
    }
}

fn is_kept(answer: &Answer) -> bool {
    !answer
        .header("connection")
        .is_some_and(|option| option.eq_ignore_ascii_case("close"))
}

/// Asks without credentials and then with them, again and again on one connection. Says how many logins were lost on a
/// connection that was said to be kept, and for how many it was.
async fn login<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, body: Body, pauses: &[u64]) -> (usize, usize) {
    let alice = format!("Authorization: {ALICE}\r\n");
    for (asked, pause) in pauses.iter().enumerate() {
        let Some(challenge) = ask(&mut stream, "", body).await else {
            return (1, asked);
        };
        assert_eq!(challenge.status, 401);
        if !is_kept(&challenge) {
            return (0, asked);
        }
        // The client thinks; what comes meanwhile can only be an end that nobody has announced.
        let meanwhile = timeout(Duration::from_millis(*pause), stream.read(&mut [0])).await;
        if meanwhile.is_ok() {
            return (1, asked);
        }
        let Some(answer) = ask(&mut stream, &alice, body).await else {
            return (1, asked);
        };
        assert_eq!(answer.status, 200);
        if !is_kept(&answer) {
            return (0, asked + 1);
        }
    }
    (0, pauses.len())
}

/// Logins that were lost, of how many.
async fn lost(server: &Server, tls: Option<&Tls>, body: Body) -> (usize, usize) {
    let connections = requests().div_ceil(CLIENTS * ON_ONE);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (plain, secure, tls) = (server.address(), server.tls_address(), tls.cloned());
        clients.spawn(async move {
            let (mut lost, mut asked) = (0, 0);
            for connection in 0..connections {
                // 0 to 20 ms, in an order that differs from connection to connection.
                let pauses: Vec<_> = (0..ON_ONE)
                    .map(|at| ((client * 5 + connection * 3 + at * 11) % 21) as u64)
                    .collect();
                let (lost_here, asked_here) = match &tls {
                    Some(tls) => login(tls.connect(secure).await, body, &pauses).await,
                    None => login(TcpStream::connect(plain).await.unwrap(), body, &pauses).await,
                };
                lost += lost_here;
                asked += asked_here;
            }
            (lost, asked)
        });
    }
    let outcomes = clients.join_all().await;
    outcomes.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_right_behind_a_401_is_never_lost() {
    let (server, tls) = start_tls("");
    for tls in [None, Some(&tls)] {
        for body in [Body::OnceTold, Body::AtOnce] {
            let (lost, asked) = lost(&server, tls, body).await;
            println!(
                "{}, {body:?}: {lost} of {asked} lost",
                if tls.is_some() { "HTTPS" } else { "HTTP" }
            );
            assert_eq!(lost, 0, "of {asked}");
            assert!(asked >= requests(), "{asked}");
        }
    }
}
