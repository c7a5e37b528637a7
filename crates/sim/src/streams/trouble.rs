//! What a peer and a network can do to a connection, and how one ends.

use super::{IDLE, Peer, STALLED};
use crate::{
    house::Input,
    parts::Family,
    world::{Event, World},
};

/// What becomes of a connection that is wanted, or of one that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nobody listens.
    Refused,
    /// The dial is not answered.
    Unanswered,
    /// Both ends lose what is under way.
    Reset,
    /// The peer closes it, having sent what it had to.
    Closed,
    /// Nothing passes any more, and nobody says so.
    HalfOpen,
    /// The peer reads nothing any more.
    Unread,
    /// What the peer sends is no message any more.
    Garbled,
}

/// Where a message should begin: nobody can say where the next one does, and the shell closes the connection.
const GARBLED: [&str; 5] = [
    "OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nl: none\r\n\r\n",
    "SIP/2.0 200 OK\r\nContent-Length: 99999999\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\r\n",
    "SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
];

impl World {
    /// The peer's system does not take it, and the connection ends when that has lasted.
    pub(super) fn is_not_read(&mut self, at: usize, what: impl FnOnce() -> String) {
        self.ladder.note(self.now, || format!("{} is not read", what()));
        let connection = &mut self.streams.connections[at];
        connection.unread += 1;
        if connection.unread == 1 {
            self.after(STALLED, Event::ConnectionEnds(at));
        }
    }

    /// A fault that was drawn for this connection is there.
    pub(crate) fn trouble(&mut self, at: usize, trouble: Trouble) {
        let now = self.now;
        let connection = &mut self.streams.connections[at];
        // What has gone dead stays so.
        if !connection.is_open || connection.trouble == Some(Trouble::HalfOpen) {
            return;
        }
        connection.trouble = Some(trouble);
        let (peer, rest) = (connection.peer, connection.arrives_here.saturating_sub(now));
        self.way_is_broken(peer);
        self.ladder
            .note(now, || format!("a connection of {peer:?}: {trouble:?}"));
        match trouble {
            Trouble::Reset => self.is_closed(at),
            Trouble::Closed => self.after(rest + 1, Event::ConnectionEnds(at)),
            Trouble::Garbled => {
                self.watch.tally.fault(Family::GarbledStreams);
                let bytes = self.stream_lane("garbled", peer).pick(&GARBLED).as_bytes().to_vec();
                self.after(rest + 1, Event::Segment { connection: at, bytes });
            }
            Trouble::HalfOpen | Trouble::Unread | Trouble::Refused | Trouble::Unanswered => {}
        }
    }

    /// It is closed, if it is still open.
    pub(crate) fn connection_ends(&mut self, at: usize) {
        if self.streams.connections[at].is_open {
            self.is_closed(at);
        }
    }

    pub(crate) fn idle(&mut self, at: usize) {
        let connection = &self.streams.connections[at];
        if !connection.is_open {
            return;
        }
        let until = connection.heard_at + IDLE;
        if until <= self.now {
            self.is_closed(at);
        } else {
            self.after(until - self.now, Event::Idle(at));
        }
    }

    pub(super) fn is_closed(&mut self, at: usize) {
        let connection = &mut self.streams.connections[at];
        connection.is_open = false;
        let (path, peer) = (connection.path, connection.peer);
        self.streams.open.remove(&(path.local, path.remote));
        self.way_is_broken(peer);
        self.ladder.note(self.now, || format!("{path} is closed"));
        self.hand_over(Input::Closed(path));
    }

    /// What becomes of the next connection there; only so many of one peer have a fault.
    pub(super) fn next_trouble(&mut self, peer: Peer) -> Option<Trouble> {
        let odds = self.scenario.stream_troubles;
        let had = self.streams.troubles.get(&peer).copied().unwrap_or(0);
        if odds == 0 || self.scenario.is_calm(self.now) || had >= 3 || !self.stream_lane("troubles", peer).chance(odds)
        {
            return None;
        }
        *self.streams.troubles.entry(peer).or_default() += 1;
        let garbled = self.scenario.garbled;
        if garbled > 0 && self.stream_lane("garbled", peer).chance(garbled) {
            return Some(Trouble::Garbled);
        }
        Some(self.stream_lane("troubles", peer).pick(&[
            Trouble::Closed,
            Trouble::Refused,
            Trouble::Unanswered,
            Trouble::Reset,
            Trouble::HalfOpen,
            Trouble::Unread,
        ]))
    }
}
