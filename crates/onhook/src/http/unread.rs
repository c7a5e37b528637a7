//! What handlers leave of a request's body.
//!
//! A connection can be kept for a next request only when this one has been read to its end. Handlers need not see to
//! that: they may answer who is a stranger, or asks for what is not there, without a look at the body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::Settings;
use super::body::discard;

/// A body that a handler has been lent.
pub(super) struct Unread(Arc<Mutex<Lent>>);

struct Lent {
    body: Incoming,
    has_begun: bool,
    has_ended: bool,
}

/// Lends a body to a handler.
pub(super) fn lend(body: Incoming) -> (Body, Unread) {
    let lent = Arc::new(Mutex::new(Lent {
        body,
        has_begun: false,
        has_ended: false,
    }));
    (Body::new(Borrowed(Arc::clone(&lent))), Unread(lent))
}

impl Unread {
    /// Reads away what no handler wanted, and says whether the body has been read to its end. One that waits for
    /// `100 Continue` is told to go on: it may have a next request under way already, and would find the connection
    /// closed. A body that a handler gave up on, or one that is announced as too long, is not read any further.
    pub(super) async fn read_away(self, settings: &Settings) -> bool {
        let Self(lent) = self;
        {
            let lent = lock(&lent);
            if lent.has_ended || lent.body.is_end_stream() {
                return true;
            }
            if lent.has_begun || lent.body.size_hint().lower() > settings.body_limit as u64 {
                return false;
            }
        }
        discard(Body::new(Borrowed(lent)), settings).await
    }
}

struct Borrowed(Arc<Mutex<Lent>>);

impl hyper::body::Body for Borrowed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut lent = lock(&self.0);
        lent.has_begun = true;
        let frame = ready!(Pin::new(&mut lent.body).poll_frame(cx));
        lent.has_ended = frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}

fn lock(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}
