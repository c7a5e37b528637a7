//! Who may speak to us, decided before a message is parsed.
//!
//! A SIP port is found by scanners within hours. They get no answer at all: what comes from nobody we deal with is
//! dropped where it is read. We deal with the trunks, with whom the operator lists, and for as long as a call lives with the
//! places that it has sent requests to. A datagram from elsewhere still passes when it carries the Call-ID of a live
//! call, 128 random bits that only those on its way know: a phone behind NAT may hang up from an address that nobody
//! has named.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use dial::Network;
use sip::CallIdHeader;

use super::trunk::Kept;

use crate::reach::Reach;

/// The longest message that is taken.
pub(super) const MESSAGE: usize = 16 * 1024;
/// Places that one call may have: its trunk's addresses, a phone or two, a proxy.
const PLACES: usize = 8;

pub(super) struct Peers {
    listed: Vec<Network>,
    trunks: Vec<Arc<Kept>>,
    live: Mutex<Live>,
    turned_away: AtomicU64,
}

#[derive(Default)]
struct Live {
    calls: HashMap<CallIdHeader, LiveCall>,
    /// How many live calls have sent something there.
    places: HashMap<IpAddr, usize>,
}

struct LiveCall {
    trunk: Option<Arc<Kept>>,
    places: Vec<IpAddr>,
}

impl Peers {
    pub(super) fn new(listed: Vec<Network>, trunks: Vec<Arc<Kept>>) -> Self {
        Self {
            listed,
            trunks,
            live: Mutex::default(),
            turned_away: AtomicU64::new(0),
        }
    }

    /// From now on this call's messages are let in, wherever they come from.
    pub(super) fn begin(&self, call_id: &CallIdHeader, trunk: &str) {
        let trunk = self.trunks.iter().find(|kept| kept.trunk.name == trunk).cloned();
        let call = LiveCall {
            trunk,
            places: Vec::new(),
        };
        self.live().calls.insert(call_id.clone(), call);
    }

    /// The call is over for good.
    pub(super) fn end(&self, call_id: &CallIdHeader) {
        let mut live = self.live();
        let Some(call) = live.calls.remove(call_id) else { return };
        for place in call.places {
            if let Some(count) = live.places.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    live.places.remove(&place);
                }
            }
        }
    }

    /// A request of this call goes there.
    pub(super) fn sends_to(&self, call_id: &CallIdHeader, place: IpAddr) {
        let place = place.to_canonical();
        let mut live = self.live();
        let Some(call) = live.calls.get_mut(call_id) else {
            return;
        };
        if call.places.len() < PLACES && !call.places.contains(&place) {
            call.places.push(place);
            *live.places.entry(place).or_default() += 1;
        }
    }

    /// The trunk of a live call.
    pub(super) fn trunk_of(&self, call_id: &CallIdHeader) -> Option<Arc<Kept>> {
        self.live().calls.get(call_id)?.trunk.clone()
    }

    pub(super) fn is_live(&self, call_id: &CallIdHeader) -> bool {
        self.live().calls.contains_key(call_id)
    }

    /// Where the trunk of this name may send us.
    pub(super) fn reach(&self, trunk: &str) -> Option<Reach> {
        let kept = self.trunks.iter().find(|kept| kept.trunk.name == trunk)?;
        Some(kept.trunk.reach.clone())
    }

    /// A host name was looked up; it may be a trunk's.
    pub(super) fn found(&self, host: &str, addresses: impl Iterator<Item = IpAddr> + Clone) {
        for kept in &self.trunks {
            if kept.first_hop.host.eq_ignore_ascii_case(host) {
                kept.found_at(addresses.clone());
            }
        }
    }

    fn knows(&self, host: IpAddr) -> bool {
        let host = host.to_canonical();
        self.trunks.iter().any(|kept| kept.trunk.reach.is_own(host))
            || self.listed.iter().any(|network| network.contains(host))
            || self.live().places.contains_key(&host)
    }

    /// Whether this host may open a connection to us.
    pub(super) fn admits(&self, host: IpAddr) -> bool {
        let admitted = self.knows(host);
        if !admitted {
            self.turn_away("a connection", host);
        }
        admitted
    }

    /// Whether this datagram is to be looked at; `room` is what the reader had for it.
    pub(super) fn admits_datagram(&self, datagram: &[u8], room: usize, host: IpAddr) -> bool {
        // What fills the reader's room to the last byte is likely to have been cut off.
        if datagram.len() > MESSAGE || datagram.len() >= room {
            self.turn_away("a message that is too long", host);
            return false;
        }
        let of_live_call = || {
            let call_id = call_id(datagram);
            call_id.is_some_and(|call_id| self.is_live(&CallIdHeader::new(call_id)))
        };
        let admitted = self.knows(host) || of_live_call();
        if !admitted {
            self.turn_away("a datagram", host);
        }
        admitted
    }

    /// How often somebody was turned away.
    pub(super) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Tells at the first, second, fourth, … time: a flood must not fill the log.
    pub(super) fn turn_away(&self, what: &str, host: IpAddr) {
        let times = self.turned_away.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            tracing::info!(%host, times, "{what} from nobody we deal with ([sip] peers) was dropped");
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first Call-ID in a message that nobody has parsed: its value, when it stands on one line.
pub(super) fn call_id(datagram: &[u8]) -> Option<&str> {
    datagram.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().take(16).position(|byte| *byte == b':')?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        let is_call_id = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
        is_call_id.then(|| std::str::from_utf8(value).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_found_without_parsing_the_message() {
        for (message, found) in [
            ("BYE sip:x SIP/2.0\r\nVia: v\r\nCall-ID: abc\r\n\r\n", Some("abc")),
            ("BYE sip:x SIP/2.0\r\nI :  abc \r\n\r\n", Some("abc")),
            ("\nCALL-id:\tabc", Some("abc")),
            ("BYE sip:x SIP/2.0\r\nVia: v\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(call_id(message.as_bytes()), found, "{message:?}");
        }
        assert_eq!(call_id(b"i: \xff\xfe"), None);
    }

    #[test]
    fn places_are_forgotten_with_the_last_call_that_had_them() {
        let peers = Peers::new(Vec::new(), Vec::new());
        let (one, other) = (CallIdHeader::new("one"), CallIdHeader::new("other"));
        let place: IpAddr = "192.0.2.1".parse().unwrap();
        for call_id in [&one, &other] {
            peers.begin(call_id, "trunk");
            peers.sends_to(call_id, place);
            peers.sends_to(call_id, place);
        }
        peers.end(&one);
        assert!(peers.admits(place));
        peers.end(&other);
        assert!(!peers.admits(place));
        peers.sends_to(&one, place);
        assert!(!peers.admits(place), "a call that is over has no places");
    }

    #[test]
    fn a_stranger_passes_with_the_call_id_of_a_live_call_alone() {
        let peers = Peers::new(vec!["10.0.0.0/8".parse().unwrap()], Vec::new());
        peers.begin(&CallIdHeader::new("live"), "trunk");
        let stranger = "192.0.2.1".parse().unwrap();
        let admits = |text: &[u8], host| peers.admits_datagram(text, 65_536, host);
        assert!(admits(b"BYE\r\nCall-ID: live\r\n", stranger));
        assert!(!admits(b"BYE\r\nCall-ID: other\r\n", stranger));
        assert!(!admits(b"\r\n\r\n", stranger), "not even a keep-alive is answered");
        assert!(admits(b"OPTIONS", "10.1.1.1".parse().unwrap()));
        assert!(!admits(&[b'x'; MESSAGE + 1], "10.1.1.1".parse().unwrap()));
        assert_eq!(peers.turned_away(), 3);
    }
}
