//! A connection's stream as hyper gets it: watched for how requests are framed, and for how long a client takes.
//!
//! hyper's own header timeout runs between requests, too, and would end connections that clients keep for the next one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Settings;
use super::delivery::{Outbox, Socket};
use super::framing::Framing;
use super::places::Place;

/// How long a client may take nothing of an answer.
const ANSWER_STALL: Duration = Duration::from_secs(15);
/// Put where a head is refused: hyper allows it nowhere in one, and answers 400 when its turn has come.
const NO_HEAD: &[u8] = b"\0";

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a TLS handshake, for a head, and for the first byte of all.
    pub(super) head: Duration,
    /// Between an answer and the next request.
    pub(super) idle: Duration,
}

impl From<&Settings> for Patience {
    fn from(settings: &Settings) -> Self {
        Self {
            head: settings.header_timeout,
            idle: settings.idle_timeout,
        }
    }
}

/// Which request is the last one to be answered, by its number on the connection; it is known before that one's body has
/// come to its end.
#[derive(Clone, Debug)]
pub(super) struct LastRequest(Arc<AtomicU64>);

impl LastRequest {
    fn is(&self, heads: u64) {
        self.0.store(heads, Ordering::Relaxed);
    }

    /// Whether nothing may follow on this one.
    pub(super) fn is_reached(&self, heads: u64) -> bool {
        heads >= self.0.load(Ordering::Relaxed)
    }
}

impl Default for LastRequest {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

pub(super) struct Watched<S> {
    stream: S,
    last: LastRequest,
    framing: Framing,
    refused: bool,
    place: Arc<Place>,
    outbox: Arc<Outbox>,
    patience: Patience,
    /// What the client is waited for, and until when.
    awaited: Option<(Awaited, Pin<Box<Sleep>>)>,
    /// Until when the client has to take some of the answer.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What a client is waited for; the number is how many heads came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Head(u64),
    Request(u64),
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, place: Arc<Place>, outbox: Arc<Outbox>, patience: Patience) -> Self {
        Self {
            stream,
            last: LastRequest::default(),
            framing: Framing::default(),
            refused: false,
            place,
            outbox,
            patience,
            awaited: None,
            stalled: None,
        }
    }

    pub(super) fn last_request(&self) -> LastRequest {
        self.last.clone()
    }

    /// The client has sent nothing for now: waits, but not for ever.
    fn wait_for_client(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.place.is_answering() {
            // Reading the body has its own limits, and the answer takes what it takes.
            self.awaited = None;
            return Poll::Pending;
        }
        let heads = self.framing.heads();
        let (awaited, patience) = if heads > 0 && !self.framing.is_in_head() {
            (Awaited::Request(heads), self.patience.idle)
        } else {
            (Awaited::Head(heads), self.patience.head)
        };
        if self.awaited.as_ref().is_none_or(|(earlier, _)| *earlier != awaited) {
            self.awaited = Some((awaited, Box::pin(sleep(patience))));
        }
        match &mut self.awaited {
            Some((_, deadline)) => deadline.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into()),
            None => Poll::Pending,
        }
    }

    /// Passes on what became of a write, unless nothing has been written for too long.
    fn unless_stalled<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(ANSWER_STALL)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Socket> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) else {
            return self.wait_for_client(cx).map(Err);
        };
        read?;
        if buf.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        if let Err((bad, at)) = self.framing.see(&buf.filled()[before..]) {
            tracing::debug!(%bad, "a request was refused");
            self.refused = true;
            buf.set_filled(before + at);
            buf.put_slice(NO_HEAD);
        } else if self.framing.is_between() {
            self.place.keep();
        } else if self.framing.is_lost() {
            self.last.is(self.framing.heads());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.outbox.before_write(&self.stream);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.unless_stalled(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outbox.before_write(&self.stream);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.unless_stalled(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) && self.outbox.written() {
            // From now on the client is waited for, by who reads.
            cx.waker().wake_by_ref();
        }
        self.unless_stalled(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.unless_stalled(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::super::places::Places;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_not_waited_for() {
        let (near, _far) = tokio::io::duplex(64);
        let place = Places::new(1, 1, Vec::new()).take([127, 0, 0, 1].into()).unwrap();
        let patience = Patience {
            head: Duration::from_secs(1),
            idle: Duration::from_secs(1),
        };
        let mut watched = Watched::new(near, Arc::new(place), Arc::default(), patience);
        let started = Instant::now();
        let written = watched.write_all(&[0; 100]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= ANSWER_STALL);
    }
}
