//! Guesses at the entries that a directory finds. By whatever spellings and names they are found, they are guessed at no more
//! often than a user is.

use std::net::IpAddr;

use tokio::time::Instant;

use super::super::prepared::Prepared;
use super::Throttle;
use super::guesses::Guessed;

/// Where guesses of one login are counted.
#[derive(Clone, Debug)]
pub(in super::super) struct Entries {
    pub(super) throttle: Throttle,
    pub(super) address: IpAddr,
    pub(super) is_familiar: bool,
}

impl Entries {
    /// Counts a guess at the entry with this DN; `None` when there have been too many.
    pub(in super::super) fn guess(&self, dn: &str) -> Option<Guess> {
        let now = Instant::now();
        let guessed = (self.address, Prepared::of(dn));
        let mut failures = self.throttle.failures();
        failures.entries.check(&guessed, self.is_familiar, now).ok()?;
        failures.entries.add(&guessed, self.is_familiar, now);
        drop(failures);
        Some(Guess {
            throttle: self.throttle.clone(),
            guessed,
            is_familiar: self.is_familiar,
            was_wrong: false,
        })
    }
}

/// A guess that counts as failed while it is tried, and after that if it was.
#[derive(Debug)]
pub(in super::super) struct Guess {
    throttle: Throttle,
    guessed: Guessed,
    is_familiar: bool,
    was_wrong: bool,
}

impl Guess {
    pub(in super::super) fn was_wrong(mut self) {
        self.was_wrong = true;
    }

    pub(in super::super) fn was_right(self) {
        self.throttle.failures().entries.forgive(&self.guessed);
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        if !self.was_wrong {
            self.throttle
                .failures()
                .entries
                .take_back(&self.guessed, self.is_familiar);
        }
    }
}
