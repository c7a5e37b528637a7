//! Entries that a directory finds: by whatever spellings and names, each is guessed at no more often than a user is.

use std::net::IpAddr;

use super::super::prepared::Prepared;
use super::guesses::Guessed;
use super::{Counted, Throttle};

/// Counts for one login.
#[derive(Clone, Debug)]
pub(in super::super) struct EntryThrottle {
    pub(super) throttle: Throttle,
    pub(super) address: IpAddr,
    pub(super) counted: Counted,
}

impl EntryThrottle {
    /// Counts the entry with this DN as failed; `None` when it has been too often.
    pub(in super::super) fn attempt(&self, dn: &str) -> Option<EntryAttempt> {
        let guessed = (self.address, Prepared::of(dn));
        let Counted { is_familiar, at } = self.counted;
        let mut failures = self.throttle.failures();
        failures.entries.check(&guessed, is_familiar, at).ok()?;
        failures.entries.add(&guessed, is_familiar, at);
        drop(failures);
        Some(EntryAttempt {
            throttle: self.throttle.clone(),
            guessed,
            is_familiar,
            failed: false,
        })
    }
}

/// Counts as failed while the password is tried, and after that if it was wrong.
#[derive(Debug)]
pub(in super::super) struct EntryAttempt {
    throttle: Throttle,
    guessed: Guessed,
    is_familiar: bool,
    failed: bool,
}

impl EntryAttempt {
    pub(in super::super) fn failed(mut self) {
        self.failed = true;
    }

    pub(in super::super) fn succeeded(self) {
        self.throttle.failures().entries.forgive(&self.guessed);
    }
}

impl Drop for EntryAttempt {
    fn drop(&mut self) {
        if !self.failed {
            self.throttle
                .failures()
                .entries
                .take_back(&self.guessed, self.is_familiar);
        }
    }
}
