//! From which addresses users have logged in. What others do elsewhere does not shut them out there.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::UserName;

/// How long an address stays familiar after a login.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many users are remembered.
pub(super) const USERS: usize = 10_000;
/// How many addresses of each.
pub(super) const ADDRESSES: usize = 8;

/// By user as spelled: whoever has the same name in another domain makes nothing familiar for this one.
#[derive(Debug, Default)]
pub(super) struct Familiar(HashMap<UserName, VecDeque<(IpAddr, Instant)>>);

impl Familiar {
    pub(super) fn knows(&self, user: &UserName, address: IpAddr, now: Instant) -> bool {
        let addresses = self.0.get(user).into_iter().flatten();
        addresses
            .into_iter()
            .any(|(known, since)| *known == address && now < *since + LIFETIME)
    }

    /// The user's password was right, from there.
    pub(super) fn add(&mut self, user: &UserName, address: IpAddr, now: Instant) {
        if self.0.len() >= USERS && !self.0.contains_key(user) {
            let latest = |addresses: &VecDeque<(IpAddr, Instant)>| addresses.back().map(|(_, since)| *since);
            let longest_away = self.0.iter().min_by_key(|(_, addresses)| latest(addresses));
            if let Some(longest_away) = longest_away.map(|(user, _)| user.clone()) {
                self.0.remove(&longest_away);
            }
        }
        let addresses = self.0.entry(user.clone()).or_default();
        addresses.retain(|(known, _)| *known != address);
        addresses.push_back((address, now));
        if addresses.len() > ADDRESSES {
            addresses.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserName {
        format!("user{n}").parse().unwrap()
    }

    fn address(n: usize) -> IpAddr {
        IpAddr::V4((n as u32).into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_familiar_for_a_month_after_the_last_login() {
        let mut familiar = Familiar::default();
        let knows = |familiar: &Familiar| familiar.knows(&user(1), address(1), Instant::now());
        familiar.add(&user(1), address(1), Instant::now());
        tokio::time::advance(LIFETIME / 2).await;
        assert!(knows(&familiar));
        assert!(!familiar.knows(&user(2), address(1), Instant::now()));
        assert!(!familiar.knows(&user(1), address(2), Instant::now()));
        familiar.add(&user(1), address(1), Instant::now());
        tokio::time::advance(LIFETIME / 2).await;
        assert!(knows(&familiar));
        tokio::time::advance(LIFETIME / 2).await;
        assert!(!knows(&familiar));
    }

    #[tokio::test(start_paused = true)]
    async fn users_and_their_addresses_are_bounded_and_the_longest_away_go_first() {
        let mut familiar = Familiar::default();
        for n in 0..=ADDRESSES {
            familiar.add(&user(0), address(n), Instant::now());
        }
        assert!(!familiar.knows(&user(0), address(0), Instant::now()));
        assert!(familiar.knows(&user(0), address(1), Instant::now()));
        for n in 1..=USERS {
            tokio::time::advance(Duration::from_millis(1)).await;
            familiar.add(&user(n), address(n), Instant::now());
        }
        assert_eq!(familiar.0.len(), USERS);
        assert!(!familiar.knows(&user(0), address(1), Instant::now()));
        assert!(familiar.knows(&user(1), address(1), Instant::now()));
    }
}
