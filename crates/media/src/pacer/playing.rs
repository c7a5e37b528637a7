//! The handle that steers a stream, and what it shares with the thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::lock;
use super::readiness::Wakeups;
use super::remote::Remote;
use crate::clip::{Clip, FRAME_DURATION};
use crate::srtp::Protection;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayEnd {
    /// The last frame was sent, and 200 ms have passed in which a jitter buffer has played it.
    Played,
    /// It was stopped, its handle dropped, or the pacer closed.
    Stopped,
    /// Nobody showed itself to send to.
    NoListener,
    /// It was sent to somebody who has not said anything for ten seconds of sound.
    Unasked,
}

/// Steers a stream; dropping it stops the stream. Every wish takes effect within 20 ms and none blocks.
#[derive(Debug)]
pub struct Playing {
    pub(super) shared: Arc<Shared>,
}

/// Resolves when the stream has ended and given up its port.
#[derive(Debug)]
pub struct Finished {
    pub(super) ended: oneshot::Receiver<PlayEnd>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) wish: Mutex<Wish>,
    pub(super) frames_played: AtomicU32,
    pub(super) wakeups: Arc<Wakeups>,
}

#[derive(Debug)]
pub(super) struct Wish {
    pub(super) clip: Clip,
    pub(super) remote: Option<Remote>,
    /// Raised when the listener is to be looked for anew.
    pub(super) moves: u32,
    pub(super) protection: Option<Protection>,
    pub(super) payload_type: u8,
    pub(super) held: bool,
    pub(super) stopped: bool,
    /// The stream takes no turns until it is woken by this key.
    pub(super) rests: Option<usize>,
}

impl Playing {
    /// Stops sending for a while: the peer put us on hold. Progress stands still, RTP time runs on, and so does RTCP.
    pub fn hold(&self) {
        self.wish(|wish| wish.held = true);
    }

    /// Goes on where it was held.
    pub fn resume(&self) {
        self.wish(|wish| wish.held = false);
    }

    pub fn stop(&self) {
        self.wish(|wish| wish.stopped = true);
    }

    /// Goes on to another address and other keys, after a re-INVITE. Our own key stays what it was, or begins here. The
    /// listener is looked for again.
    pub fn redirect(&self, remote: Option<Remote>, protection: Option<Protection>) {
        self.wish(|wish| {
            wish.remote = remote;
            wish.protection = protection;
            wish.moves = wish.moves.wrapping_add(1);
        });
    }

    /// Goes on from the same moment of the message in another codec or under another payload type. `clip` must be the same
    /// message.
    pub fn switch(&self, clip: Clip, payload_type: u8) {
        self.wish(|wish| {
            wish.clip = clip;
            wish.payload_type = payload_type;
        });
    }

    /// How much of the message has been sent.
    pub fn played(&self) -> Duration {
        FRAME_DURATION * self.shared.frames_played.load(Ordering::Relaxed)
    }

    /// The whole message.
    pub fn duration(&self) -> Duration {
        lock(&self.shared.wish).clip.duration()
    }

    fn wish(&self, change: impl FnOnce(&mut Wish)) {
        let mut wish = lock(&self.shared.wish);
        change(&mut wish);
        if let Some(key) = wish.rests.take() {
            self.shared.wakeups.wake_stream(key);
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Future for Finished {
    type Output = PlayEnd;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PlayEnd> {
        Pin::new(&mut self.ended)
            .poll(context)
            .map(|ended| ended.unwrap_or(PlayEnd::Stopped))
    }
}
