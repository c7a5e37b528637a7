//! Rules about the way that what leaves goes: to no place inside, by its own trunk, and all that belongs together the same way. And where
//! there is none.

use std::net::{IpAddr, SocketAddr};

use sip::{Method, Path};

use crate::{
    message::Message,
    scenario::{Millis, T2, TRANSACTION},
    streams::Peer,
    world::World,
};

impl World {
    /// Something goes there: what a peer writes leads no further in than its trunk is (promise 11).
    pub(crate) fn check_reach(&mut self, remote: SocketAddr) {
        let now = self.now;
        if !is_outside(remote.ip()) {
            self.watch.fail("no peer sends us into our own network", || {
                format!("to {remote} at {now} ms")
            });
        }
    }

    /// A request says what it leaves by, and where we are reached by that (RFC 3261 §18.1.1).
    pub(super) fn check_via(&mut self, message: &Message, path: &Path) {
        let now = self.now;
        let said = format!(
            "{} {}:{};",
            path.transport.sent_protocol(),
            "192.0.2.1",
            path.transport.default_port()
        );
        if !message.via.starts_with(&said) {
            self.watch.fail("a request says what it leaves by", || {
                format!("{} by {path} at {now} ms: {}", message.label(), message.via)
            });
        }
    }

    /// What belongs to one INVITE goes one way: its repeats, its CANCEL, the ACK of its refusal (RFC 3261 §9.1, §17.1.1.3). So do
    /// the repeats of everything else. True the first time.
    pub(super) fn check_way(&mut self, call: usize, message: &Message, path: &Path) -> bool {
        let now = self.now;
        let (own, there) = (self.watch.calls[call].trunk, self.trunk_at(path.remote));
        if let (Some(own), Some(there)) = (own, there)
            && own != there
            && !self.watch.calls[call].goes_by_any
        {
            self.watch.fail("a call goes by its own trunk", || {
                format!("{} to trunk {} at {now} ms", message.label(), there + 1)
            });
        }
        let requests = &mut self.watch.calls[call].requests;
        let own = (message.branch.clone(), message.method.clone());
        let before = requests.get(&own).copied();
        let of_invite = requests.get(&(message.branch.clone(), Method::Invite)).copied();
        // The ACK of a 2xx is a request of its own each time, and goes where the phone can be reached.
        let before = before.filter(|_| message.method != Method::Ack);
        if let Some(way) = of_invite.or(before).filter(|way| !is_same(way, path)) {
            self.watch.fail("what belongs to an INVITE goes its way", || {
                format!(
                    "{} to {} and not {} at {now} ms",
                    message.label(),
                    path.remote,
                    way.remote
                )
            });
        } else if before.is_none() {
            requests.insert(own, *path);
        }
        before.is_none()
    }

    /// Whether its trunk is nowhere now, so that nothing can go there instead of to a phone that is not found.
    pub(super) fn has_no_trunk(&self, call: usize) -> bool {
        let trunk = self.watch.calls[call].trunk;
        trunk.is_some_and(|trunk| self.watch.trunks[trunk].at.is_none())
    }

    /// Since when its trunk is somewhere again; nothing when it is nowhere, or always was where it is.
    pub(super) fn has_trunk_since(&self, call: usize) -> Option<Millis> {
        let trunk = &self.watch.trunks[self.watch.calls[call].trunk?];
        (trunk.at.is_some() && trunk.lost_at > 0).then_some(trunk.found_at)
    }

    /// Whether the trunk of this call is not where it was when the call was placed: who answers from there is nobody's any more.
    pub(super) fn trunk_has_moved_since(&self, call: usize) -> bool {
        let placed_at = self.scenario.calls[call].placed_at;
        let trunk = self.watch.calls[call].trunk.map(|trunk| &self.watch.trunks[trunk]);
        trunk.is_some_and(|trunk| trunk.found_at > placed_at)
    }

    /// Whether the trunk of this call was nowhere until just now: an ACK that could not leave follows the phone's next 2xx, which comes
    /// within T2 (RFC 3261 §13.3.1.4), or not at all from one that has vanished or was not ACKed for a transaction by then.
    pub(super) fn has_trunk_again(&self, call: usize, tag: &str) -> bool {
        let trunk = self.watch.calls[call].trunk.map(|trunk| &self.watch.trunks[trunk]);
        let Some(trunk) = trunk.filter(|trunk| trunk.lost_at > 0) else {
            return false;
        };
        let is_silent = self.parties[call].phones.iter().any(|phone| {
            let mut legs = phone.legs.iter().filter(|leg| leg.tag == tag);
            legs.any(|leg| phone.gone || leg.answered_at + TRANSACTION <= trunk.found_at)
        });
        is_silent || self.now <= trunk.found_at + T2
    }

    /// Whether requests of this call may wait for a name or a connection.
    pub(super) fn is_dialling_for(&self, call: usize) -> bool {
        let trunk = self.watch.calls[call].trunk;
        let is_dialling = self.streams.is_dialling(|peer| match peer {
            Peer::Trunk(of) => trunk == Some(of),
            Peer::Phone(at) => at.call == call,
        });
        is_dialling || self.is_looking_for(call)
    }
}

/// Whether this is a place on the Internet, where all trunks are.
fn is_outside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_multicast()),
        IpAddr::V6(_) => true,
    }
}

/// Of a stream, whichever connection it is.
fn is_same(one: &Path, other: &Path) -> bool {
    one.transport == other.transport
        && one.remote == other.remote
        && (one.transport.is_stream() || one.local == other.local)
}
