//! How many INVITEs of new calls wait for a first answer of one next hop.
//!
//! A peer with a small socket buffer loses what comes too fast, and then everybody waits for the repetition. So only so many are out at a
//! time; the others wait for a place, and not for long.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

use sip::{Path, Transport, Tx};

use crate::journal::CallKey;

/// How many T1 one waits for a place; then the call is unavailable.
pub(crate) const T1_TO_WAIT: u32 = 8;

pub(crate) struct Windows {
    /// INVITEs of one next hop that nothing has come back to.
    most: usize,
    of_hop: BTreeMap<(Transport, SocketAddr), Window>,
    hops: BTreeMap<Tx, (Transport, SocketAddr)>,
}

#[derive(Default)]
struct Window {
    unanswered: BTreeSet<Tx>,
    waiting: VecDeque<CallKey>,
}

impl Windows {
    /// With so many places a next hop, at least one.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            of_hop: BTreeMap::new(),
            hops: BTreeMap::new(),
        }
    }

    /// Takes a place for this INVITE; false when there is none, and then the call is told when one is free.
    pub(crate) fn enter(&mut self, path: &Path, tx: &Tx, key: CallKey) -> bool {
        let hop = (path.transport, path.remote);
        let window = self.of_hop.entry(hop).or_default();
        let others_first = window.waiting.front().is_some_and(|first| *first != key);
        if window.unanswered.len() >= self.most || others_first {
            if !window.waiting.contains(&key) {
                window.waiting.push_back(key);
            }
            return false;
        }
        window.waiting.retain(|waiting| *waiting != key);
        window.unanswered.insert(tx.clone());
        self.hops.insert(tx.clone(), hop);
        true
    }

    /// Something has come back to it, or nothing will. Says who may take the place that is free now.
    pub(crate) fn leave(&mut self, tx: &Tx) -> Option<CallKey> {
        let hop = self.hops.remove(tx)?;
        let window = self.of_hop.get_mut(&hop)?;
        window.unanswered.remove(tx);
        self.next_of(hop)
    }

    /// This call no longer waits. Says who may take the place that is free now.
    pub(crate) fn give_up(&mut self, key: CallKey) -> Option<CallKey> {
        let is_waiting = |window: &Window| window.waiting.contains(&key);
        let hop = *self.of_hop.iter().find(|(_, window)| is_waiting(window))?.0;
        self.of_hop.get_mut(&hop)?.waiting.retain(|waiting| *waiting != key);
        self.next_of(hop)
    }

    /// Who is the first to wait for a place there, if one is free.
    pub(crate) fn next(&self, path: &Path) -> Option<CallKey> {
        self.first_waiting((path.transport, path.remote))
    }

    fn first_waiting(&self, hop: (Transport, SocketAddr)) -> Option<CallKey> {
        let window = self.of_hop.get(&hop)?;
        let is_free = window.unanswered.len() < self.most;
        window.waiting.front().copied().filter(|_| is_free)
    }

    pub(crate) fn len(&self) -> usize {
        let count = |window: &Window| window.unanswered.len() + window.waiting.len();
        self.of_hop.values().map(count).sum()
    }

    fn next_of(&mut self, hop: (Transport, SocketAddr)) -> Option<CallKey> {
        let window = self.of_hop.get(&hop)?;
        if window.unanswered.is_empty() && window.waiting.is_empty() {
            self.of_hop.remove(&hop);
            return None;
        }
        self.first_waiting(hop)
    }
}

#[cfg(test)]
mod tests {
    use sip::{Branch, Method};

    use super::*;

    fn tx(number: usize) -> Tx {
        Tx {
            branch: Branch::new(number.to_string()),
            method: Method::Invite,
        }
    }

    #[test]
    fn a_place_is_free_when_something_has_come_back_and_who_waits_longest_takes_it() {
        let mut windows = Windows::new(24);
        let path = Path {
            transport: Transport::Udp,
            local: ([192, 0, 2, 1], 5060).into(),
            remote: ([192, 0, 2, 2], 5060).into(),
        };
        for number in 0..24 {
            assert!(windows.enter(&path, &tx(number), CallKey(0)));
        }
        assert!(!windows.enter(&path, &tx(100), CallKey(1)));
        assert!(!windows.enter(&path, &tx(101), CallKey(2)));
        assert_eq!(windows.leave(&tx(3)), Some(CallKey(1)));
        assert!(!windows.enter(&path, &tx(101), CallKey(2)), "the other one was first");
        assert_eq!(windows.give_up(CallKey(1)), Some(CallKey(2)));
        assert!(windows.enter(&path, &tx(101), CallKey(2)));
        assert_eq!(windows.leave(&tx(4)), None);
        for number in 0..200 {
            windows.leave(&tx(number));
        }
        assert!(windows.of_hop.is_empty() && windows.hops.is_empty());
    }
}
