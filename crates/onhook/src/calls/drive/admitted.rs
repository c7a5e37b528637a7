//! Who may open connections to us: the switch says so, and whoever accepts one looks here without asking it.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{PoisonError, RwLock},
};

use dial::Network;

pub(super) struct Admitted {
    listed: Vec<Network>,
    hosts: RwLock<HashSet<IpAddr>>,
}

impl Admitted {
    pub(super) fn new(listed: Vec<Network>) -> Self {
        Self {
            listed,
            hosts: RwLock::default(),
        }
    }

    pub(super) fn admits(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.listed.iter().any(|network| network.contains(host))
            || self
                .hosts
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&host)
    }

    pub(super) fn admit(&self, host: IpAddr) {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner).insert(host);
    }

    pub(super) fn dismiss(&self, host: IpAddr) {
        self.hosts.write().unwrap_or_else(PoisonError::into_inner).remove(&host);
    }
}
