//! Which way a request takes: to where its peer wants it, within its trunk's reach, else to the trunk itself.
//!
//! A CANCEL goes the way of its INVITE, whatever has become of names since (RFC 3261 §9.1). Requests inside a dialog go where
//! the peer's Route or Contact says, if its trunk may send us there and we get there; a phone that named a place which we do not go to
//! has to get its BYE all the same, and its trunk knows the way. Names and connections are made outside: a request that waits
//! for one holds up the requests of its own call behind it, and nobody else, and not for long.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use call::{Local, Silence};
use sip::{Destination, Method, Moment, Outgoing, Path, Transport, Tx, uri};

use crate::{
    journal::CallKey,
    output::{Event, NotThere, Output},
    place::ip_of,
    switch::{Switch, Wake},
    window::T1_TO_WAIT,
};

/// How many hosts one call's requests may go to and still be heard from: its phone, its forks, a proxy or two.
const PLACES: usize = 8;
/// How many requests of one call wait; what is beyond could not be sent.
const HELD: usize = 32;
/// Names that are remembered at most.
const NAMES: usize = 1024;
/// How old what is known of a name may be before it is looked up anew; it is used meanwhile.
const STALE: Duration = Duration::from_secs(30);

/// One address of a name, and which of our own addresses it would see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub remote: IpAddr,
    /// Nothing when the system knows no way there.
    pub local: Option<IpAddr>,
}

/// A request of a call that is about to leave, or one that has left in an earlier process.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    outgoing: Outgoing,
    leaves: bool,
}

impl Held {
    /// Whether an INVITE leaves with it.
    fn is_invite(&self) -> bool {
        self.leaves && self.outgoing.tx.method == Method::Invite
    }
}

/// What is known of ways, and who waits for one.
#[derive(Default)]
pub(crate) struct Ways {
    names: BTreeMap<String, Name>,
    connections: BTreeMap<(Transport, SocketAddr), Connection>,
    wanted: u64,
    /// Whose requests are out.
    requests: BTreeMap<Tx, CallKey>,
    waiting: BTreeSet<CallKey>,
}

struct Name {
    addresses: Vec<Found>,
    /// When that was; nothing before the first word.
    at: Option<Moment>,
    is_asked: bool,
}

enum Connection {
    Wanted {
        number: u64,
    },
    Open(Path),
    /// It failed in the turn of this moment.
    Failed(Moment),
}

/// Where a request can go now.
pub(crate) enum Way {
    Open(Path),
    /// A name or a connection has to come first, and is waited for as long.
    Wait(Duration),
    None(NotThere),
}

impl Ways {
    /// A final response has come.
    pub(crate) fn answered(&mut self, tx: &Tx) {
        self.requests.remove(tx);
    }

    /// Whose request will not be answered.
    pub(crate) fn call_of(&mut self, tx: &Tx) -> Option<CallKey> {
        self.requests.remove(tx)
    }
}

impl Switch {
    /// What is known of a name now: none, when nobody has found it.
    pub fn found(&mut self, host: &str, addresses: &[Found]) {
        if let Some(name) = self.ways.names.get_mut(host) {
            name.is_asked = false;
            // Nobody knows it now: what was known is still the best there is.
            if !addresses.is_empty() || name.at.is_none() {
                name.addresses = addresses.to_vec();
            }
            name.at = Some(self.now);
        }
        self.trunks_found(host);
        self.flush_all();
    }

    /// The connection that was wanted under this number is open.
    pub fn connected(&mut self, number: u64, path: Path) {
        let wanted = self.connection(number);
        if let Some(connection) = wanted {
            *connection = Connection::Open(path);
            self.schedule.set(Wake::Way(number), None);
            self.trunks_connected();
            self.flush_all();
        }
    }

    /// It cannot be opened.
    pub fn connect_failed(&mut self, number: u64, why: &str) {
        let now = self.now;
        if let Some(connection) = self.connection(number) {
            *connection = Connection::Failed(now);
            self.schedule.set(Wake::Way(number), None);
            self.trunk_connection_failed(number, why);
            self.flush_all();
        }
    }

    /// A connection is gone, or a datagram that went this way met nobody.
    pub fn closed(&mut self, path: Path) {
        let connections = &mut self.ways.connections;
        connections.retain(|_, connection| !matches!(connection, Connection::Open(open) if *open == path));
        self.transactions.unreachable(self.now, &path);
        self.transactions_told();
    }

    fn connection(&mut self, number: u64) -> Option<&mut Connection> {
        let wanted = self.ways.connections.values_mut();
        wanted
            .into_iter()
            .find(|connection| matches!(connection, Connection::Wanted { number: wanted } if *wanted == number))
    }

    /// Sends one request of a call, behind those that wait.
    pub(crate) fn send(&mut self, key: CallKey, outgoing: Outgoing) {
        self.hold(key, Held { outgoing, leaves: true });
    }

    /// Takes up an INVITE that an earlier process sent: nothing leaves, what comes back is matched.
    pub(crate) fn resume(&mut self, key: CallKey, invite: Outgoing) {
        let held = Held {
            outgoing: invite,
            leaves: false,
        };
        self.hold(key, held);
    }

    fn hold(&mut self, key: CallKey, held: Held) {
        let Some(live) = self.live.get_mut(&key) else { return };
        if live.held.len() >= HELD {
            let (tx, now) = (held.outgoing.tx, self.now);
            return live.call.handle_silence(&tx, Silence::Unreachable, now);
        }
        live.held.push_back(held);
        self.flush(key);
    }

    /// Sends what waits, as far as it can go now.
    pub(crate) fn flush(&mut self, key: CallKey) {
        loop {
            let Some(live) = self.live.get(&key) else { return };
            let Some(held) = live.held.front().cloned() else { return };
            let is_late = live.held_until.is_some_and(|until| until <= self.now);
            // After a hang-up no INVITE leaves, also none that was ready to (promise 5).
            let is_unwanted = held.is_invite() && live.call.record().wish.is_some();
            let way = if is_unwanted {
                Way::None(NotThere::Unwanted)
            } else {
                self.way(key, &held.outgoing, is_late)
            };
            let way = match way {
                Way::Open(path) if held.is_invite() && !self.windows.enter(&path, &held.outgoing.tx, key) => {
                    if is_late {
                        Way::None(NotThere::NoTurn)
                    } else {
                        Way::Wait(self.settings.timers.t1 * T1_TO_WAIT)
                    }
                }
                way => way,
            };
            match way {
                Way::Open(path) => {
                    self.unhold(key);
                    self.transmit(key, path, held);
                }
                Way::Wait(most) => {
                    self.ways.waiting.insert(key);
                    let until = self.now + most;
                    if let Some(live) = self.live.get_mut(&key) {
                        live.held_until.get_or_insert(until);
                    }
                    return self.schedule_call(key);
                }
                Way::None(why) => {
                    self.unhold(key);
                    let next = self.windows.give_up(key);
                    let now = self.now;
                    if let Some(live) = self.live.get_mut(&key) {
                        live.call.handle_silence(&held.outgoing.tx, Silence::Unreachable, now);
                    }
                    if why != NotThere::Unwanted {
                        self.tell(Event::Unreachable { key, why: Some(why) });
                    }
                    self.take_turn(next);
                }
            }
        }
    }

    /// Something has come back to an INVITE, or nothing will: another one may leave.
    pub(crate) fn leave_window(&mut self, tx: &Tx) {
        let next = self.windows.leave(tx);
        self.take_turn(next);
    }

    fn take_turn(&mut self, next: Option<CallKey>) {
        if let Some(next) = next {
            self.flush(next);
            self.act(next);
        }
    }

    fn unhold(&mut self, key: CallKey) {
        if let Some(live) = self.live.get_mut(&key) {
            live.held.pop_front();
            live.held_until = None;
        }
        self.ways.waiting.remove(&key);
    }

    fn flush_all(&mut self) {
        let waiting: Vec<CallKey> = self.ways.waiting.iter().copied().collect();
        for key in waiting {
            self.flush(key);
            self.act(key);
        }
    }

    fn transmit(&mut self, key: CallKey, path: Path, held: Held) {
        let place = path.remote.ip().to_canonical();
        if let Some(live) = self.live.get_mut(&key)
            && live.places.len() < PLACES
            && !live.places.contains(&place)
        {
            live.places.push(place);
            self.enter(place);
        }
        let is_invite = held.is_invite();
        let Held { outgoing, leaves } = held;
        let (tx, bytes) = (outgoing.tx, outgoing.text.into_bytes());
        if tx.method == Method::Ack {
            return self.put(Output::Transmit(sip::Transmit { path, bytes }));
        }
        self.ways.requests.insert(tx.clone(), key);
        if !leaves {
            return self.transactions.resume(self.now, path, tx, bytes);
        }
        if is_invite {
            self.expect_trunk(key);
        }
        self.transactions.send(self.now, path, tx, bytes);
        self.transmit_due();
    }

    pub(crate) fn stop(&mut self, key: CallKey, tx: &Tx) {
        if let Some(live) = self.live.get_mut(&key) {
            live.held.retain(|held| held.outgoing.tx != *tx);
        }
        self.leave_window(tx);
        self.ways.requests.remove(tx);
        self.transactions.stop(tx);
    }

    /// Where this request of a call goes. `is_late`: it has waited long enough, and goes to its trunk.
    fn way(&mut self, key: CallKey, outgoing: &Outgoing, is_late: bool) -> Way {
        let Some(trunk) = self.live.get(&key).map(|live| live.trunk) else {
            return Way::None(NotThere::NoUri);
        };
        if let Some(path) = outgoing.path {
            let host = self.settings.trunks[trunk].first_hop.host.clone();
            return match self.way_to(path.transport, path.remote, (&host, Some(trunk))) {
                Way::Wait(_) if is_late => Way::None(NotThere::NoConnection(path.remote.to_string())),
                way => way,
            };
        }
        let wanted = match self.wanted(trunk, &outgoing.destination) {
            Ok(None) => return self.way_to_trunk(trunk),
            Ok(Some(wanted)) => self.way_within_reach(trunk, &wanted),
            Err(why) => Way::None(why),
        };
        match wanted {
            Way::Open(path) => Way::Open(path),
            Way::Wait(most) if !is_late => Way::Wait(most),
            Way::Wait(_) => self.way_to_trunk(trunk),
            Way::None(why) => {
                let trunk_name = self.settings.trunks[trunk].name.clone();
                self.tell(Event::Redirected { trunk: trunk_name, why });
                self.way_to_trunk(trunk)
            }
        }
    }

    /// Where a peer wants it; nothing when that is the trunk itself.
    fn wanted(&self, trunk: usize, uri: &str) -> Result<Option<Destination>, NotThere> {
        let first_hop = &self.settings.trunks[trunk].first_hop;
        let place = Destination::parse(uri).map_err(|_| NotThere::NoUri)?;
        if place == *first_hop {
            return Ok(None);
        }
        // What was agreed on over TLS is not told in clear: passwords' digests, keys for the sound.
        if first_hop.transport == Transport::Tls && place.transport != Transport::Tls {
            return Err(NotThere::InClear(place.host));
        }
        Ok(Some(place))
    }

    fn way_within_reach(&mut self, trunk: usize, place: &Destination) -> Way {
        let addresses = match place.ip() {
            Some(ip) => vec![ip],
            None => match self.addresses(&place.host) {
                Some(found) => found.iter().map(|found| found.remote).collect(),
                // No longer than its peer waits to hear more: the trunk knows the way, too.
                None => return Way::Wait(self.settings.timers.t1),
            },
        };
        if addresses.is_empty() {
            return Way::None(NotThere::NotFound(place.host.clone()));
        }
        let reach = &self.trunks[trunk].reach;
        let permitted: Vec<IpAddr> = addresses.into_iter().filter(|ip| reach.permits(*ip)).collect();
        if permitted.is_empty() {
            return Way::None(NotThere::BeyondReach(place.host.clone()));
        }
        self.first_way(place, &permitted, None)
    }

    /// To the trunk's first hop.
    pub(crate) fn way_to_trunk(&mut self, trunk: usize) -> Way {
        let place = self.settings.trunks[trunk].first_hop.clone();
        let addresses: Vec<IpAddr> = self.trunks[trunk].addresses.iter().map(|found| found.remote).collect();
        if addresses.is_empty() {
            return Way::None(NotThere::NotFound(place.host));
        }
        self.first_way(&place, &addresses, Some(trunk))
    }

    fn first_way(&mut self, place: &Destination, addresses: &[IpAddr], trunk: Option<usize>) -> Way {
        let mut why = NotThere::NoListener(place.host.clone());
        for address in addresses {
            match self.way_to(place.transport, (*address, place.port).into(), (&place.host, trunk)) {
                Way::None(not_there) => why = not_there,
                way => return way,
            }
        }
        Way::None(why)
    }

    /// To one address: from the first listener of its family, or down its connection.
    fn way_to(&mut self, transport: Transport, remote: SocketAddr, (host, trunk): (&str, Option<usize>)) -> Way {
        if transport == Transport::Udp {
            return match self.listener_towards(transport, remote.ip()) {
                Some(local) => Way::Open(Path {
                    transport,
                    local,
                    remote,
                }),
                None => Way::None(NotThere::NoListener(remote.ip().to_string())),
            };
        }
        match self.ways.connections.get(&(transport, remote)) {
            Some(Connection::Open(path)) => return Way::Open(*path),
            Some(Connection::Wanted { .. }) => return Way::Wait(self.settings.connect_limit),
            Some(Connection::Failed(at)) if *at == self.now => {
                return Way::None(NotThere::NoConnection(remote.to_string()));
            }
            Some(Connection::Failed(_)) | None => {}
        }
        self.ways.wanted += 1;
        let number = self.ways.wanted;
        let wanted = Connection::Wanted { number };
        self.ways.connections.insert((transport, remote), wanted);
        self.schedule
            .set(Wake::Way(number), Some(self.now + self.settings.connect_limit));
        self.put(Output::Connect {
            number,
            transport,
            remote,
            host: host.to_owned(),
            trunk,
        });
        Way::Wait(self.settings.connect_limit)
    }

    /// A connection that takes too long is none.
    pub(crate) fn way_timed_out(&mut self, number: u64) {
        self.connect_failed(number, "it takes too long");
    }

    fn listener_towards(&self, transport: Transport, peer: IpAddr) -> Option<SocketAddr> {
        let listeners = self.settings.listeners.iter();
        let mut addresses = listeners
            .filter(|listener| listener.transport == transport)
            .map(|listener| listener.address);
        addresses.find(|address| address.is_ipv4() == peer.is_ipv4())
    }

    /// What is known of a name, however old; nothing when it is being asked for the first time.
    pub(crate) fn addresses(&mut self, host: &str) -> Option<Vec<Found>> {
        let now = self.now;
        if !self.ways.names.contains_key(host) && self.ways.names.len() >= NAMES {
            // Whose addresses nobody needs now is looked up again when somebody does.
            let trunks = &self.settings.trunks;
            self.ways
                .names
                .retain(|name, _| trunks.iter().any(|trunk| trunk.first_hop.host == *name));
        }
        let name = self.ways.names.entry(host.to_owned()).or_insert(Name {
            addresses: Vec::new(),
            at: None,
            is_asked: false,
        });
        let is_fresh = name.at.is_some_and(|at| now.since(at) < STALE);
        let known = name.at.map(|_| name.addresses.clone());
        if !is_fresh && !std::mem::replace(&mut name.is_asked, true) {
            self.put(Output::Resolve(host.to_owned()));
        }
        known
    }

    /// The path that a trunk's INVITE takes, as far as it is known before it leaves: of a stream without our own end.
    pub(crate) fn way_of(&self, trunk: usize) -> Option<Path> {
        let transport = self.settings.trunks[trunk].first_hop.transport;
        let port = self.settings.trunks[trunk].first_hop.port;
        let mut addresses = self.trunks[trunk].addresses.iter().map(|found| found.remote);
        if transport == Transport::Udp {
            return addresses.find_map(|remote| {
                let local = self.listener_towards(transport, remote)?;
                Some(Path {
                    transport,
                    local,
                    remote: (remote, port).into(),
                })
            });
        }
        let remote = addresses.next()?;
        let own: IpAddr = if remote.is_ipv4() {
            std::net::Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        Some(Path {
            transport,
            local: (own, 0).into(),
            remote: (remote, port).into(),
        })
    }

    /// What goes into Via and Contact of requests that leave by this trunk; nothing while we do not know where it is.
    pub(crate) fn local(&self, trunk: usize) -> Option<Local> {
        let transport = self.settings.trunks[trunk].first_hop.transport;
        let sent_by = self.trunks[trunk]
            .addresses
            .iter()
            .find_map(|found| self.sent_by(transport, *found))?;
        let contact = format!("sip:onhook@{sent_by}");
        Some(Local {
            via: format!("{} {sent_by}", transport.sent_protocol()),
            contact: uri::with_transport(&contact, transport.as_str()),
            transport: transport.as_str().to_owned(),
        })
    }

    /// Our own address towards this trunk.
    pub(crate) fn local_ip(&self, trunk: usize) -> Option<IpAddr> {
        self.local(trunk).as_ref().and_then(ip_of)
    }

    /// Host and port to give to a peer for what it sends us by `transport`. Without a `tls:` listener the port is left
    /// out: such a peer has to send down the connection that we opened (RFC 5923), which registrars and SBCs do.
    fn sent_by(&self, transport: Transport, peer: Found) -> Option<String> {
        let (address, port) = match self.listener_towards(transport, peer.remote) {
            Some(listener) => (listener.ip(), Some(listener.port())),
            None if transport == Transport::Tls => {
                let mut listeners = self.settings.listeners.iter().map(|listener| listener.address.ip());
                (listeners.find(|ip| ip.is_ipv4() == peer.remote.is_ipv4())?, None)
            }
            None => return None,
        };
        let host = match self.settings.external_address {
            Some(external) => external,
            None if address.is_unspecified() => peer.local?,
            None => address,
        };
        Some(match (host, port) {
            (IpAddr::V6(host), Some(port)) => format!("[{host}]:{port}"),
            (IpAddr::V6(host), None) => format!("[{host}]"),
            (IpAddr::V4(host), Some(port)) => format!("{host}:{port}"),
            (IpAddr::V4(host), None) => host.to_string(),
        })
    }
}
