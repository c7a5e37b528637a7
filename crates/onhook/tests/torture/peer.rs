//! A peer that sends bytes as they are, and then asks something ordinary.
//!
//! No clock says when an answer will not come any more: a server that has answered what was sent later has dealt with
//! what was sent before. So each message is followed by OPTIONS requests from the same socket, and what arrives before
//! the last of their answers is what the message brought about.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// Two, because answers to two requests may overtake one another once, inside the server.
const QUESTIONS: usize = 2;
/// Datagrams get lost, even on loopback, when a buffer is full: the question is repeated, as SIP has it.
const REPEAT: Duration = Duration::from_millis(500);
const REPETITIONS: usize = 20;

/// What a message brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The status codes that came back, each once, without 100.
    Answered(Vec<u16>),
    Silence,
    /// The connection was closed without a word.
    Closed,
}

/// Sends one datagram and says what came of it.
///
/// # Panics
///
/// When the server does not answer an OPTIONS afterwards: it hangs.
pub(crate) async fn by_udp(server: SocketAddr, message: &[u8], name: &str) -> Outcome {
    let own = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(own).await.unwrap();
    socket.send_to(message, server).await.unwrap();
    let mut heard = Vec::new();
    for question in 0..QUESTIONS {
        heard.extend(ask(&socket, server, &format!("{name}-{question}")).await);
    }
    outcome(heard)
}

/// Asks an OPTIONS and returns the texts that came before its answer.
pub(crate) async fn ask(socket: &UdpSocket, server: SocketAddr, name: &str) -> Vec<String> {
    let mut heard = Vec::new();
    let mut buffer = vec![0; 65_536];
    for _ in 0..REPETITIONS {
        socket.send_to(options("UDP", name).as_bytes(), server).await.unwrap();
        while let Ok(received) = timeout(REPEAT, socket.recv_from(&mut buffer)).await {
            let (length, _) = received.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if is_answer(&text, name) {
                return heard;
            }
            heard.push(text);
        }
    }
    panic!("after {name} the server does not answer any more");
}

/// Sends one message over a connection of its own and says what came of it.
///
/// # Panics
///
/// When the server does not answer an OPTIONS afterwards, on this connection or, if it was closed, on another.
pub(crate) async fn by_tcp(server: SocketAddr, message: &[u8], name: &str) -> Outcome {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(message).await.unwrap();
    if let Some(heard) = converse(&mut stream, name).await {
        return outcome(heard);
    }
    let mut another = TcpStream::connect(server).await.unwrap();
    converse(&mut another, name)
        .await
        .expect("another connection is served");
    Outcome::Closed
}

/// `None` when the connection ends.
async fn converse(stream: &mut TcpStream, name: &str) -> Option<Vec<String>> {
    let mut buffer = Vec::new();
    let mut heard = Vec::new();
    for question in 0..QUESTIONS {
        let name = format!("{name}-{question}");
        stream.write_all(options("TCP", &name).as_bytes()).await.ok()?;
        loop {
            let text = next_message(stream, &mut buffer, &name).await?;
            if is_answer(&text, &name) {
                break;
            }
            heard.push(text);
        }
    }
    Some(heard)
}

/// No answer here has a body.
async fn next_message(stream: &mut TcpStream, buffer: &mut Vec<u8>, name: &str) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let message: Vec<u8> = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8_lossy(&message).into_owned());
        }
        let mut chunk = [0; 4096];
        let read = timeout(REPEAT * 20, stream.read(&mut chunk)).await;
        match read.unwrap_or_else(|_| panic!("after {name} the server does not answer any more")) {
            Ok(length) if length > 0 => buffer.extend_from_slice(&chunk[..length]),
            _ => return None,
        }
    }
}

fn outcome(heard: Vec<String>) -> Outcome {
    let mut statuses: Vec<u16> = Vec::new();
    for text in heard {
        match status(&text) {
            Some(100) => {}
            Some(status) if statuses.contains(&status) => {}
            Some(status) => statuses.push(status),
            None => panic!("a stranger got a request: {text}"),
        }
    }
    if statuses.is_empty() {
        Outcome::Silence
    } else {
        Outcome::Answered(statuses)
    }
}

fn status(text: &str) -> Option<u16> {
    text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
}

fn options(transport: &str, name: &str) -> String {
    format!(
        "OPTIONS sip:onhook@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:5060;branch=z9hG4bK-{name};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:peer@127.0.0.1>;tag=peer\r\nTo: <sip:onhook@127.0.0.1>\r\n\
         Call-ID: question-{name}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

fn is_answer(text: &str, name: &str) -> bool {
    text.starts_with("SIP/2.0 200 ") && text.contains(&format!("\r\nCall-ID: question-{name}\r\n"))
}
