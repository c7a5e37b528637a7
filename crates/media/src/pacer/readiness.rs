//! Which streams' ports have something to read, and the pacer's one place to wait.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::lock;
use crate::ports::RtpPort;

/// Events taken in one wait; more wait for the next.
const EVENTS: usize = 1024;
/// No stream's key.
const WAKE: Token = Token(usize::MAX);

pub(super) struct Readiness {
    poll: Poll,
    events: Events,
}

impl Readiness {
    /// With what ends a [`wait`](Self::wait) from other threads.
    pub(super) fn new() -> io::Result<(Self, Wakeups)> {
        let poll = Poll::new()?;
        let wakeups = Wakeups {
            waker: Waker::new(poll.registry(), WAKE)?,
            keys: Mutex::default(),
        };
        let events = Events::with_capacity(EVENTS);
        Ok((Self { poll, events }, wakeups))
    }

    /// From now on a [`wait`](Self::wait) tells when the RTP or RTCP port has something, and at once if it has. Whoever was
    /// told unwatches: a flood is told once, not once a packet. False if the system has no room for it.
    pub(super) fn watch(&self, port: &RtpPort, key: usize) -> bool {
        let registry = self.poll.registry();
        let watch =
            |socket: &UdpSocket| registry.register(&mut SourceFd(&socket.as_raw_fd()), Token(key), Interest::READABLE);
        let watched = watch(port.rtp()).and_then(|()| watch(port.rtcp()));
        if watched.is_err() {
            self.unwatch(port);
        }
        watched.is_ok()
    }

    pub(super) fn unwatch(&self, port: &RtpPort) {
        for socket in [port.rtp(), port.rtcp()] {
            // What is not watched cannot be unwatched, and need not.
            let _ = self.poll.registry().deregister(&mut SourceFd(&socket.as_raw_fd()));
        }
    }

    /// Waits until that moment, rounded up to a millisecond, or until there is something to do before. `ready` gets the keys of the
    /// streams whose ports have something, some of them twice.
    pub(super) fn wait(&mut self, until: Option<Instant>, ready: &mut Vec<usize>) {
        let time = until.map(|until| until.saturating_duration_since(Instant::now()));
        if self.poll.poll(&mut self.events, time).is_err() {
            return; // a signal came; the caller waits again
        }
        let keys = self.events.iter().map(|event| event.token());
        ready.extend(keys.filter(|&token| token != WAKE).map(|Token(key)| key));
    }
}

/// Wakes the thread that waits.
#[derive(Debug)]
pub(super) struct Wakeups {
    waker: Waker,
    /// Streams that rest and are wanted; each is here once, since it has to rest again before it can be woken again.
    keys: Mutex<Vec<usize>>,
}

impl Wakeups {
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the RTP pacer cannot be woken");
        }
    }

    pub(super) fn wake_stream(&self, key: usize) {
        lock(&self.keys).push(key);
        self.wake();
    }

    /// Those woken since the last time.
    pub(super) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *lock(&self.keys))
    }
}
