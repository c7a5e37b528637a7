//! What is between us and the peers: datagrams are lost, late, doubled, and overtake one another, each by its own call's lane.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sip::{Method, Path, Transport};

use crate::{
    message::{At, INSIDE, MOVED, Message, Node, address, trunk_address},
    scenario::{Hand, Millis, T1, T2, TRANSACTION},
    wire,
    world::{Event, World},
};

/// Whose message is repeated, and so what its end means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A phone's 2xx, until it is ACKed.
    PhoneAnswer { at: At, leg: usize },
    /// A refusal, until it is ACKed (timers G and H).
    Refusal,
    /// A request of a phone.
    PhoneClient { at: At, leg: usize },
}

/// A message of a peer that is sent again until something stops it.
pub(crate) struct Repeat {
    from: Node,
    to: Node,
    message: Rc<Message>,
    interval: Millis,
    longest: Millis,
    until: Millis,
    pub(crate) purpose: Purpose,
    pub(crate) alive: bool,
    /// Over a stream only a 2xx is sent again (RFC 3261 §13.3.1.4, §17.2.1).
    pub(crate) leaves: bool,
}

impl Repeat {
    pub(crate) fn from(&self) -> Node {
        self.from
    }

    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    /// What is sent now, and how long until the next time; nothing when it has been sent long enough.
    pub(crate) fn once_more(&mut self, now: Millis) -> Option<(Millis, Node, Node, Rc<Message>)> {
        if now >= self.until {
            return None;
        }
        self.leaves = self.message.is_answer() || !self.message.is_by_stream();
        self.interval = (self.interval * 2).min(self.longest);
        let wait = self.interval.min(self.until - now);
        Some((wait, self.from, self.to, self.message.clone()))
    }
}

impl World {
    /// One datagram.
    pub(crate) fn send(&mut self, from: Node, to: Node, message: &Rc<Message>) {
        let network = self.scenario.network(self.now);
        let (call, lost, lane) = match (from.call(), to.call()) {
            (None, Some(call)) => (call, network.lost_out, "lost-out"),
            (Some(call), None) => (call, network.lost_back, "lost-back"),
            (Some(call), Some(_)) => return self.send_within(call, from, to, message),
            (None, None) => return,
        };
        if to == Node::House && !message.path.is_some_and(|path| self.is_away(&path)) {
            self.add_mismatch(from, call, message);
            self.add_junk(from, call, message);
        }
        if let (Node::House, Some(path)) = (to, message.path)
            && path.transport.is_stream()
        {
            return self.write_to_house(call, from, message, &path);
        }
        let is_away = message.path.is_some_and(|path| self.is_away(&path));
        if is_away || lost > 0 && self.lane(lane, call).chance(lost) {
            self.ladder.message(self.now, from, to, None, message);
            return;
        }
        let is_doubled = network.twice > 0 && self.lane("doubled", call).chance(network.twice);
        for _ in 0..1 + u64::from(is_doubled) {
            let mut delay = 1 + self.delay(call);
            if network.late > 0 && self.lane("late", call).chance(network.late) {
                delay += self.lane("late", call).below(1000);
            }
            self.arrive(from, to, delay, message);
        }
    }

    /// Between proxies and phones, as over a stream: nothing is lost or overtaken.
    fn send_within(&mut self, call: usize, from: Node, to: Node, message: &Rc<Message>) {
        let due = self.now + 1 + self.delay(call);
        let arrivals = &mut self.parties[call].arrivals;
        let due = match arrivals.iter_mut().find(|way| (way.0, way.1) == (from, to)) {
            Some((_, _, last)) => {
                *last = due.max(*last);
                *last
            }
            None => {
                arrivals.push((from, to, due));
                due
            }
        };
        self.arrive(from, to, due - self.now, message);
    }

    pub(crate) fn delay(&mut self, call: usize) -> Millis {
        match self.scenario.network(self.now).delay {
            ..=1 => 0,
            most => self.lane("delay", call).below(most),
        }
    }

    fn arrive(&mut self, from: Node, to: Node, delay: Millis, message: &Rc<Message>) {
        self.ladder.message(self.now, from, to, Some(self.now + delay), message);
        let message = message.clone();
        self.after(delay, Event::Arrive { from, to, message });
    }

    /// Sends, and sends again after T1, 2·T1 and so on, but no longer than a transaction lasts. INVITE alone doubles
    /// without end (RFC 3261 §17.1.1.2).
    pub(crate) fn send_repeatedly(&mut self, from: Node, to: Node, message: Rc<Message>, purpose: Purpose) -> usize {
        self.send(from, to, &message);
        let call = from.call().unwrap_or(0);
        let is_invite = message.is_request() && message.method == Method::Invite;
        let repeats = &mut self.parties[call].repeats;
        repeats.push(Repeat {
            from,
            to,
            message,
            interval: T1,
            longest: if is_invite { Millis::MAX } else { T2 },
            until: self.now + TRANSACTION,
            purpose,
            alive: true,
            leaves: true,
        });
        let repeat = repeats.len() - 1;
        self.after(T1, Event::Repeat(call, repeat));
        repeat
    }

    /// The bytes of a peer's message, and the way they come.
    pub(crate) fn on_the_wire(&self, from: Node, message: &Message) -> (Path, Vec<u8>) {
        let hand = match from {
            Node::Phone(at) => self.script(at).hand,
            Node::Proxy(_) | Node::Behind(_) | Node::House => Hand::Plain,
        };
        let own = match from {
            Node::Phone(at) => self.address(at, Transport::Udp),
            Node::Proxy(_) | Node::Behind(_) | Node::House => wire::house(),
        };
        let path = message.path.unwrap_or(Path {
            transport: Transport::Udp,
            local: wire::house(),
            remote: own,
        });
        (path, wire::print(message, hand, &path))
    }

    /// Whether this way leads to a trunk where nobody is now.
    pub(crate) fn is_away(&self, path: &Path) -> bool {
        let trunk = self.trunk_at(path.remote);
        trunk.is_some_and(|trunk| self.scenario.trunks[trunk].is_away(self.now).is_some())
    }

    /// Who gets what leaves this way; nobody, when nobody is there.
    pub(crate) fn receiver(&self, path: &Path, call: usize, message: &Message) -> Option<Node> {
        if self.trunk_at(path.remote).is_some() {
            return Some(self.behind_trunk(call, message));
        }
        self.phone_at(path.remote).map(Node::Phone)
    }

    /// Who gets what comes to a call's trunk: a proxy, or the phone that it passes it on to, or the one phone that there is.
    pub(crate) fn behind_trunk(&self, call: usize, message: &Message) -> Node {
        if self.scenario.calls[call].proxy.is_none() {
            return Node::Phone(At { call, phone: 0 });
        }
        let is_its_own = message.method == Method::Cancel || self.parties[call].proxy.has_forked(&message.branch);
        let tag = message.to_tag().filter(|_| !is_its_own && message.is_request());
        let phones = self.parties[call].phones.iter();
        let mut phones = phones.enumerate().filter(|(_, phone)| phone.has_tag(tag));
        match phones.next() {
            Some((phone, _)) => Node::Phone(At { call, phone }),
            None => Node::Proxy(call),
        }
    }

    /// Whose address this is.
    pub(crate) fn phone_at(&self, address: SocketAddr) -> Option<At> {
        let SocketAddr::V4(v4) = address else { return None };
        let [_, _, name, phone] = v4.ip().octets();
        let call = self.call_named(name.into())?;
        let phone = usize::from(phone).checked_sub(1)?;
        let is_own = |transport| self::address(name.into(), phone, transport) == address;
        let is_own = is_own(Transport::Udp) || is_own(Transport::Tls);
        let phone = phone % MOVED;
        (is_own && phone < self.parties[call].phones.len()).then_some(At { call, phone })
    }

    /// Whose address this is.
    pub(crate) fn trunk_at(&self, address: SocketAddr) -> Option<usize> {
        let mut trunks = self.scenario.trunks.iter();
        // The one where it is, and the one where its name leads to later.
        trunks.position(|trunk| {
            let at = |number| trunk_address(number, trunk.transport) == address;
            at(trunk.number) || at(trunk.number + 100)
        })
    }

    /// Whose host this is, whatever the port.
    pub(crate) fn trunk_from(&self, host: IpAddr) -> Option<usize> {
        let mut trunks = self.scenario.trunks.iter();
        trunks.position(|trunk| {
            let at = |number| trunk_address(number, trunk.transport).ip() == host;
            at(trunk.number) || at(trunk.number + 100)
        })
    }

    pub(crate) fn address(&self, at: At, transport: Transport) -> SocketAddr {
        address(self.scenario.calls[at.call].name, at.phone, transport)
    }

    /// A phone's Contact: what is inside a dialog goes to the phone itself, as its call has come or by another transport.
    pub(crate) fn contact(&self, at: At, transport: Transport) -> Rc<str> {
        let script = self.script(at);
        let transport = match (script.contact_by_other, transport) {
            (false, transport) => transport,
            (true, Transport::Udp) => Transport::Tcp,
            (true, Transport::Tcp | Transport::Tls) => Transport::Udp,
        };
        if let Some(elsewhere) = script.elsewhere {
            return self.contact_elsewhere(at, elsewhere).into();
        }
        let parameter = match transport {
            Transport::Udp => String::new(),
            transport => format!(";transport={transport}"),
        };
        let address = self.address(at, transport);
        let host = match script.named {
            _ if script.is_inside => format!("{INSIDE}:{}", address.port()),
            Some(_) => format!("{}:{}", self.host_of_phone(at), address.port()),
            None => address.to_string(),
        };
        format!("sip:{}@{host}{parameter}", at.phone).into()
    }
}
