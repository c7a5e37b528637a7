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
/// Bytes that wait on all connections, with what each message takes besides. Where there would be more, the connection ends on
/// which most waits: its peer is the one that does not read.
const ALL_WAITING: usize = 64 << 20;
/// What a message takes in memory besides its bytes, about.
const EACH: usize = 64;

/// By the way that leads over each.
#[derive(Default)]
pub(super) struct Open {
    connections: Mutex<HashMap<Path, Outgoing>>,
    all: Arc<AtomicUsize>,
}

/// The end of a connection that is written to.
struct Outgoing {
    queue: mpsc::Sender<Vec<u8>>,
    waits: Arc<Waits>,
    ends: Ends,
}

/// The other end: what is to be written.
pub(super) struct Waiting {
    queue: mpsc::Receiver<Vec<u8>>,
    waits: Arc<Waits>,
    /// What was taken last, in bytes and all, and is being written.
    taken: usize,
}

/// How much waits on one connection, and has not been given back to all of them.
struct Waits {
    bytes: AtomicUsize,
    /// With what messages take besides, and with what is being written.
    whole: AtomicUsize,
    all: Arc<AtomicUsize>,
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
    pub(super) fn add(&self, path: Path, closing: &CancellationToken) -> Option<(Ends, Waiting)> {
        let (sender, receiver) = mpsc::channel(MESSAGES);
        let waits = Arc::new(Waits {
            bytes: AtomicUsize::new(0),
            whole: AtomicUsize::new(0),
            all: self.all.clone(),
        });
        let ends = Ends {
            closed: closing.child_token(),
            full: CancellationToken::new(),
        };
        let outgoing = Outgoing {
            queue: sender,
            waits: waits.clone(),
            ends: ends.clone(),
        };
        let waiting = Waiting {
            queue: receiver,
            waits,
            taken: 0,
        };
        let mut open = self.lock();
        if open.contains_key(&path) {
            return None;
        }
        open.insert(path, outgoing);
        Some((ends, waiting))
    }

    pub(super) fn remove(&self, path: &Path) {
        self.lock().remove(path);
    }

    /// Queues bytes; when there is no room for them on their connection it ends, and when there is none on all together, the fullest does.
    pub(super) fn send(&self, path: &Path, bytes: Vec<u8>) -> Result<(), SendError> {
        let open = self.lock();
        let outgoing = open.get(path).ok_or(SendError::NoConnection(*path))?;
        if self.all.load(Ordering::Acquire) + bytes.len() + EACH > ALL_WAITING {
            self.make_room(&open, bytes.len() + EACH);
        }
        outgoing.send(bytes)
    }

    /// Ends the fullest connections, until all that stay have room for so many bytes more.
    fn make_room(&self, open: &HashMap<Path, Outgoing>, more: usize) {
        let whole = |outgoing: &&Outgoing| outgoing.waits.whole.load(Ordering::Acquire);
        let (ending, mut staying): (Vec<_>, Vec<_>) =
            open.values().partition(|outgoing| outgoing.ends.full.is_cancelled());
        staying.sort_by_key(whole);
        // What ends is about to be given back.
        let ending: usize = ending.iter().map(whole).sum();
        let mut all = self.all.load(Ordering::Acquire).saturating_sub(ending);
        while all + more > ALL_WAITING
            && let Some(fullest) = staying.pop()
        {
            all = all.saturating_sub(whole(&fullest));
            fullest.ends.full.cancel();
        }
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
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    fn send(&self, bytes: Vec<u8>) -> Result<(), SendError> {
        let length = bytes.len();
        let is_full = self.waits.bytes.load(Ordering::Acquire) + length > WAITING;
        if is_full || self.ends.full.is_cancelled() {
            self.ends.full.cancel();
            return Err(SendError::Full);
        }
        // Before it is there, or it could be given back before.
        self.waits.add(length);
        if self.queue.try_send(bytes).is_err() {
            self.waits.bytes.fetch_sub(length, Ordering::AcqRel);
            self.waits.give_back(length + EACH);
            self.ends.full.cancel();
            return Err(SendError::Full);
        }
        Ok(())
    }
}

impl Waits {
    fn add(&self, length: usize) {
        self.bytes.fetch_add(length, Ordering::AcqRel);
        self.whole.fetch_add(length + EACH, Ordering::AcqRel);
        self.all.fetch_add(length + EACH, Ordering::AcqRel);
    }

    fn give_back(&self, whole: usize) {
        self.whole.fetch_sub(whole, Ordering::AcqRel);
        self.all.fetch_sub(whole, Ordering::AcqRel);
    }
}

/// Both ends of a connection are gone, and with them what has waited there.
impl Drop for Waits {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.whole.get_mut(), Ordering::AcqRel);
    }
}

impl Waiting {
    /// Waits for something, and adds it and what waits behind it to `piece`, up to about `most` bytes; what was taken before is
    /// written. False when nothing will come any more.
    pub(super) async fn take(&mut self, piece: &mut Vec<u8>, most: usize) -> bool {
        self.waits.give_back(std::mem::take(&mut self.taken));
        let Some(first) = self.queue.recv().await else {
            return false;
        };
        let mut next = Some(first);
        while let Some(bytes) = next {
            piece.extend_from_slice(&bytes);
            self.waits.bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
            self.taken += bytes.len() + EACH;
            next = if piece.len() < most {
                self.queue.try_recv().ok()
            } else {
                None
            };
        }
        true
    }
}
