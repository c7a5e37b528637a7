//! What peers write into connections, and how what both sides wrote is read.

use std::rc::Rc;

use sip::{Frame, Path};

use super::{Peer, Trouble};
use crate::{
    lanes::Lane,
    message::{HOUSE, Message, Node},
    world::{Event, World},
};

impl World {
    /// A peer's message goes into the connection that its way is, or into a new one.
    pub(crate) fn write_to_house(&mut self, call: usize, from: Node, message: &Rc<Message>, path: &Path) {
        let at = match self.streams.at(path) {
            Some(at) => at,
            None => match self.open_to_house(call, from, message, path) {
                Some(at) => at,
                None => return self.ladder.message(self.now, from, Node::House, None, message),
            },
        };
        let delay = 1 + self.delay(call);
        let now = self.now;
        let connection = &mut self.streams.connections[at];
        let arrives = connection.arrives_here.max(now + delay);
        let peer = connection.peer;
        if matches!(connection.trouble, Some(Trouble::HalfOpen | Trouble::Garbled)) {
            return self.ladder.message(now, from, Node::House, None, message);
        }
        let path = connection.path;
        connection.arrives_here = arrives;
        let message = Rc::new(Message {
            path: Some(path),
            ..(**message).clone()
        });
        self.ladder.message(now, from, Node::House, Some(arrives), &message);
        let (_, bytes) = self.on_the_wire(from, &message);
        self.streams.connections[at].coming.push_back((from, message));
        let lane = self.stream_lane("segments", peer);
        let pieces = cut(lane, bytes);
        let mut due = arrives - now;
        for piece in pieces {
            self.after(
                due,
                Event::Segment {
                    connection: at,
                    bytes: piece,
                },
            );
            due += self.stream_lane("segments", peer).below(2);
        }
        let connection = &mut self.streams.connections[at];
        connection.arrives_here = connection.arrives_here.max(now + due);
    }

    /// A peer opens a connection: a phone for a request of its own, and whoever finds the one that its response belongs on closed
    /// (RFC 3261 §18.2.2), but not all do.
    fn open_to_house(&mut self, call: usize, from: Node, message: &Message, path: &Path) -> Option<usize> {
        let peer = match (self.trunk_at(path.remote), from) {
            (Some(trunk), _) => Peer::Trunk(trunk),
            (None, Node::Phone(at)) => Peer::Phone(at),
            (None, _) => return None,
        };
        let host = path.remote.ip();
        if matches!(peer, Peer::Trunk(at) if self.scenario.trunks[at].is_away(self.now).is_some()) {
            return None;
        }
        let is_admitted = self.streams.admitted.contains(&host) || matches!(peer, Peer::Phone(_));
        if !self.house.up || !is_admitted || !message.is_request() && self.lane("reopens", call).chance(300) {
            return None;
        }
        let remote = (host, self.next_port()).into();
        let local = (HOUSE.0, path.transport.default_port()).into();
        let transport = path.transport;
        Some(self.open(
            Path {
                transport,
                local,
                remote,
            },
            peer,
            None,
        ))
    }

    /// Bytes have come.
    pub(crate) fn segment(&mut self, at: usize, bytes: &[u8]) {
        let now = self.now;
        let connection = &mut self.streams.connections[at];
        if !connection.is_open || matches!(connection.trouble, Some(Trouble::HalfOpen)) {
            return;
        }
        connection.heard_at = now;
        connection.framing.feed(bytes);
        loop {
            let connection = &mut self.streams.connections[at];
            match connection.framing.poll() {
                Ok(None) => return,
                Ok(Some(Frame::Ping)) => {}
                Ok(Some(Frame::Message(framed))) => {
                    let Some((from, message)) = connection.coming.pop_front() else {
                        return self
                            .watch
                            .fail("a stream is cut where its messages end", || "one too many".to_owned());
                    };
                    let (_, sent) = self.on_the_wire(from, &message);
                    if sent != framed {
                        self.watch.fail("a stream is cut where its messages end", || {
                            format!("{} at {now} ms", message.label())
                        });
                    }
                    self.house_hears(from, message);
                }
                Err(_) if connection.trouble == Some(Trouble::Garbled) => return self.is_closed(at),
                Err(why) => {
                    return self
                        .watch
                        .fail("a stream is cut where its messages end", || why.to_string());
                }
            }
        }
    }

    /// What we wrote is read.
    pub(crate) fn arrive_there(&mut self, at: usize, call: usize, message: &Rc<Message>) {
        let connection = &self.streams.connections[at];
        if !connection.is_open {
            return;
        }
        if matches!(connection.trouble, Some(Trouble::HalfOpen | Trouble::Unread)) {
            return self.is_not_read(at, || format!("{} of call {}", message.label(), call + 1));
        }
        let to = match connection.peer {
            Peer::Trunk(_) => self.behind_trunk(call, message),
            Peer::Phone(at) => Node::Phone(at),
        };
        self.ladder.message(self.now, Node::House, to, Some(self.now), message);
        self.deliver(Node::House, to, message.clone());
    }
}

/// In one piece, in two, or byte by byte; with a keep-alive before it, now and then.
fn cut(lane: &mut Lane, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
    match lane.below(32) {
        16.. => {
            let tail = bytes.split_off(lane.below(bytes.len() as u64) as usize);
            vec![bytes, tail]
        }
        15 => bytes.into_iter().map(|byte| vec![byte]).collect(),
        14 => vec![b"\r\n\r\n".to_vec(), bytes],
        _ => vec![bytes],
    }
}
