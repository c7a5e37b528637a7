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

mod counts;
mod familiar;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::AuthError;
use crate::reach::subscriber;
use crate::store::UserName;
use counts::Counts;
use familiar::Familiar;

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

#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    by_user: Counts<(IpAddr, UserName)>,
    by_name: Counts<UserName>,
    by_address: Counts<IpAddr>,
    tokens: Counts<IpAddr>,
    familiar: Familiar,
}

/// A login with a password. It counts as failed from before the password is tried until it has turned out right.
#[derive(Debug)]
pub(super) struct Attempt<'t> {
    throttle: &'t Throttle,
    address: IpAddr,
    spelled: UserName,
    name: UserName,
    counted: Option<Counted>,
}

/// What a failure was added to.
#[derive(Clone, Copy, Debug)]
struct Counted {
    by_name: bool,
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
        let user = (self.address, self.name.clone());
        failures.by_user.check(&user, PER_USER, now)?;
        let is_first = failures.by_user.of(&user, now) < FIRST;
        let is_familiar = failures.familiar.knows(&self.spelled, self.address, now);
        if !is_familiar {
            let limit = if is_first { PER_NAME } else { PER_NAME_AGAIN };
            failures.by_name.check(&self.name, limit, now)?;
        }
        if is_familiar && is_first {
            return Ok(());
        }
        failures.by_address.check(&self.address, PER_ADDRESS, now)
    }

    /// Counts it as failed, once, however many passwords it is compared with.
    pub(super) fn count(&mut self) -> Result<(), AuthError> {
        self.check()?;
        if self.counted.is_none() {
            let now = Instant::now();
            let mut failures = self.throttle.failures();
            let by_name = !failures.familiar.knows(&self.spelled, self.address, now);
            self.counted = Some(Counted { by_name });
            failures.by_user.add((self.address, self.name.clone()), now);
            if by_name {
                failures.by_name.add(self.name.clone(), now);
            }
            failures.by_address.add(self.address, now);
        }
        Ok(())
    }

    /// Takes it back, since it was right; the user's earlier slips from this address are forgiven with it.
    pub(super) fn succeeded(self) {
        let now = Instant::now();
        let mut failures = self.throttle.failures();
        if let Some(counted) = self.counted {
            failures.take_back(&self, counted);
            failures.by_user.forget(&(self.address, self.name));
        }
        if self.counted.is_some() || !failures.familiar.knows(&self.spelled, self.address, now) {
            failures.familiar.add(&self.spelled, self.address, now);
        }
    }

    /// Takes it back, since nobody can say whether it was right.
    pub(super) fn withdrawn(self) {
        if let Some(counted) = self.counted {
            let mut failures = self.throttle.failures();
            failures.take_back(&self, counted);
            failures.by_user.take_back(&(self.address, self.name));
        }
    }
}

impl Failures {
    /// Takes an attempt back from the counts that are not its user's alone.
    fn take_back(&mut self, attempt: &Attempt<'_>, counted: Counted) {
        if counted.by_name {
            self.by_name.take_back(&attempt.name);
        }
        self.by_address.take_back(&attempt.address);
    }
}

impl Throttle {
    /// A login of a user spelled like this, who counts as `name`, from this address.
    pub(super) fn attempt(&self, peer: IpAddr, spelled: &UserName, name: &UserName) -> Attempt<'_> {
        Attempt {
            throttle: self,
            address: subscriber(peer),
            spelled: spelled.clone(),
            name: name.clone(),
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
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
