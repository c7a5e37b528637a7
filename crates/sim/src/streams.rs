//! Connections, as the shell's room for them (`onhook/src/net/streams`) presents them to the switch: one that is wanted comes about or
//! does not; what comes is cut into messages by the `Framing` that ships; one that is gone is closed once. And what a peer and a network
//! can do to them.

mod peers;
mod trouble;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sip::{Framing, Method, Path, StreamBounds, Transport};

use crate::{
    house::Input,
    lanes::{Lane, LaneName},
    message::{At, HOUSE, Message, Node},
    scenario::Millis,
    watch::Situation,
    world::{Event, World},
};
pub(crate) use trouble::Trouble;

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

    pub(crate) fn is_open(&self, path: &Path) -> bool {
        self.at(path).is_some()
    }

    fn at(&self, path: &Path) -> Option<usize> {
        self.open.get(&(path.local, path.remote)).copied()
    }
}

impl World {
    // What the switch wants.

    pub(crate) fn dial(&mut self, number: u64, transport: Transport, remote: SocketAddr, trunk: Option<usize>) {
        self.check_reach(remote);
        // We have no way to the other family, and are told so at once.
        let is_nowhere = remote.is_ipv6();
        let (at_trunk, at_phone) = match remote.ip() {
            IpAddr::V4(_) => (self.trunk_at(remote), self.phone_at(remote)),
            IpAddr::V6(ip) => (
                trunk.or(self.trunk_of_other_family(ip)),
                self.phone_of_other_family(remote.ip()),
            ),
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
        // A router may have a trunk's name, and a stray goes by another trunk while its own is nowhere, or elsewhere than before.
        let is_strays = trunk.is_none() && self.watch.does_a_stray_go_by_any();
        if !is_nowhere && !is_strays && trunk.is_some() != matches!(peer, Peer::Trunk(_)) {
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
                    if message.method == Method::Cancel {
                        self.watch.meet(Situation::FullQueueAtCancel);
                    }
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
