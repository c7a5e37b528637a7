//! Failures of users, or of entries, each from one address and from all of them.

use std::net::IpAddr;

use tokio::time::Instant;

use super::super::AuthError;
use super::super::prepared::Prepared;
use super::counts::Counts;
use super::{FIRST, PER_NAME, PER_NAME_AGAIN, PER_USER};

/// Who is guessed at, from where.
pub(super) type Guessed = (IpAddr, Prepared);

#[derive(Debug, Default)]
pub(super) struct Guesses {
    from_here: Counts<Guessed>,
    from_everywhere: Counts<Prepared>,
}

impl Guesses {
    /// Refuses when there have been too many; from everywhere only where the user has not logged in before.
    pub(super) fn check(&self, guessed: &Guessed, is_familiar: bool, now: Instant) -> Result<(), AuthError> {
        self.from_here.check(guessed, PER_USER, now)?;
        if is_familiar {
            return Ok(());
        }
        let limit = if self.is_first(guessed, now) {
            PER_NAME
        } else {
            PER_NAME_AGAIN
        };
        self.from_everywhere.check(&guessed.1, limit, now)
    }

    /// Whether there has been next to none from there.
    pub(super) fn is_first(&self, guessed: &Guessed, now: Instant) -> bool {
        self.from_here.of(guessed, now) < FIRST
    }

    pub(super) fn add(&mut self, guessed: &Guessed, is_familiar: bool, now: Instant) {
        self.from_here.add(guessed.clone(), now);
        if !is_familiar {
            self.from_everywhere.add(guessed.1.clone(), now);
        }
    }

    /// Takes one back that was added so.
    pub(super) fn take_back(&mut self, guessed: &Guessed, is_familiar: bool) {
        self.from_here.take_back(guessed);
        if !is_familiar {
            self.from_everywhere.take_back(&guessed.1);
        }
    }

    /// Forgives what there was from there.
    pub(super) fn forgive(&mut self, guessed: &Guessed) {
        self.from_here.forget(guessed);
    }
}

#[cfg(test)]
impl Guesses {
    /// How many are counted, from one address and from all.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.from_here.len(), self.from_everywhere.len())
    }
}
