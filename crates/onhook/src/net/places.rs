//! How many connections peers may open to us.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Connections that peers have opened to us, handshakes among them.
const STREAMS: usize = 1024;
/// Of these, connections of one address: a peer needs one or two.
const STREAMS_OF_ONE: usize = 64;

/// How many connections each address has opened. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place, given back when it is dropped.
pub(crate) struct Place {
    places: Places,
    host: IpAddr,
}

impl Places {
    pub(crate) fn take(&self, host: IpAddr) -> Option<Place> {
        let host = host.to_canonical();
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let of_one = open.get(&host).copied().unwrap_or_default();
        (all < STREAMS && of_one < STREAMS_OF_ONE).then(|| {
            open.insert(host, of_one + 1);
            Place {
                places: self.clone(),
                host,
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.lock();
        if let Some(count) = open.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.host);
            }
        }
    }
}
