//! One login at a time for each user: who waited finds what the one before has learned, and it counts once.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::store::UserName;

/// This many locks serve all users.
const TURNS: usize = 64;

#[derive(Debug)]
pub(super) struct LoginTurns {
    locks: [Arc<Mutex<()>>; TURNS],
    lock_of: RandomState,
}

impl Default for LoginTurns {
    fn default() -> Self {
        Self {
            locks: std::array::from_fn(|_| Arc::default()),
            lock_of: RandomState::new(),
        }
    }
}

impl LoginTurns {
    /// Waits for the user's turn, which lasts as long as the guard.
    pub(super) async fn of(&self, name: &UserName) -> OwnedMutexGuard<()> {
        let lock = &self.locks[self.lock_of.hash_one(name) as usize % TURNS];
        Arc::clone(lock).lock_owned().await
    }
}
