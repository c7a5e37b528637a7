//! How often something has failed within a minute, for as many as memory may hold.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::super::AuthError;

/// Failures are counted over this long, from the first on.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// How many users and addresses are counted.
pub(super) const CAPACITY: usize = 4_096;

#[derive(Debug)]
pub(super) struct Counts<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Counts<K> {
    /// How many there are.
    pub(super) fn of(&self, key: &K, now: Instant) -> u32 {
        match self.0.get(key) {
            Some((count, since)) if now < *since + WINDOW => *count,
            Some(_) | None => 0,
        }
    }

    pub(super) fn forget(&mut self, key: &K) {
        self.0.remove(key);
    }

    pub(super) fn take_back(&mut self, key: &K) {
        if let Some((count, _)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    /// Refuses when there are as many as `limit`, and says until when.
    pub(super) fn check(&self, key: &K, limit: u32, now: Instant) -> Result<(), AuthError> {
        match self.0.get(key) {
            Some((count, since)) if *count >= limit && now < *since + WINDOW => Err(AuthError::Throttled {
                retry_after: *since + WINDOW - now,
            }),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn add(&mut self, key: K, now: Instant) {
        if self.0.len() >= CAPACITY && !self.0.contains_key(&key) {
            self.0.retain(|_, (_, since)| now < *since + WINDOW);
        }
        if self.0.len() >= CAPACITY
            && !self.0.contains_key(&key)
            && let Some(oldest) = self
                .0
                .iter()
                .min_by_key(|(_, (_, since))| *since)
                .map(|(key, _)| key.clone())
        {
            self.0.remove(&oldest);
        }
        let (count, since) = self.0.entry(key).or_insert((0, now));
        if now >= *since + WINDOW {
            (*count, *since) = (0, now);
        }
        *count += 1;
    }
}

#[cfg(test)]
impl<K> Counts<K> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
