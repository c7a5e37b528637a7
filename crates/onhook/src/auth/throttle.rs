//! Counts failed logins and refuses the next before anything is hashed.
//!
//! A user is counted per address, so that a stranger's guesses do not lock the user out elsewhere; an address is counted
//! over all users; and a user over all addresses, since some strangers have many of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::AuthError;
use crate::reach::subscriber;
use crate::store::UserName;

/// Failures are counted over this long, from the first on.
const WINDOW: Duration = Duration::from_secs(60);
/// How many one user may have from one address.
const PER_USER: u32 = 10;
/// How many one user may have from everywhere.
const PER_NAME: u32 = 100;
/// How many one address may have.
const PER_ADDRESS: u32 = 60;
/// How many users and addresses are counted.
const CAPACITY: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Throttle {
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    by_user: Counts<(IpAddr, UserName)>,
    by_name: Counts<UserName>,
    by_address: Counts<IpAddr>,
}

/// A login with a password. It counts as failed from before the password is tried until it has turned out right.
#[derive(Debug)]
pub(super) struct Attempt<'t> {
    throttle: &'t Throttle,
    address: IpAddr,
    name: UserName,
    is_counted: bool,
}

impl Attempt<'_> {
    /// As whom it counts.
    pub(super) fn name(&self) -> &UserName {
        &self.name
    }

    /// Refuses when there have been too many failures.
    pub(super) fn check(&self) -> Result<(), AuthError> {
        if self.is_counted {
            return Ok(());
        }
        let now = Instant::now();
        let failures = self.throttle.failures();
        failures
            .by_user
            .check(&(self.address, self.name.clone()), PER_USER, now)?;
        failures.by_name.check(&self.name, PER_NAME, now)?;
        failures.by_address.check(&self.address, PER_ADDRESS, now)
    }

    /// Counts it as failed, once, however many passwords it is compared with.
    pub(super) fn count(&mut self) -> Result<(), AuthError> {
        self.check()?;
        if !std::mem::replace(&mut self.is_counted, true) {
            let now = Instant::now();
            let mut failures = self.throttle.failures();
            failures.by_user.add((self.address, self.name.clone()), now);
            failures.by_name.add(self.name.clone(), now);
            failures.by_address.add(self.address, now);
        }
        Ok(())
    }

    /// Takes it back, since it was right; the user's earlier slips from this address are forgiven with it.
    pub(super) fn succeeded(self) {
        if self.is_counted {
            let mut failures = self.throttle.failures();
            failures.by_name.take_back(&self.name);
            failures.by_user.0.remove(&(self.address, self.name));
            failures.by_address.take_back(&self.address);
        }
    }

    /// Takes it back, since nobody can say whether it was right.
    pub(super) fn withdrawn(self) {
        if self.is_counted {
            let mut failures = self.throttle.failures();
            failures.by_name.take_back(&self.name);
            failures.by_user.take_back(&(self.address, self.name));
            failures.by_address.take_back(&self.address);
        }
    }
}

impl Throttle {
    /// A login as this user, from this address.
    pub(super) fn attempt(&self, peer: IpAddr, name: &UserName) -> Attempt<'_> {
        Attempt {
            throttle: self,
            address: subscriber(peer),
            name: name.clone(),
            is_counted: false,
        }
    }

    /// Refuses an address that has had too many failures, whoever it says it is.
    pub(super) fn check_address(&self, peer: IpAddr) -> Result<(), AuthError> {
        self.failures()
            .by_address
            .check(&subscriber(peer), PER_ADDRESS, Instant::now())
    }

    /// Counts a failure that is no user's.
    pub(super) fn failed(&self, peer: IpAddr) {
        self.failures().by_address.add(subscriber(peer), Instant::now());
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Counts<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Counts<K> {
    fn take_back(&mut self, key: &K) {
        if let Some((count, _)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    fn check(&self, key: &K, limit: u32, now: Instant) -> Result<(), AuthError> {
        match self.0.get(key) {
            Some((count, since)) if *count >= limit && now < *since + WINDOW => Err(AuthError::Throttled {
                retry_after: *since + WINDOW - now,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn add(&mut self, key: K, now: Instant) {
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
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    /// One that nobody has taken back yet.
    fn failed<'t>(throttle: &'t Throttle, address: IpAddr, user: &str) -> Result<Attempt<'t>, AuthError> {
        let mut attempt = throttle.attempt(address, &name(user));
        attempt.count().map(|()| attempt)
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_refused_from_one_address_for_a_minute() {
        let throttle = Throttle::default();
        for _ in 0..PER_USER {
            failed(&throttle, HERE, "alice").unwrap();
        }
        tokio::time::advance(WINDOW / 3).await;
        let refused = failed(&throttle, HERE, "alice").unwrap_err();
        assert!(matches!(refused, AuthError::Throttled { retry_after } if retry_after == WINDOW - WINDOW / 3));
        failed(&throttle, THERE, "alice").unwrap();
        failed(&throttle, HERE, "bob").unwrap();
        tokio::time::advance(WINDOW).await;
        failed(&throttle, HERE, "alice").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_refused_over_all_users() {
        let throttle = Throttle::default();
        for n in 0..PER_ADDRESS {
            failed(&throttle, HERE, &format!("user{n}")).unwrap();
        }
        assert!(throttle.attempt(HERE, &name("another")).check().is_err());
        throttle.attempt(THERE, &name("another")).check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_refused_over_all_addresses() {
        let throttle = Throttle::default();
        for n in 0..PER_NAME {
            failed(&throttle, IpAddr::V4(n.into()), "alice").unwrap();
        }
        assert!(throttle.attempt(THERE, &name("alice")).check().is_err());
        throttle.attempt(THERE, &name("bob")).check().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_could_verify_counts_for_nothing() {
        let throttle = Throttle::default();
        failed(&throttle, HERE, "alice").unwrap();
        for _ in 0..1_000 {
            failed(&throttle, HERE, "alice").unwrap().withdrawn();
        }
        assert_eq!(throttle.failures().by_address.0[&HERE].0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_counts_once_however_often_it_is_tried() {
        let throttle = Throttle::default();
        let mut attempt = throttle.attempt(HERE, &name("alice"));
        for _ in 0..1_000 {
            attempt.count().unwrap();
        }
        assert_eq!(throttle.failures().by_address.0[&HERE].0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn right_logins_count_for_nothing() {
        let throttle = Throttle::default();
        for _ in 0..1_000 {
            failed(&throttle, HERE, "alice").unwrap().succeeded();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_addresses_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..3 * CAPACITY as u32 {
            failed(&throttle, IpAddr::V4(n.into()), &format!("user{n}")).unwrap();
        }
        assert_eq!(throttle.failures().by_address.0.len(), CAPACITY);
        assert_eq!(throttle.failures().by_user.0.len(), CAPACITY);
        assert_eq!(throttle.failures().by_name.0.len(), CAPACITY);
    }

    #[test]
    fn an_ipv6_neighbourhood_is_one_address() {
        let [one, two] = ["2001:db8::1", "2001:db8::ffff:2"].map(|text| subscriber(text.parse().unwrap()));
        assert_eq!(one, two);
        assert_eq!(subscriber("::ffff:192.0.2.1".parse().unwrap()), HERE);
    }
}
