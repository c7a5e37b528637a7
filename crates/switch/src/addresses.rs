//! What is known of host names. They are looked up outside; what was found is used on while nobody knows anything newer.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use sabotage::Fault;
use sip::Moment;

use crate::{
    output::{Event, Output},
    settings::TrunkSettings,
    switch::Switch,
};

/// Names that are remembered at most.
const NAMES: usize = 1024;
/// How old the last word on a name may be before it is looked up anew; what was found is used meanwhile.
const STALE: Duration = Duration::from_secs(30);
/// Why a name is not found that is still being looked up.
pub(crate) const NOT_YET: &str = "nobody has said anything yet";

/// One address of a name, and which of our own addresses it would see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub remote: IpAddr,
    /// Nothing when the system knows no way there.
    pub local: Option<IpAddr>,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// At least one, however old.
    Found(Vec<Found>),
    /// It has none, or nobody can say, and here is why.
    NotFound(String),
    /// Nothing yet; it is being looked up since then.
    BeingLookedUp(Moment),
}

/// By name, in small letters: it is the same in capitals (RFC 4343).
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, Name>);

#[derive(Default)]
struct Name {
    known: LookedUp,
    /// When the last word on it came.
    answered_at: Option<Moment>,
    /// Since when it is being looked up.
    looked_up_since: Option<Moment>,
}

#[derive(Default)]
enum LookedUp {
    #[default]
    Nothing,
    Found {
        addresses: Vec<Found>,
        at: Moment,
        /// Look-ups that found nothing since.
        failures: u64,
    },
    NotFound(String),
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes room for one more. Whose addresses nobody needs now is looked up again when somebody does.
    fn make_room(&mut self, trunks: &[TrunkSettings]) {
        let is_a_trunks = |name: &str| {
            let mut trunks = trunks.iter();
            trunks.any(|trunk| trunk.first_hop.host.eq_ignore_ascii_case(name))
        };
        if self.0.len() >= NAMES {
            self.0.retain(|name, _| is_a_trunks(name));
        }
    }
}

impl Switch {
    /// A name was looked up, and has these addresses, in the order in which they are to be tried.
    pub fn found(&mut self, host: &str, addresses: &[Found]) {
        if addresses.is_empty() {
            return self.not_found(host, "it has no address");
        }
        let (host, now) = (host.to_ascii_lowercase(), self.now);
        let Some(name) = self.ways.names.0.get_mut(&host) else {
            return;
        };
        (name.answered_at, name.looked_up_since) = (Some(now), None);
        let found = LookedUp::Found {
            addresses: addresses.to_vec(),
            at: now,
            failures: 0,
        };
        let before = std::mem::replace(&mut name.known, found);
        if matches!(before, LookedUp::Found { failures: 1.., .. }) {
            self.tell(Event::FoundAgain(host.clone()));
        }
        self.trunks_found(&host, addresses);
        self.flush_all();
    }

    /// A name was looked up, and nobody knows an address of it now. What was found before is used on.
    pub fn not_found(&mut self, host: &str, why: &str) {
        let (host, now) = (host.to_ascii_lowercase(), self.now);
        let Some(name) = self.ways.names.0.get_mut(&host) else {
            return;
        };
        (name.answered_at, name.looked_up_since) = (Some(now), None);
        if self.settings.sabotage.is(Fault::FoundIsForgotten) {
            name.known = LookedUp::Nothing;
        }
        match &mut name.known {
            LookedUp::Found { at, failures, .. } => {
                *failures += 1;
                if failures.is_power_of_two() {
                    let age = now.since(*at);
                    let why = why.to_owned();
                    self.tell(Event::StaleAddresses { host, age, why });
                }
            }
            known @ (LookedUp::Nothing | LookedUp::NotFound(_)) => {
                *known = LookedUp::NotFound(why.to_owned());
                self.trunks_not_found(&host, why);
            }
        }
        self.flush_all();
    }

    /// What is known of a name, which is looked up when the last word on it is old.
    pub(crate) fn addresses(&mut self, host: &str) -> Addresses {
        self.refresh_addresses(host);
        let name = self.ways.names.0.get(&host.to_ascii_lowercase());
        match name.map(|name| (&name.known, name.looked_up_since)) {
            Some((LookedUp::Found { addresses, .. }, _)) => Addresses::Found(addresses.clone()),
            Some((LookedUp::NotFound(why), _)) => Addresses::NotFound(why.clone()),
            Some((LookedUp::Nothing, Some(at))) => Addresses::BeingLookedUp(at),
            Some((LookedUp::Nothing, None)) | None => Addresses::BeingLookedUp(self.now),
        }
    }

    /// Looks a name up when the last word on it is old, or there was none yet.
    pub(crate) fn refresh_addresses(&mut self, host: &str) {
        let now = self.now;
        let host = host.to_ascii_lowercase();
        if !self.ways.names.0.contains_key(&host) {
            self.ways.names.make_room(&self.settings.trunks);
        }
        let name = self.ways.names.0.entry(host.clone()).or_default();
        if name.answered_at.is_none_or(|at| now.since(at) >= STALE) {
            self.look_up(&host);
        }
    }

    /// Looks a name up, however fresh what is known of it.
    pub(crate) fn look_up(&mut self, host: &str) {
        let host = host.to_ascii_lowercase();
        if let Some(name) = self.ways.names.0.get_mut(&host)
            && name.looked_up_since.is_none()
        {
            name.looked_up_since = Some(self.now);
            self.put(Output::Resolve(host));
        }
    }

    /// One that nobody asks whether it is there may have moved, too, or have a name by now.
    pub(crate) fn refresh_trunk_addresses(&mut self) {
        for trunk in 0..self.trunks.len() {
            let host = self.settings.trunks[trunk].first_hop.host.clone();
            self.refresh_addresses(&host);
        }
    }

    /// A phone waits for its end: trunks that are nowhere, or only where we cannot speak to, are looked up, however fresh what is known
    /// is.
    pub(crate) fn look_up_lost_trunks(&mut self) {
        for trunk in 0..self.trunks.len() {
            if self.local(trunk).is_none() {
                let host = self.settings.trunks[trunk].first_hop.host.clone();
                self.look_up(&host);
            }
        }
    }

    pub(crate) fn trunks_at(&self, host: &str) -> Vec<usize> {
        let is_it = |trunk: &usize| self.settings.trunks[*trunk].first_hop.host.eq_ignore_ascii_case(host);
        (0..self.trunks.len()).filter(is_it).collect()
    }
}
