//! Connections, as the shell's room for them (`onhook/src/net/streams`) presents them to the switch: one that is wanted comes about or
//! does not; what comes is cut into messages by the `Framing` that ships; one that is gone is closed once. And what a peer and a network
//! can do to them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sip::{Frame, Framing, Path, StreamBounds, Transport};

use crate::{
    house::Input,
    lanes::{Lane, LaneName},
    message::{At, HOUSE, Message, Node},
    scenario::Millis,
    world::{Event, World},
};

/// How long a dial may take.
const DIAL: Millis = 4000;
/// The kernel ends a connection on which nothing of ours was taken for so long.
const STALLED: Millis = 10_000;
/// And we one on which nothing came for so long.
const IDLE: Millis = 300_000;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Trunk(usize),
    Phone(At),
}

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
}

/// All connections of a run, and who may open some.
#[derive(Default)]
pub(crate) struct Streams {
    connections: Vec<Connection>,
    open: BTreeMap<(SocketAddr, SocketAddr), usize>,
    /// What the switch wants and has not heard of.
    dialling: BTreeMap<u64, Peer>,
    admitted: BTreeSet<IpAddr>,
    /// How many have had a fault, by whose they are.
    troubles: BTreeMap<Peer, u64>,
}

struct Connection {
    path: Path,
    peer: Peer,
    framing: Framing,
    /// What the peer has sent and we have not read.
    coming: VecDeque<(Node, Rc<Message>)>,
    /// When the last of what is under way arrives, here and there.
    arrives_here: Millis,
    arrives_there: Millis,
    heard_at: Millis,
    trouble: Option<Trouble>,
    /// Messages that the peer does not read.
    unread: usize,
    is_open: bool,
}

impl Streams {
    pub(crate) fn admit(&mut self, host: IpAddr) {
        self.admitted.insert(host);
    }

    pub(crate) fn dismiss(&mut self, host: IpAddr) {
        self.admitted.remove(&host);
    }

    /// The process is gone, and with it all that it had open.
    pub(crate) fn crashed(&mut self) {
        for connection in &mut self.connections {
            connection.is_open = false;
        }
        self.open.clear();
        self.dialling.clear();
        self.admitted.clear();
    }

    /// The switch has been told what became of it.
    pub(crate) fn is_told(&mut self, number: u64) {
        self.dialling.remove(&number);
    }

    /// Whether a connection there is wanted and not there yet.
    pub(crate) fn is_dialling(&self, is_it: impl Fn(Peer) -> bool) -> bool {
        self.dialling.values().any(|peer| is_it(*peer))
    }

    /// Those that are open to this trunk.
    pub(crate) fn of_trunk(&self, trunk: usize) -> Vec<usize> {
        let open = self.open.values().copied();
        open.filter(|at| self.connections[*at].peer == Peer::Trunk(trunk))
            .collect()
    }

    fn at(&self, path: &Path) -> Option<usize> {
        self.open.get(&(path.local, path.remote)).copied()
    }
}

impl World {
    // What the switch wants.

    pub(crate) fn dial(&mut self, number: u64, transport: Transport, remote: SocketAddr, trunk: Option<usize>) {
        // We have no way to the other family, and are told so at once.
        let is_nowhere = remote.is_ipv6();
        let (at_trunk, at_phone) = match remote.ip() {
            IpAddr::V4(_) => (self.trunk_at(remote), self.phone_at(remote)),
            IpAddr::V6(_) => (trunk, self.phone_of_other_family(remote.ip())),
        };
        let peer = match (at_trunk, at_phone) {
            (Some(at), _) => Peer::Trunk(at),
            (None, Some(at)) => Peer::Phone(at),
            (None, None) => {
                return self
                    .watch
                    .fail("nothing goes where nobody is", || format!("a connection to {remote}"));
            }
        };
        if trunk.is_some() != matches!(peer, Peer::Trunk(_)) {
            self.watch.fail("a connection is verified for whose it is", || {
                format!("to {peer:?} by the settings of {trunk:?}")
            });
        }
        self.streams.dialling.insert(number, peer);
        let trouble = match peer {
            _ if is_nowhere => Some(Trouble::Refused),
            Peer::Trunk(at) if self.scenario.trunks[at].is_away(self.now).is_some() => {
                let refuses = self.scenario.trunks[at].refuses;
                Some(if refuses { Trouble::Refused } else { Trouble::Unanswered })
            }
            _ => self.next_trouble(peer),
        };
        let wait = match trouble {
            Some(Trouble::Unanswered) => DIAL,
            _ => 1 + self.stream_lane("dials", peer).wait(&[3, 100, 3000]),
        };
        self.ladder.note(self.now, || {
            format!("connection {number} to {peer:?} is wanted: {trouble:?}")
        });
        let incarnation = self.house.incarnation;
        self.after(
            wait,
            Event::Dialled {
                incarnation,
                number,
                transport,
                remote,
                trouble,
            },
        );
    }

    pub(crate) fn dialled(&mut self, number: u64, transport: Transport, remote: SocketAddr, trouble: Option<Trouble>) {
        let Some(peer) = self.streams.dialling.get(&number).copied() else {
            return;
        };
        if matches!(trouble, Some(Trouble::Refused | Trouble::Unanswered)) {
            self.way_is_broken(peer);
            let why = format!("{remote}: {trouble:?}");
            return self.hand_over(Input::ConnectFailed(number, why));
        }
        let local = (HOUSE.0, self.next_port()).into();
        let path = Path {
            transport,
            local,
            remote,
        };
        self.open(path, peer, trouble);
        self.hand_over(Input::Connected(number, path));
    }

    /// Closes it from our side.
    pub(crate) fn close(&mut self, path: &Path) {
        if let Some(connection) = self.streams.at(path) {
            self.is_closed(connection);
        }
    }

    /// What we write goes into the connection that this way is, if it is open.
    pub(crate) fn write_to_peer(&mut self, path: &Path, call: usize, message: &Rc<Message>) {
        let Some(at) = self.streams.at(path) else {
            return self
                .ladder
                .note(self.now, || format!("no connection {path} for {}", message.label()));
        };
        let delay = 1 + self.delay(call);
        let (now, queue) = (self.now, self.scenario.bounds.queue);
        let connection = &mut self.streams.connections[at];
        match connection.trouble {
            Some(Trouble::HalfOpen | Trouble::Unread) => {
                if connection.trouble == Some(Trouble::Unread) && connection.unread >= queue {
                    return self.is_closed(at);
                }
                self.is_not_read(at, || format!("{} of call {}", message.label(), call + 1));
            }
            _ => {
                let arrives = connection.arrives_there.max(now + delay);
                connection.arrives_there = arrives;
                let message = message.clone();
                self.after(
                    arrives - now,
                    Event::ArriveThere {
                        connection: at,
                        call,
                        message,
                    },
                );
            }
        }
    }

    /// Whether a trunk's own request, or its answer, passes through this connection now.
    pub(crate) fn passes(&mut self, path: &Path) -> bool {
        let Some(at) = self.streams.at(path) else { return false };
        let passes = !matches!(
            self.streams.connections[at].trouble,
            Some(Trouble::HalfOpen | Trouble::Unread)
        );
        if !passes {
            self.is_not_read(at, || "what a trunk is asked".to_owned());
        }
        passes
    }

    // What peers do.

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
        if connection.trouble == Some(Trouble::HalfOpen) {
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

    /// The peer's system does not take it, and the connection ends when that has lasted.
    fn is_not_read(&mut self, at: usize, what: impl FnOnce() -> String) {
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

    fn is_closed(&mut self, at: usize) {
        let connection = &mut self.streams.connections[at];
        connection.is_open = false;
        let (path, peer) = (connection.path, connection.peer);
        self.streams.open.remove(&(path.local, path.remote));
        self.way_is_broken(peer);
        self.ladder.note(self.now, || format!("{path} is closed"));
        self.hand_over(Input::Closed(path));
    }

    fn open(&mut self, path: Path, peer: Peer, trouble: Option<Trouble>) -> usize {
        let at = self.streams.connections.len();
        self.streams.connections.push(Connection {
            path,
            peer,
            framing: Framing::new(StreamBounds {
                message: switch::LONGEST_MESSAGE,
                ..StreamBounds::default()
            }),
            coming: VecDeque::new(),
            arrives_here: 0,
            arrives_there: 0,
            heard_at: self.now,
            trouble: None,
            unread: 0,
            is_open: true,
        });
        self.streams.open.insert((path.local, path.remote), at);
        self.after(IDLE, Event::Idle(at));
        if let Some(trouble) = trouble {
            let wait = self.stream_lane("troubles", peer).wait(&[100, 3000, 20_000, 1]);
            self.after(wait, Event::Trouble(at, trouble));
        }
        at
    }

    /// What becomes of the next connection there; only so many of one peer have a fault.
    fn next_trouble(&mut self, peer: Peer) -> Option<Trouble> {
        let odds = self.scenario.stream_troubles;
        let had = self.streams.troubles.get(&peer).copied().unwrap_or(0);
        if odds == 0 || self.scenario.is_calm(self.now) || had >= 3 || !self.stream_lane("troubles", peer).chance(odds)
        {
            return None;
        }
        *self.streams.troubles.entry(peer).or_default() += 1;
        Some(self.stream_lane("troubles", peer).pick(&[
            Trouble::Closed,
            Trouble::Refused,
            Trouble::Unanswered,
            Trouble::Reset,
            Trouble::HalfOpen,
            Trouble::Unread,
        ]))
    }

    fn stream_lane(&mut self, what: &'static str, peer: Peer) -> &mut Lane {
        self.lanes.lane(match peer {
            Peer::Trunk(trunk) => LaneName::phone(what, self.scenario.trunks[trunk].number, 0),
            Peer::Phone(at) => LaneName::phone(what, self.scenario.calls[at.call].name, at.phone as u32 + 1),
        })
    }

    fn next_port(&self) -> u16 {
        20_000 + self.streams.connections.len() as u16
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
