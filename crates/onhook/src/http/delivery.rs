//! Answers on their way out: what waits for the last byte of one to have left.
//!
//! A body says here when its last byte has been passed on, and the connection's stream when all that it was given is with
//! the system. Only then has an answer left. The client may have gone a moment before without hyper knowing: a write to a
//! connection that the client has closed succeeds, so the socket itself is asked before. Who closes from then on counts as
//! told: it may have read the answer, and so may a proxy that resets its connection.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;

/// Called when an answer has left. Dropped instead, it has not: its client is gone, or has not read it.
pub(super) type OnLeft = Box<dyn FnOnce() + Send>;

/// What waits for the answers of one connection to leave.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Vec<OnLeft>>);

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Vec<OnLeft>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was passed on is about to be written to this socket. Afterwards a client may have read it and be gone.
    pub(super) fn before_write(&self, socket: &impl Socket) {
        let mut waiting = self.waiting();
        if !waiting.is_empty() && !socket.has_client() {
            waiting.clear();
        }
    }

    /// All that was passed on has been written. False when nothing has waited for that.
    pub(super) fn written(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting());
        let has_waited = !waiting.is_empty();
        waiting.into_iter().for_each(|left| left());
        has_waited
    }
}

/// A body, and who waits for its last byte to leave.
pub(super) struct Delivered<B> {
    body: B,
    outbox: Arc<Outbox>,
    left: Option<OnLeft>,
}

impl<B: Body> Delivered<B> {
    pub(super) fn new(body: B, outbox: Arc<Outbox>, left: OnLeft) -> Self {
        let mut delivered = Self {
            body,
            outbox,
            left: Some(left),
        };
        delivered.note_end();
        delivered
    }

    /// hyper does not ask a body on that it knows to be over.
    fn note_end(&mut self) {
        if self.body.is_end_stream() || self.body.size_hint().exact() == Some(0) {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some(left) = self.left.take() {
            self.outbox.waiting().push(left);
        }
    }
}

impl<B: Body + Unpin> Body for Delivered<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => self.note_end(),
            Some(Err(_)) => {}
            None => self.end(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of parts that are made while it is sent.
pub(super) struct Parts(pub(super) mpsc::Receiver<io::Result<Bytes>>);

impl Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map_ok(Frame::data)
    }
}

/// A stream to a client.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has closed nothing yet, as far as the system knows.
    fn has_client(&self) -> bool;
}

impl Socket for TcpStream {
    fn has_client(&self) -> bool {
        let gone = PollFlags::from_bits_retain(libc::POLLRDHUP);
        let mut sockets = [PollFd::new(self.as_fd(), gone)];
        // What has happened may be a flag that nix has no name for.
        poll(&mut sockets, PollTimeout::ZERO).is_ok() && sockets[0].revents() == Some(PollFlags::empty())
    }
}

impl<S: Socket> Socket for &mut S {
    fn has_client(&self) -> bool {
        S::has_client(self)
    }
}

impl<S: Socket> Socket for TlsStream<S> {
    fn has_client(&self) -> bool {
        self.get_ref().0.has_client()
    }
}

#[cfg(test)]
impl Socket for tokio::io::DuplexStream {
    fn has_client(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Shutdown;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use axum::body::Body as AnyBody;
    use http_body_util::BodyExt as _;
    use socket2::SockRef;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    struct Watch {
        outbox: Arc<Outbox>,
        left: Arc<AtomicBool>,
    }

    impl Watch {
        fn has_left(&self) -> bool {
            self.left.load(Ordering::Relaxed)
        }
    }

    fn watch(body: AnyBody) -> (Delivered<AnyBody>, Watch) {
        let (outbox, left) = (Arc::new(Outbox::default()), Arc::new(AtomicBool::new(false)));
        let has_left = Arc::clone(&left);
        let body = Delivered::new(
            body,
            Arc::clone(&outbox),
            Box::new(move || has_left.store(true, Ordering::Relaxed)),
        );
        (body, Watch { outbox, left })
    }

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn an_answer_has_left_when_its_last_byte_was_written_and_not_before() {
        let (server, _client) = connected().await;
        for body in [AnyBody::from("all of it"), AnyBody::empty()] {
            let (mut body, watch) = watch(body);
            if !body.is_end_stream() {
                assert!(!watch.outbox.written());
                body.frame().await;
            }
            assert!(!watch.has_left(), "it is passed on, and not written");
            drop(body);
            watch.outbox.before_write(&server);
            assert!(watch.outbox.written());
            assert!(watch.has_left());
        }
        let (body, watch) = watch(AnyBody::from("nobody asks for it"));
        drop(body);
        assert!(!watch.outbox.written() && !watch.has_left());
    }

    #[tokio::test]
    async fn an_answer_to_who_is_gone_has_not_left() {
        for way in ["half-closed", "closed", "reset"] {
            let (mut server, mut client) = connected().await;
            // Something of the next request has come before the end, and hides it from who reads.
            client.write_all(b"POST").await.unwrap();
            server.readable().await.unwrap();
            let socket = SockRef::from(&client);
            match way {
                "half-closed" => socket.shutdown(Shutdown::Write).unwrap(),
                "reset" => socket.set_linger(Some(Duration::ZERO)).unwrap(),
                _ => {}
            }
            let _kept = (way == "half-closed").then_some(client);
            let (mut body, watch) = watch(AnyBody::from("the answer"));
            body.frame().await;
            watch.outbox.before_write(&server);
            let _ = server.write_all(b"the answer").await;
            watch.outbox.written();
            assert!(!watch.has_left(), "{way}");
        }
    }
}
