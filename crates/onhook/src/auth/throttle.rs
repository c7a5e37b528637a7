//! Counts failed logins and refuses the next before anything is hashed.
//!
//! Three counts: of a user from one address, so that a stranger's guesses do not lock the user out elsewhere; of an address over
//! all users; and of a user over all addresses, since some strangers have many of them. None of them lets strangers, or
//! somebody with an old password in a program, keep others out for long:
//!
//! - where a user has logged in before (`familiar`), guesses from elsewhere count for nothing, and a first try is heard even when
//!   the address has too many failures of others;
//! - elsewhere, three tenths of a user's failures may be anybody's, and the rest belong to addresses that have not failed with this user:
//!   who has many tries at a few addresses does not use up those.
//!
//! Whatever is one name to a directory is one here ([`Prepared`]), and what it finds is counted as such, too ([`EntryThrottle`]).

mod counts;
mod entries;
mod familiar;
mod guesses;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dial::subscriber;
use tokio::time::Instant;

use super::AuthError;
use super::prepared::Prepared;
use crate::store::UserName;
use counts::Counts;
pub(super) use entries::EntryThrottle;
use familiar::Familiar;
use guesses::{Guessed, Guesses};

/// How many failures one user may have from one address in a minute.
const PER_USER: u32 = 10;
/// How many of these are a first try still: a slip, or a login that is under way.
const FIRST: u32 = 2;
/// How many one user may have from everywhere where the user has not logged in before.
const PER_NAME: u32 = 100;
/// How many of these may come from addresses that have failed with this user before.
const PER_NAME_AGAIN: u32 = 3 * PER_USER;
/// How many one address may have: as many as twenty users in whose programs is an old password.
const PER_ADDRESS: u32 = 20 * PER_USER;
/// How many tokens that nobody can have got from the issuer one address may present.
const TOKENS_PER_ADDRESS: u32 = 60;

/// Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle(Arc<Mutex<Failures>>);

#[derive(Debug, Default)]
struct Failures {
    users: Guesses,
    entries: Guesses,
    by_address: Counts<IpAddr>,
    tokens: Counts<IpAddr>,
    familiar: Familiar,
}

/// A login with a password. It counts as failed from before the password is tried until it has turned out right.
#[derive(Debug)]
pub(super) struct Attempt<'t> {
    throttle: &'t Throttle,
    spelled: UserName,
    name: UserName,
    guessed: Guessed,
    counted: Option<Counted>,
}

/// How a failure was added.
#[derive(Clone, Copy, Debug)]
struct Counted {
    is_familiar: bool,
    at: Instant,
}

impl Attempt<'_> {
    /// As whom it counts.
    pub(super) fn name(&self) -> &UserName {
        &self.name
    }

    /// Refuses when there have been too many failures.
    pub(super) fn check(&self) -> Result<(), AuthError> {
        if self.counted.is_some() {
            return Ok(());
        }
        let now = Instant::now();
        let failures = self.throttle.failures();
        let is_familiar = self.is_familiar(&failures, now);
        failures.users.check(&self.guessed, is_familiar, now)?;
        if is_familiar && failures.users.is_first(&self.guessed, now) {
            return Ok(());
        }
        failures.by_address.check(&self.guessed.0, PER_ADDRESS, now)
    }

    /// Counts it as failed, once, however many passwords it is compared with.
    pub(super) fn count(&mut self) -> Result<(), AuthError> {
        self.check()?;
        if self.counted.is_none() {
            let now = Instant::now();
            let mut failures = self.throttle.failures();
            let is_familiar = self.is_familiar(&failures, now);
            self.counted = Some(Counted { is_familiar, at: now });
            failures.users.add(&self.guessed, is_familiar, now);
            failures.by_address.add(self.guessed.0, now);
        }
        Ok(())
    }

    /// Where it counts for whom a directory finds, at the time at which it was counted itself: who is told when to try again
    /// is heard then.
    pub(super) fn entries(&self) -> EntryThrottle {
        let counted = self.counted.unwrap_or_else(|| {
            let at = Instant::now();
            let is_familiar = self.is_familiar(&self.throttle.failures(), at);
            Counted { is_familiar, at }
        });
        EntryThrottle {
            throttle: self.throttle.clone(),
            address: self.guessed.0,
            counted,
        }
    }

    /// Takes it back, since it was right; the user's earlier slips from this address are forgiven with it.
    pub(super) fn succeeded(self) {
        let now = Instant::now();
        let mut failures = self.throttle.failures();
        self.take_back(&mut failures);
        if self.counted.is_some() {
            failures.users.forgive(&self.guessed);
        }
        if self.counted.is_some() || !self.is_familiar(&failures, now) {
            failures.familiar.add(&self.spelled, self.guessed.0, now);
        }
    }

    /// Takes it back, since nobody can say whether it was right.
    pub(super) fn withdrawn(self) {
        self.take_back(&mut self.throttle.failures());
    }

    fn take_back(&self, failures: &mut Failures) {
        if let Some(Counted { is_familiar, .. }) = self.counted {
            failures.users.take_back(&self.guessed, is_familiar);
            failures.by_address.take_back(&self.guessed.0);
        }
    }

    /// Whether the user has logged in from there before.
    fn is_familiar(&self, failures: &Failures, now: Instant) -> bool {
        failures.familiar.knows(&self.spelled, self.guessed.0, now)
    }
}

impl Throttle {
    /// A login of a user spelled like this, who counts as `name`, from this address.
    pub(super) fn attempt(&self, peer: IpAddr, spelled: &UserName, name: &UserName) -> Attempt<'_> {
        Attempt {
            throttle: self,
            spelled: spelled.clone(),
            name: name.clone(),
            guessed: (subscriber(peer), Prepared::of(name.as_str())),
            counted: None,
        }
    }

    /// Refuses an address that has presented too many bad tokens. Passwords do not count for that, nor these for passwords: a
    /// program with a bad token keeps nobody out.
    pub(super) fn check_tokens(&self, peer: IpAddr) -> Result<(), AuthError> {
        self.failures()
            .tokens
            .check(&subscriber(peer), TOKENS_PER_ADDRESS, Instant::now())
    }

    /// Counts a bad token.
    pub(super) fn bad_token(&self, peer: IpAddr) {
        self.failures().tokens.add(subscriber(peer), Instant::now());
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
