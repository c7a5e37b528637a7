//! Where trunks' answers may send us, as far as the trunks have been found: [`dial::Reach`], shared.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use dial::Network;

/// A [`dial::Reach`] whose clones share what is known of the trunk's addresses.
#[derive(Clone, Debug, Default)]
pub struct Reach(Arc<RwLock<dial::Reach>>);

impl Reach {
    /// See [`dial::Reach::new`].
    #[must_use]
    pub fn new(allowed: Option<Vec<Network>>) -> Self {
        Self(Arc::new(RwLock::new(dial::Reach::new(allowed))))
    }

    /// One that will not change.
    #[must_use]
    pub fn of(reach: dial::Reach) -> Self {
        Self(Arc::new(RwLock::new(reach)))
    }

    /// The trunk is at these addresses now. They take the place of the ones known before.
    pub fn found_at(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .found_at(addresses);
    }

    /// See [`dial::Reach::is_own`].
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.known().is_own(address)
    }

    /// See [`dial::Reach::knows`].
    #[must_use]
    pub fn knows(&self, address: IpAddr) -> bool {
        self.known().knows(address)
    }

    /// See [`dial::Reach::permits`].
    #[must_use]
    pub fn permits(&self, target: IpAddr) -> bool {
        self.known().permits(target)
    }

    fn known(&self) -> RwLockReadGuard<'_, dial::Reach> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
