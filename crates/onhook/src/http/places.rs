//! Who may hold a connection when there are more clients than places.
//!
//! There are so many places in all, and so many for one address. Where they are taken, the connection that has been
//! quiet for longest makes place: one that does nothing costs the others nothing. Only when every one of them is being
//! served is a new one turned away.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dial::{Network, subscriber};
use tokio_util::sync::CancellationToken;

/// Longer ago than anything that happened.
const FIRST: u64 = 1;

#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    max_per_address: usize,
    /// Each of them stands for many clients, and may hold as many places as there are.
    proxies: Vec<Network>,
    taken: Mutex<HashMap<IpAddr, Vec<Arc<Seat>>>>,
    /// Counts instead of telling the time: only the order matters. 0 stands for "now being served".
    clock: AtomicU64,
}

#[derive(Debug)]
struct Seat {
    quiet_since: AtomicU64,
    /// Requests whose answers have not left yet.
    answering: AtomicUsize,
    leave: CancellationToken,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    holder: IpAddr,
    seat: Arc<Seat>,
}

/// An answer that has not left yet.
#[derive(Debug)]
pub(super) struct Answering(Arc<Place>);

impl Places {
    pub(super) fn new(max: usize, max_per_address: usize, proxies: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            max,
            max_per_address,
            proxies,
            taken: Mutex::default(),
            clock: AtomicU64::new(FIRST + 1),
        })
    }

    /// A place for a connection from this address, if need be another's.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let holder = subscriber(address);
        let is_proxy = self.proxies.iter().any(|network| network.contains(address));
        let mut taken = self.taken();
        if !is_proxy && taken.get(&holder).map_or(0, Vec::len) >= self.max_per_address {
            free_one(&mut taken, Some(holder))?;
        }
        if taken.values().map(Vec::len).sum::<usize>() >= self.max {
            free_one(&mut taken, None)?;
        }
        let seat = Arc::new(Seat {
            quiet_since: AtomicU64::new(self.now()),
            answering: AtomicUsize::new(0),
            leave: CancellationToken::new(),
        });
        taken.entry(holder).or_default().push(Arc::clone(&seat));
        Some(Place {
            places: Arc::clone(self),
            holder,
            seat,
        })
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, Vec<Arc<Seat>>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends away who has been quiet for longest, of one holder or of all; `None` when all of them are being served.
fn free_one(taken: &mut HashMap<IpAddr, Vec<Arc<Seat>>>, of: Option<IpAddr>) -> Option<()> {
    let (_, holder, at) = taken
        .iter()
        .filter(|(holder, _)| of.is_none_or(|of| of == **holder))
        .flat_map(|(holder, seats)| seats.iter().enumerate().map(|(at, seat)| (seat, *holder, at)))
        .map(|(seat, holder, at)| (seat.quiet_since.load(Ordering::Relaxed), holder, at))
        .filter(|(quiet_since, ..)| *quiet_since > 0)
        .min()?;
    let seats = taken.get_mut(&holder)?;
    seats.swap_remove(at).leave.cancel();
    if seats.is_empty() {
        taken.remove(&holder);
    }
    Some(())
}

impl Place {
    /// Ends when the place is needed for somebody else.
    pub(super) async fn needed(&self) {
        self.seat.leave.cancelled().await;
    }

    /// Whether it has been given to somebody else.
    pub(super) fn is_lost(&self) -> bool {
        self.seat.leave.is_cancelled()
    }

    /// Whether no whole request has come that waits for its answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.seat.quiet_since.load(Ordering::Relaxed) > 0
    }

    /// Its connection is being closed: it goes before any other.
    pub(super) fn give_up_first(&self) {
        self.seat.quiet_since.store(FIRST, Ordering::Relaxed);
    }

    /// The client has sent a whole request: from now on until the answer it is not sent away.
    pub(super) fn keep(&self) {
        self.seat.quiet_since.store(0, Ordering::Relaxed);
    }

    /// A request has been understood and is being answered, if only slowly, until this is dropped.
    pub(super) fn answer(self: &Arc<Self>) -> Answering {
        self.seat.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    pub(super) fn is_answering(&self) -> bool {
        self.seat.answering.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(place) = self;
        // The next request may be under way already: clients need not wait for an answer.
        if place.seat.answering.fetch_sub(1, Ordering::Relaxed) == 1 {
            place.seat.quiet_since.store(place.places.now(), Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(seats) = taken.get_mut(&self.holder) {
            seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
            if seats.is_empty() {
                taken.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "192.0.2.1";
    const BOB: &str = "192.0.2.2";

    fn take(places: &Arc<Places>, address: &str) -> Option<Arc<Place>> {
        places.take(address.parse().unwrap()).map(Arc::new)
    }

    fn was_sent_away(place: &Place) -> bool {
        place.seat.leave.is_cancelled()
    }

    #[test]
    fn an_address_that_has_its_share_loses_the_one_that_was_quiet_for_longest() {
        let places = Places::new(10, 2, Vec::new());
        let bob = take(&places, BOB).unwrap();
        let [first, second] = [ALICE; 2].map(|address| take(&places, address).unwrap());
        first.keep();
        drop(first.answer());
        let _third = take(&places, ALICE).unwrap();
        assert!(
            was_sent_away(&second),
            "it was quiet before the first, which had a request in between"
        );
        assert!(!was_sent_away(&first) && !was_sent_away(&bob));
    }

    #[test]
    fn a_connection_that_is_being_closed_goes_first() {
        let places = Places::new(10, 2, Vec::new());
        let [first, second] = [ALICE; 2].map(|address| take(&places, address).unwrap());
        second.keep();
        drop(second.answer());
        second.give_up_first();
        let _third = take(&places, ALICE).unwrap();
        assert!(second.is_lost() && !first.is_lost());
    }

    #[test]
    fn when_all_places_are_taken_the_quietest_of_all_goes() {
        let places = Places::new(2, 2, Vec::new());
        let [first, second] = [ALICE, BOB].map(|address| take(&places, address).unwrap());
        let _third = take(&places, "192.0.2.3").unwrap();
        assert!(was_sent_away(&first) && !was_sent_away(&second));
    }

    #[test]
    fn who_is_being_served_is_not_sent_away() {
        let places = Places::new(2, 1, Vec::new());
        let [first, second] = [ALICE, BOB].map(|address| take(&places, address).unwrap());
        first.keep();
        assert!(take(&places, ALICE).is_none(), "its only place is at work");
        second.keep();
        assert!(take(&places, "192.0.2.3").is_none(), "all are at work");
        drop(first);
        assert!(take(&places, "192.0.2.3").is_some());
    }

    #[test]
    fn one_subscriber_of_ipv6_is_one_holder() {
        let places = Places::new(10, 1, Vec::new());
        let first = take(&places, "2001:db8::1").unwrap();
        let _second = take(&places, "2001:db8::ffff:2").unwrap();
        assert!(was_sent_away(&first));
        let _other = take(&places, "2001:db8:0:1::1").unwrap();
        let mapped = take(&places, "::ffff:192.0.2.1").unwrap();
        let _same = take(&places, ALICE).unwrap();
        assert!(was_sent_away(&mapped));
    }

    #[test]
    fn a_trusted_proxy_may_hold_all_places() {
        let places = Places::new(3, 1, vec!["192.0.2.0/28".parse().unwrap()]);
        let held = [ALICE; 3].map(|address| take(&places, address).unwrap());
        assert!(!held.iter().any(|place| was_sent_away(place)));
        let _fourth = take(&places, ALICE).unwrap();
        assert!(was_sent_away(&held[0]), "and no more than that");
    }

    #[test]
    fn places_are_given_back() {
        let places = Places::new(2, 2, Vec::new());
        for _ in 0..10 {
            let place = take(&places, ALICE).unwrap();
            place.keep();
        }
        assert!(places.taken().is_empty());
    }
}
