//! Reads our sockets, message by message.
//!
//! The library could. But it takes 64 KiB of a stream for one message and waits for its end as long as a byte comes now and
//! then, adds to whatever a Content-Length says, and puts what it has read into a queue without a bound. Here a message has
//! a size and a time, and the socket is read on when the message before has found its transaction: what comes faster
//! waits in the kernel, where it slows its sender down or is lost.

use std::{sync::Arc, time::Duration};

use rsipstack::{
    sip::SipMessage,
    transport::{SipConnection, TransportEvent, udp::UdpConnection},
};
use tokio::{
    io::AsyncReadExt,
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    listen::Transport,
    peers::MESSAGE,
    places::Place,
    stream::Stream,
    tap::{Counted, Tap},
    wire,
};
use crate::panics;

/// How long a stream may be silent between two messages, keep-alives counted. Peers open another when they need it.
const IDLE: Duration = Duration::from_secs(300);
/// How long one message may take from its first byte to its last.
const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// Before a socket whose reading ended is read again.
const READ_AGAIN: Duration = Duration::from_millis(10);
/// Read at once.
const CHUNK: usize = 4096;

/// Starts a task for each socket. Clones share what it needs.
#[derive(Clone)]
pub(super) struct Reader {
    tap: Arc<Tap>,
    tracker: TaskTracker,
    closing: CancellationToken,
}

/// Why a stream is not read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamEnd {
    #[error("closed")]
    Closed,
    #[error("a message that is too long")]
    TooLong,
    #[error("a message whose length nobody can tell")]
    NoLength,
    #[error("a message that does not end")]
    TooLate,
    #[error("silent for too long")]
    Idle,
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    #[error("what it brought is no message")]
    NoMessage,
}

impl Reader {
    pub(super) fn new(tap: Tap, tracker: &TaskTracker, closing: &CancellationToken) -> Self {
        Self {
            tap: Arc::new(tap),
            tracker: tracker.clone(),
            closing: closing.clone(),
        }
    }

    /// Reads a UDP socket until the end of all.
    pub(super) fn datagrams(&self, socket: UdpConnection) {
        let reader = self.clone();
        self.tracker.spawn(async move {
            let closing = reader.closing.clone();
            // Whatever one datagram did: there are others.
            let reading = async {
                loop {
                    let _ = panics::caught(datagrams(&reader.tap, socket.clone())).await;
                    tokio::time::sleep(READ_AGAIN).await;
                }
            };
            closing.run_until_cancelled(reading).await;
        });
    }

    /// Reads a stream until it ends; its place is free then.
    pub(super) fn stream(&self, stream: Stream, place: Option<Place>) -> SipConnection {
        let connection = stream.connection.clone();
        let (tap, counted) = (self.tap.clone(), self.tap.load.reading());
        self.tracker
            .spawn(async move { read(&tap, stream, place, counted).await });
        connection
    }
}

/// The library reads datagrams, and no second one before the first has been matched: its reader runs in this very task, and
/// our socket yields before each.
async fn datagrams(tap: &Tap, socket: UdpConnection) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the library takes no other; one datagram is in it at most"
    )]
    let (sender, mut read) = mpsc::unbounded_channel();
    let mut reading = std::pin::pin!(socket.serve_loop(sender));
    loop {
        tokio::select! {
            biased;
            event = read.recv() => match event {
                Some(TransportEvent::Incoming(message, connection, from)) => tap.take(message, connection, from).await,
                Some(TransportEvent::New(_) | TransportEvent::Closed(_)) => {}
                None => return,
            },
            ended = &mut reading => {
                tracing::error!(?ended, "a SIP socket was not read for a moment");
                return;
            }
        }
    }
}

async fn read(tap: &Tap, stream: Stream, place: Option<Place>, counted: Counted) {
    let (connection, token, from) = (stream.connection.clone(), stream.token.clone(), stream.from);
    // A message that it panics of ends the connection, which nobody would read any more.
    let ended = panics::caught(token.run_until_cancelled(messages(tap, stream))).await;
    if let Ok(Some(Err(why))) = ended {
        match why {
            StreamEnd::TooLong => tap.peers.turn_away("a message that is too long", from.ip()),
            StreamEnd::NoLength => tap.peers.turn_away("a message without an end", from.ip()),
            StreamEnd::TooLate => tap.peers.turn_away("a message that takes too long", from.ip()),
            why => tracing::debug!(%from, %why, "a SIP connection ended"),
        }
    }
    // Nobody sends on it any more.
    token.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    drop((place, counted));
}

async fn messages(tap: &Tap, stream: Stream) -> Result<(), StreamEnd> {
    let Stream {
        connection,
        from,
        mut incoming,
        ..
    } = stream;
    let transport = connection.transport();
    let source = wire::sip_addr(wire::transport(transport).unwrap_or(Transport::Tcp), from);
    let (mut bytes, mut searched) = (Vec::new(), 0);
    let mut end_of_message = Instant::now() + IDLE;
    loop {
        match front(&bytes, &mut searched)? {
            Front::Ping => {
                bytes.drain(..4);
                Stream::pong(&connection).await.map_err(|_| StreamEnd::Closed)?;
            }
            Front::Pong => drop(bytes.drain(..2)),
            Front::Message(length) => {
                let message = SipMessage::try_from(&bytes[..length]).map_err(|_| StreamEnd::NoMessage)?;
                let message = SipConnection::update_msg_received(message, from, transport);
                let message = message.map_err(|_| StreamEnd::NoMessage)?;
                bytes.drain(..length);
                tap.take(message, connection.clone(), source.clone()).await;
            }
            Front::Part => {
                let (limit, late) = if bytes.is_empty() {
                    (Instant::now() + IDLE, StreamEnd::Idle)
                } else {
                    (end_of_message, StreamEnd::TooLate)
                };
                let begins = bytes.is_empty();
                let chunk = &mut [0; CHUNK];
                let length = timeout_at(limit, incoming.read(chunk)).await.map_err(|_| late)??;
                if length == 0 {
                    return Err(StreamEnd::Closed);
                }
                if begins {
                    end_of_message = Instant::now() + MESSAGE_TIME;
                }
                bytes.extend_from_slice(&chunk[..length]);
                continue;
            }
        }
        // What follows in the same packet is a message of its own.
        searched = 0;
        end_of_message = Instant::now() + MESSAGE_TIME;
    }
}

/// What stands at the front of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// A keep-alive that wants an answer (RFC 5626 §4.4.1).
    Ping,
    /// An answer to one, or an empty line before a message (RFC 3261 §7.5).
    Pong,
    /// A whole message of so many bytes.
    Message(usize),
    /// The beginning of something.
    Part,
}

/// Where the first message ends is known before its bytes are there, so what cannot fit is not waited for.
pub(super) fn front(bytes: &[u8], searched: &mut usize) -> Result<Front, StreamEnd> {
    const EMPTY: &[u8] = b"\r\n\r\n";
    if bytes.starts_with(EMPTY) {
        return Ok(Front::Ping);
    }
    if bytes.starts_with(b"\r\n") {
        return Ok(Front::Pong);
    }
    let from = searched.saturating_sub(EMPTY.len() - 1);
    let found = bytes[from..].windows(EMPTY.len()).position(|four| four == EMPTY);
    let Some(head) = found.map(|found| from + found) else {
        *searched = bytes.len();
        return if bytes.len() > MESSAGE {
            Err(StreamEnd::TooLong)
        } else {
            Ok(Front::Part)
        };
    };
    *searched = head;
    let length = head
        .saturating_add(EMPTY.len())
        .saturating_add(body_length(&bytes[..head])?);
    if length > MESSAGE {
        return Err(StreamEnd::TooLong);
    }
    Ok(if bytes.len() >= length {
        Front::Message(length)
    } else {
        Front::Part
    })
}

/// The Content-Length, none without one (RFC 3261 §18.3 wants it on streams; a request without a body works without it).
fn body_length(head: &[u8]) -> Result<usize, StreamEnd> {
    let length = head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        let is_length = name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l");
        is_length.then_some(value)
    });
    let Some(length) = length else { return Ok(0) };
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(StreamEnd::NoLength);
    }
    // More digits than any message has bytes.
    let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
    length.ok_or(StreamEnd::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(bytes: &[u8]) -> Result<Front, StreamEnd> {
        super::front(bytes, &mut 0)
    }

    fn message(length: &str, body: &str) -> String {
        format!("OPTIONS sip:a@h SIP/2.0\r\nCall-ID: c\r\n{length}\r\n\r\n{body}")
    }

    #[test]
    fn a_message_ends_where_its_length_says() {
        for length in ["Content-Length: 2", "l:2", "CONTENT-LENGTH \t: 002"] {
            let whole = message(length, "hi");
            let behind = format!("{whole}OPTIONS");
            assert_eq!(
                front(behind.as_bytes()).unwrap(),
                Front::Message(whole.len()),
                "{length}"
            );
            for part in 1..whole.len() {
                assert_eq!(front(&whole.as_bytes()[..part]).unwrap(), Front::Part, "{part}");
            }
        }
        let none = message("Subject: none", "");
        assert_eq!(front(none.as_bytes()).unwrap(), Front::Message(none.len()));
        assert_eq!(front(b"\r\n\r\nOPTIONS").unwrap(), Front::Ping);
        assert_eq!(front(b"\r\nOPTIONS").unwrap(), Front::Pong);
        assert_eq!(front(b"").unwrap(), Front::Part);
    }

    #[test]
    fn a_message_that_comes_byte_by_byte_ends_in_the_same_place() {
        let whole = message("l: 6", "\r\n\r\nhi");
        let mut searched = 0;
        for part in 1..whole.len() {
            let read = super::front(&whole.as_bytes()[..part], &mut searched);
            assert_eq!(read.unwrap(), Front::Part, "{part}");
            assert!(searched <= part);
        }
        let read = super::front(whole.as_bytes(), &mut searched);
        assert_eq!(read.unwrap(), Front::Message(whole.len()));
    }

    #[test]
    fn a_length_that_cannot_be_is_told_before_the_body_comes() {
        for length in [
            "16384",
            "2147483648",
            "4294967296",
            "18446744073709551615",
            "99999999999999999999",
        ] {
            let text = message(&format!("Content-Length: {length}"), "");
            assert!(matches!(front(text.as_bytes()), Err(StreamEnd::TooLong)), "{length}");
        }
        for length in ["-1", "+2", "2 2", "0x10", "", "\u{664}"] {
            let text = message(&format!("Content-Length: {length}"), "");
            assert!(matches!(front(text.as_bytes()), Err(StreamEnd::NoLength)), "{length}");
        }
        assert!(matches!(front(&[b'x'; MESSAGE + 1]), Err(StreamEnd::TooLong)));
        assert_eq!(front(&[b'x'; MESSAGE]).unwrap(), Front::Part);
    }
}
