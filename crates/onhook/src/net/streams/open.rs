//! The connections that are open, and what waits to be sent on them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use sip::Path;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::udp::SendError;

/// Bytes that wait to be sent on one connection: thousands of messages, as many calls of one peer may end at once.
const WAITING: usize = 4 << 20;
/// And messages.
const MESSAGES: usize = 16 * 1024;

/// By the way that leads over each.
#[derive(Default)]
pub(super) struct Open(Mutex<HashMap<Path, Outgoing>>);

/// The end of a connection that is written to.
#[derive(Clone)]
pub(super) struct Outgoing {
    queue: mpsc::Sender<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
    ends: Ends,
}

/// The other end: what is to be written.
pub(super) struct Waiting {
    queue: mpsc::Receiver<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

/// What ends a connection from our side.
#[derive(Clone)]
pub(super) struct Ends {
    /// It is not wanted any more.
    pub(super) closed: CancellationToken,
    /// Too much waits on it.
    pub(super) full: CancellationToken,
}

impl Open {
    /// Registers a connection. `None` when one of the same way has not ended yet.
    pub(super) fn add(&self, path: Path, closing: &CancellationToken) -> Option<(Outgoing, Waiting)> {
        let (sender, receiver) = mpsc::channel(MESSAGES);
        let bytes = Arc::new(AtomicUsize::new(0));
        let outgoing = Outgoing {
            queue: sender,
            bytes: bytes.clone(),
            ends: Ends {
                closed: closing.child_token(),
                full: CancellationToken::new(),
            },
        };
        let waiting = Waiting { queue: receiver, bytes };
        let mut open = self.lock();
        if open.contains_key(&path) {
            return None;
        }
        open.insert(path, outgoing.clone());
        Some((outgoing, waiting))
    }

    pub(super) fn remove(&self, path: &Path) {
        self.lock().remove(path);
    }

    pub(super) fn send(&self, path: &Path, bytes: Vec<u8>) -> Result<(), SendError> {
        let open = self.lock();
        let outgoing = open.get(path).ok_or(SendError::NoConnection(*path))?;
        outgoing.send(bytes)
    }

    pub(super) fn close(&self, path: &Path) {
        if let Some(outgoing) = self.lock().get(path) {
            outgoing.ends.closed.cancel();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Path, Outgoing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    /// Queues bytes; when there is no room for them the connection ends.
    pub(super) fn send(&self, bytes: Vec<u8>) -> Result<(), SendError> {
        let length = bytes.len();
        let waiting = self.bytes.fetch_add(length, Ordering::AcqRel);
        if waiting + length > WAITING || self.queue.try_send(bytes).is_err() {
            self.bytes.fetch_sub(length, Ordering::AcqRel);
            self.ends.full.cancel();
            return Err(SendError::Full);
        }
        Ok(())
    }

    pub(super) fn ends(&self) -> Ends {
        self.ends.clone()
    }
}

impl Waiting {
    /// Waits for something, and adds it and what waits behind it to `piece`, up to about `most` bytes. False when nothing will
    /// come any more.
    pub(super) async fn take(&mut self, piece: &mut Vec<u8>, most: usize) -> bool {
        let Some(first) = self.queue.recv().await else {
            return false;
        };
        let mut next = Some(first);
        while let Some(bytes) = next {
            piece.extend_from_slice(&bytes);
            self.bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
            next = if piece.len() < most {
                self.queue.try_recv().ok()
            } else {
                None
            };
        }
        true
    }
}
