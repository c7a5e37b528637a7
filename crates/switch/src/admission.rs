//! Who is listened to: trunks, peers that are listed, and the hosts that live calls send to. Everybody else only about a
//! live call, whose Call-ID only its own peers know.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use dial::Network;
use sip::{Moment, Path};

use crate::{
    output::{Event, Output},
    settings::Settings,
    switch::Switch,
};

pub(crate) struct Admission {
    listed: Vec<Network>,
    /// How many live calls have sent something there, and how many trunks are there.
    hosts: BTreeMap<IpAddr, usize>,
    allowance: Option<Allowance>,
    turned_away: u64,
}

/// How many requests that belong to no call are looked at: so many a second, and two seconds' worth at once.
///
/// A trunk's OPTIONS are few. What is beyond is a flood, from a trunk or in its name, and dropped without an answer.
struct Allowance {
    a_second: u32,
    /// What is left, in nanoseconds of waiting.
    left: Duration,
    at: Moment,
}

impl Admission {
    pub(crate) fn new(settings: &Settings, now: Moment) -> Self {
        Self {
            listed: settings.peers.clone(),
            hosts: BTreeMap::new(),
            allowance: settings.requests_per_second.map(|a_second| Allowance {
                a_second,
                left: Allowance::MOST,
                at: now,
            }),
            turned_away: 0,
        }
    }

    pub(crate) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Whether one more request that belongs to no call is looked at now.
    pub(crate) fn spend(&mut self, now: Moment) -> bool {
        self.allowance.as_mut().is_none_or(|allowance| allowance.spend(now))
    }
}

impl Allowance {
    const MOST: Duration = Duration::from_secs(2);

    fn spend(&mut self, now: Moment) -> bool {
        self.left = (self.left + now.since(self.at)).min(Self::MOST);
        self.at = now;
        let Some(one) = Duration::from_secs(1).checked_div(self.a_second) else {
            return false;
        };
        let rest = self.left.checked_sub(one);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }
}

impl Switch {
    /// Whether this host is somebody we deal with, whatever it says.
    #[must_use]
    pub fn knows(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.admission.listed.iter().any(|network| network.contains(host)) || self.admission.hosts.contains_key(&host)
    }

    /// A trunk is there, or a live call has sent something there: who is there may speak.
    pub(crate) fn enter(&mut self, host: IpAddr) {
        let count = self.admission.hosts.entry(host.to_canonical()).or_default();
        *count += 1;
        if *count == 1 {
            self.put(Output::Admit(host.to_canonical()));
        }
    }

    /// One reason less to listen to these.
    pub(crate) fn leave_hosts(&mut self, hosts: impl IntoIterator<Item = IpAddr>) {
        for host in hosts.into_iter().map(|host| host.to_canonical()) {
            let Some(count) = self.admission.hosts.get_mut(&host) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.admission.hosts.remove(&host);
                self.put(Output::Dismiss(host));
            }
        }
    }

    /// Counts somebody who is not listened to; told at the first, second, fourth, … time: a flood must not fill the log.
    pub(crate) fn turn_away(&mut self, what: &'static str, path: Path) {
        self.admission.turned_away += 1;
        let times = self.admission.turned_away;
        if times.is_power_of_two() {
            self.tell(Event::TurnedAway { what, path, times });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_two_seconds_worth_and_grows_again() {
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let mut allowance = Allowance {
            a_second: 10,
            left: Allowance::MOST,
            at: at(0),
        };
        assert_eq!((0..30).filter(|_| allowance.spend(at(0))).count(), 20);
        assert!(!allowance.spend(at(99)));
        assert!(allowance.spend(at(100)));
        assert!(!allowance.spend(at(100)));
        assert_eq!((0..30).filter(|_| allowance.spend(at(60_000))).count(), 20);
    }
}
