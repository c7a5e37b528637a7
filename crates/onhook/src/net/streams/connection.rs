//! One connection from its beginning to its end: read message by message, written piece by piece.

use std::{io, pin::pin, time::Duration};

use sip::{BrokenStream, Frame, Framing, Path, StreamBounds};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, timeout, timeout_at},
};

use super::{
    STALLED, Shared,
    open::{Ends, Waiting},
};
use crate::{
    net::{LONGEST_MESSAGE, events::NetEvent},
    panics,
};

/// How long a stream may be silent between two messages, keep-alives counted. Peers open another when they need it.
const IDLE: Duration = Duration::from_secs(300);
/// How long one message may take from its first byte to its last.
const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// How long an end waits for what is still to be sent.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Read at once.
const CHUNK: usize = 8 * 1024;
/// Written at once: what waits goes together.
const PIECE: usize = 64 * 1024;
/// Answers a keep-alive (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// Why a connection ends, in words for whoever runs the server.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("it was closed by the peer")]
    ByPeer,
    #[error("it is not needed any more")]
    ByUs,
    #[error("the peer does not take what is sent to it")]
    Full,
    #[error("the peer took nothing for {STALLED:?}")]
    Stalled,
    #[error("it was silent for {IDLE:?}")]
    Idle,
    #[error("it brought a message that took longer than {MESSAGE_TIME:?}")]
    TooLate,
    #[error("it brought {0}")]
    Broken(#[from] BrokenStream),
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("nobody takes what it brings")]
    NobodyReads,
    #[error(transparent)]
    Panicked(#[from] panics::Panicked),
}

impl End {
    /// Whether what waits may still be sent.
    fn leaves_room_for_last_words(&self) -> bool {
        !matches!(self, Self::Full | Self::Stalled | Self::Socket(_))
    }
}

/// Tells of a connection, lives it, and tells of its end. `id`: whose wish it was.
pub(super) async fn run<S>(shared: &Shared, path: Path, mut stream: S, id: Option<u64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some((ends, waiting)) = shared.open.add(path, &shared.closing) else {
        let why = format!("{path} is still being closed");
        if let Some(id) = id {
            shared.events.send(NetEvent::ConnectFailed { id, why }).await;
        }
        return;
    };
    if !shared.events.send(NetEvent::Connected { id, path }).await {
        shared.open.remove(&path);
        return;
    }
    // A panic ends the connection, which nobody would read or write any more.
    let lived = panics::caught(live(shared, path, &mut stream, ends, waiting)).await;
    let why = lived.unwrap_or_else(|panicked| {
        shared.open.remove(&path);
        panicked.into()
    });
    tracing::debug!(%path, %why, "a SIP connection ended");
    let why = why.to_string();
    let told = shared.events.send(NetEvent::Closed { path, why });
    shared.closing.run_until_cancelled(told).await;
    // Not before: the next connection may go the same way.
    drop(stream);
}

async fn live<S>(shared: &Shared, path: Path, stream: &mut S, ends: Ends, mut waiting: Waiting) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut incoming, mut written) = tokio::io::split(stream);
    let mut writing = pin!(write(&mut written, &mut waiting));
    let mut is_written = false;
    let why = tokio::select! {
        biased;
        () = ends.full.cancelled() => End::Full,
        () = ends.closed.cancelled() => End::ByUs,
        Err(why) = &mut writing => {
            is_written = true;
            why
        }
        why = read(shared, path, &mut incoming) => why,
    };
    // With its sender gone the writing ends when all is written.
    shared.open.remove(&path);
    if !is_written && why.leaves_room_for_last_words() {
        let _ = timeout(LAST_WORDS, writing).await;
    }
    why
}

async fn read(shared: &Shared, path: Path, incoming: &mut (impl AsyncRead + Unpin)) -> End {
    match messages(shared, path, incoming).await {
        Ok(never) => match never {},
        Err(why) => why,
    }
}

async fn messages(
    shared: &Shared,
    path: Path,
    incoming: &mut (impl AsyncRead + Unpin),
) -> Result<std::convert::Infallible, End> {
    let mut framing = Framing::new(StreamBounds {
        message: LONGEST_MESSAGE,
        ..StreamBounds::default()
    });
    let mut chunk = [0; CHUNK];
    let mut end_of_message = Instant::now() + MESSAGE_TIME;
    loop {
        while let Some(frame) = framing.poll()? {
            match frame {
                Frame::Ping => shared.open.send(&path, PONG.to_vec()).map_err(|_| End::Full)?,
                Frame::Message(bytes) => {
                    if !shared.events.send(NetEvent::Message { path, bytes }).await {
                        return Err(End::NobodyReads);
                    }
                }
            }
            // What follows in the same piece is a message of its own.
            end_of_message = Instant::now() + MESSAGE_TIME;
        }
        let is_between = framing.is_between();
        let (limit, late) = if is_between {
            (Instant::now() + IDLE, End::Idle)
        } else {
            (end_of_message, End::TooLate)
        };
        let length = timeout_at(limit, incoming.read(&mut chunk)).await.map_err(|_| late)??;
        if length == 0 {
            return Err(End::ByPeer);
        }
        if is_between {
            end_of_message = Instant::now() + MESSAGE_TIME;
        }
        framing.feed(&chunk[..length]);
    }
}

/// Writes what waits until nothing will come any more.
async fn write(written: &mut (impl AsyncWrite + Unpin), waiting: &mut Waiting) -> Result<(), End> {
    let mut piece = Vec::new();
    while waiting.take(&mut piece, PIECE).await {
        let writing = async {
            written.write_all(&piece).await?;
            written.flush().await
        };
        timeout(STALLED, writing).await.map_err(|_| End::Stalled)??;
        piece.clear();
        piece.shrink_to(PIECE);
    }
    Ok(written.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::Arc,
        task::{Context, Poll},
    };

    use sip::Transport;
    use tokio::io::ReadBuf;

    use super::*;
    use crate::net::{Events, StreamSettings, Streams, Udp};

    /// Brings nothing, and panics when it is written to.
    struct Panicking;

    impl AsyncRead for Panicking {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Panicking {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            panic!("as a test")
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_writing_ends_the_connection_as_one_of_the_reading_does() {
        let settings = StreamSettings {
            listeners: Vec::new(),
            tls: None,
            trunks: Vec::new(),
            others: None,
            limit: MESSAGE_TIME,
            admits: Arc::new(|_| true),
        };
        let (_udp, wake) = Udp::bind(&[]).unwrap();
        let (events, mut told) = Events::new(wake);
        let streams = Streams::start(settings, events).unwrap();
        let address = "127.0.0.1:5060".parse().unwrap();
        let path = Path {
            transport: Transport::Tcp,
            local: address,
            remote: address,
        };
        let shared = streams.0.clone();
        let living = tokio::spawn(async move { run(&shared, path, Panicking, None).await });
        assert_eq!(told.recv().await, Some(NetEvent::Connected { id: None, path }));
        streams.send(&path, b"bye".to_vec()).unwrap();
        living.await.unwrap();
        let why = "a fault of onhook's own".to_owned();
        assert_eq!(told.recv().await, Some(NetEvent::Closed { path, why }));
        assert_eq!(streams.open(), 0, "and the way is free for the next one");
    }
}
