//! What is known of one of the server's connections by whoever stands in its middle.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Phones may read what has passed so much later, on a machine that has other things to do.
const LAG: Duration = Duration::from_millis(200);

/// How old what comes over a connection may be, and whether more may come.
#[derive(Debug)]
pub struct Passage {
    was_empty: Mutex<Instant>,
    is_over: AtomicBool,
}

impl Passage {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            was_empty: Mutex::new(now),
            is_over: AtomicBool::new(false),
        }
    }

    /// Nothing of the server's is under way on it.
    pub fn is_empty(&self, now: Instant) {
        *self.was_empty.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Nothing passes any more.
    pub fn ends(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// What comes over it now was written after this.
    pub(super) fn written_after(&self) -> Instant {
        let was_empty = *self.was_empty.lock().unwrap_or_else(PoisonError::into_inner);
        was_empty.checked_sub(LAG).unwrap_or(was_empty)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

/// The passages by the address from which phones see them come. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Passages(Arc<Mutex<HashMap<SocketAddr, Arc<Passage>>>>);

impl Passages {
    /// One that was opened then, before anything has passed.
    pub fn begin(&self, from: SocketAddr, opened: Instant) -> Arc<Passage> {
        let passage = Arc::new(Passage::new(opened));
        self.lock().insert(from, Arc::clone(&passage));
        passage
    }

    pub(super) fn of(&self, from: SocketAddr) -> Option<Arc<Passage>> {
        self.lock().get(&from).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Passage>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
