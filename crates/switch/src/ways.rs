//! Which way a request takes: to where its peer wants it, within its trunk's reach, else to the trunk itself.
//!
//! A CANCEL goes the way of its INVITE, whatever has become of names since (RFC 3261 §9.1). Requests inside a dialog go where
//! the peer's Route or Contact says, if its trunk may send us there and we get there; a phone that named a place which we do not go to
//! has to get its BYE all the same, and its trunk knows the way. Names and connections are made outside: a request that waits
//! for one holds up the requests of its own call behind it, and nobody else, and not for long.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use sabotage::Fault;
use sip::{Destination, Method, Outgoing, Path, Transport, Tx};

use crate::{
    addresses::{Addresses, Found, NOT_YET, Names},
    journal::CallKey,
    outbox::Waited,
    output::{Event, NoWay, Output},
    switch::{Switch, Wake},
};

/// Connections that are wanted, open, or have just failed, at most.
const CONNECTIONS: usize = 1024;

/// What is known of ways, and who waits for one.
#[derive(Default)]
pub(crate) struct Ways {
    pub(crate) names: Names,
    connections: BTreeMap<Target, Connection>,
    /// How many connections were ever wanted.
    wanted: u64,
    /// Whose requests are out: as many as there are client transactions.
    pub(crate) requests: BTreeMap<Tx, CallKey>,
    /// Calls whose first request waits.
    pub(crate) waiting: BTreeSet<CallKey>,
    /// Calls whose INVITE may take a place in its window now.
    pub(crate) entering: VecDeque<CallKey>,
    pub(crate) is_entering: bool,
}

/// What a connection leads to. A certificate that was checked for one name says nothing of another (RFC 5922 §7.2), so a peer that is
/// called by two names has two connections, also to one address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    transport: Transport,
    remote: SocketAddr,
    verified_for: VerifiedFor,
}

/// Whose certificate the far end has to show, where there is TLS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum VerifiedFor {
    Trunk(usize),
    /// By the host as its URI calls it, in small letters.
    Host(String),
}

enum Connection {
    Wanted {
        number: u64,
    },
    Open(Path),
    /// It failed, and is not tried again for a T1; then it is forgotten.
    Failed {
        number: u64,
        why: String,
    },
}

/// Where a request can go now.
pub(crate) enum Way {
    Open(Path),
    /// A name or a connection has to come first, and is waited for as long.
    Wait(Duration),
    None(NoWay),
}

impl Ways {
    /// A final response has come.
    pub(crate) fn answered(&mut self, tx: &Tx) {
        self.requests.remove(tx);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whose request this is.
    pub(crate) fn owner_of(&self, tx: &Tx) -> Option<CallKey> {
        self.requests.get(tx).copied()
    }

    /// Whose request will not be answered.
    pub(crate) fn call_of(&mut self, tx: &Tx) -> Option<CallKey> {
        self.requests.remove(tx)
    }
}

impl Switch {
    /// The connection that was wanted under this number is open. One that comes too late is not: whoever waited has been told so.
    pub fn connected(&mut self, number: u64, path: Path) {
        let Some((target, connection)) = self.connection(number) else {
            return self.put(Output::Close(path));
        };
        *connection = Connection::Open(path);
        if let VerifiedFor::Trunk(trunk) = target.verified_for {
            self.trunks[trunk].failing.remove(&target.remote.ip());
        }
        self.schedule.set(Wake::Connection(number), None);
        self.trunks_connected();
        self.flush_all();
    }

    /// It cannot be opened. `why` begins with where it was to lead.
    pub fn connect_failed(&mut self, number: u64, why: &str) {
        let again = self.now + self.settings.timers.t1;
        if let Some((target, connection)) = self.connection(number) {
            *connection = Connection::Failed {
                number,
                why: why.to_owned(),
            };
            self.schedule.set(Wake::Connection(number), Some(again));
            if let VerifiedFor::Trunk(trunk) = target.verified_for {
                self.trunks[trunk].failing.insert(target.remote.ip());
                self.trunk_connection_failed(trunk, why);
            }
            self.flush_all();
        }
    }

    /// A connection is gone, or a datagram that went this way met nobody.
    pub fn closed(&mut self, path: Path) {
        let connections = &mut self.ways.connections;
        connections.retain(|_, connection| !matches!(connection, Connection::Open(open) if *open == path));
        if !self.is_sabotaged(Fault::LostIsSent) {
            self.transactions.unreachable(self.now, &path);
        }
        self.handle_transaction_events();
    }

    fn connection(&mut self, number: u64) -> Option<(Target, &mut Connection)> {
        let wanted = self.ways.connections.iter_mut();
        wanted
            .map(|(target, connection)| (target.clone(), connection))
            .find(|(_, connection)| matches!(connection, Connection::Wanted { number: wanted } if *wanted == number))
    }

    /// Where this request of a call goes.
    pub(crate) fn way(&mut self, key: CallKey, outgoing: &Outgoing, waited: Waited) -> Way {
        let Some(trunk) = self.live.get(&key).map(|live| live.trunk) else {
            return Way::None(NoWay::NoUri);
        };
        let no_longer = |way| match way {
            Way::Wait(_) if waited != Waited::Nothing => Way::None(NoWay::NoConnection(outgoing.destination.clone())),
            way => way,
        };
        if let Some(path) = outgoing.path {
            let host = self.settings.trunks[trunk].first_hop.host.clone();
            return no_longer(self.way_to(path.transport, path.remote, (&host, Some(trunk))));
        }
        let wanted = match self.wanted(trunk, &outgoing.destination) {
            Ok(None) => return no_longer(self.way_to_trunk(trunk)),
            Ok(Some(_)) if waited == Waited::ForTrunk => return no_longer(self.way_to_trunk(trunk)),
            Ok(Some(wanted)) => self.way_within_reach(trunk, &wanted, &outgoing.tx.method),
            Err(why) => Way::None(why),
        };
        match wanted {
            Way::Open(path) => Way::Open(path),
            Way::Wait(most) if waited == Waited::Nothing => Way::Wait(most),
            Way::Wait(_) => self.way_to_trunk(trunk),
            Way::None(why) => {
                let trunk_name = self.settings.trunks[trunk].name.clone();
                self.tell(Event::Redirected { trunk: trunk_name, why });
                match waited {
                    Waited::ForTrunk => no_longer(self.way_to_trunk(trunk)),
                    Waited::Nothing | Waited::ForDestination => self.way_to_trunk(trunk),
                }
            }
        }
    }

    /// Where a peer wants it; nothing when that is the trunk itself.
    fn wanted(&self, trunk: usize, uri: &str) -> Result<Option<Destination>, NoWay> {
        let first_hop = &self.settings.trunks[trunk].first_hop;
        let destination = Destination::parse(uri).map_err(|_| NoWay::NoUri)?;
        if destination == *first_hop {
            return Ok(None);
        }
        // What was agreed on over TLS is not told in clear: passwords' digests, keys for the sound.
        if first_hop.transport == Transport::Tls && destination.transport != Transport::Tls {
            return Err(NoWay::InClear(destination.host));
        }
        Ok(Some(destination))
    }

    fn way_within_reach(&mut self, trunk: usize, destination: &Destination, method: &Method) -> Way {
        let not_found = |why| NoWay::NotFound {
            host: destination.host.clone(),
            why,
        };
        let addresses: Vec<IpAddr> = match destination.ip() {
            Some(ip) => vec![ip],
            None => match self.addresses(&destination.host) {
                Addresses::Found(found) => found.iter().map(|found| found.remote).collect(),
                Addresses::NotFound(why) => return Way::None(not_found(why)),
                // No longer than its peer waits to hear more: the trunk knows the way, too. All that wait for a name have waited
                // for it since it is being looked up.
                Addresses::BeingLookedUp(since) => {
                    let waited = self.now.since(since);
                    return match self.settings.timers.t1.saturating_sub(waited) {
                        Duration::ZERO => Way::None(not_found(NOT_YET.to_owned())),
                        left => Way::Wait(left),
                    };
                }
            },
        };
        let reach = &self.trunks[trunk].reach;
        let is_ignored = self.is_sabotaged(Fault::ReachIgnored)
            || self.is_sabotaged(Fault::AckFollowsRoute) && *method == Method::Ack;
        let permitted = addresses.into_iter().filter(|ip| reach.permits(*ip) || is_ignored);
        let permitted: Vec<IpAddr> = permitted.collect();
        if permitted.is_empty() {
            return Way::None(NoWay::BeyondReach(destination.host.clone()));
        }
        // What leads to the trunk itself is the trunk's own connection: its certificate names the trunk, whatever the peer says.
        let first_hop = self.settings.trunks[trunk].first_hop.clone();
        let is_trunks = |ip: &IpAddr| self.trunks[trunk].addresses.iter().any(|found| found.remote == *ip);
        if (destination.transport, destination.port) == (first_hop.transport, first_hop.port)
            && permitted.iter().any(is_trunks)
        {
            let own: Vec<IpAddr> = permitted.into_iter().filter(is_trunks).collect();
            return self.first_way(&first_hop, &own, Some(trunk));
        }
        self.first_way(destination, &permitted, None)
    }

    /// To the trunk's first hop.
    pub(crate) fn way_to_trunk(&mut self, trunk: usize) -> Way {
        let destination = self.settings.trunks[trunk].first_hop.clone();
        let reached: Vec<IpAddr> = self.reached(trunk).iter().map(|found| found.remote).collect();
        if !reached.is_empty() {
            return self.first_way(&destination, &reached, Some(trunk));
        }
        match self.addresses(&destination.host) {
            Addresses::BeingLookedUp(_) => Way::Wait(self.settings.connect_limit),
            Addresses::NotFound(why) => Way::None(NoWay::NotFound {
                host: destination.host,
                why,
            }),
            Addresses::Found(_) => Way::None(NoWay::NoListener(destination.host)),
        }
    }

    fn first_way(&mut self, destination: &Destination, addresses: &[IpAddr], trunk: Option<usize>) -> Way {
        let mut why = NoWay::NoListener(destination.host.clone());
        for address in addresses {
            match self.way_to(
                destination.transport,
                (*address, destination.port).into(),
                (&destination.host, trunk),
            ) {
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
                None => Way::None(NoWay::NoListener(remote.ip().to_string())),
            };
        }
        let verified_for = trunk.map_or_else(|| VerifiedFor::Host(host.to_ascii_lowercase()), VerifiedFor::Trunk);
        let target = Target {
            transport,
            remote,
            verified_for,
        };
        let connections = &mut self.ways.connections;
        match connections.get(&target) {
            Some(Connection::Open(path)) => return Way::Open(*path),
            Some(Connection::Wanted { .. }) => return Way::Wait(self.settings.connect_limit),
            Some(Connection::Failed { why, .. }) => return Way::None(NoWay::NoConnection(why.clone())),
            None if connections.len() >= CONNECTIONS => {
                let why = format!("{remote}: {CONNECTIONS} are wanted or open");
                return Way::None(NoWay::NoConnection(why));
            }
            None => {}
        }
        self.ways.wanted += 1;
        let number = self.ways.wanted;
        connections.insert(target, Connection::Wanted { number });
        self.schedule
            .set(Wake::Connection(number), Some(self.now + self.settings.connect_limit));
        self.put(Output::Connect {
            number,
            transport,
            remote,
            host: host.to_owned(),
            trunk: trunk.filter(|_| !self.is_sabotaged(Fault::VerifiedForNobody)),
        });
        Way::Wait(self.settings.connect_limit)
    }

    /// A connection that takes too long is none; one that has failed may be tried again.
    pub(crate) fn connection_timed_out(&mut self, number: u64) {
        let is_it = |connection: &Connection| matches!(connection, Connection::Failed { number: failed, .. } if *failed == number);
        self.ways.connections.retain(|_, connection| !is_it(connection));
        if let Some((Target { remote, .. }, _)) = self.connection(number) {
            let limit = self.settings.connect_limit;
            self.connect_failed(number, &format!("{remote}: nothing was reached within {limit:?}"));
        }
    }

    /// The addresses of a trunk that one of our listeners reaches, whatever else its name has: the one that a connection leads to comes
    /// first, and those that the last one could not be had to come last.
    fn reached(&self, trunk: usize) -> Vec<Found> {
        let first_hop = &self.settings.trunks[trunk].first_hop;
        let (transport, port) = (first_hop.transport, first_hop.port);
        let is_reached = |found: &&Found| self.sent_by(transport, **found).is_some();
        let mut reached: Vec<Found> = self.trunks[trunk]
            .addresses
            .iter()
            .filter(is_reached)
            .copied()
            .collect();
        reached.sort_by_key(|found| {
            let target = Target {
                transport,
                remote: (found.remote, port).into(),
                verified_for: VerifiedFor::Trunk(trunk),
            };
            match self.ways.connections.get(&target) {
                Some(Connection::Open(_)) => 0,
                Some(Connection::Failed { .. }) => 3,
                Some(Connection::Wanted { .. }) | None => {
                    1 + u8::from(self.trunks[trunk].failing.contains(&found.remote))
                }
            }
        });
        reached
    }

    /// Where a trunk is called now.
    pub(crate) fn reached_at(&self, trunk: usize) -> Option<Found> {
        self.reached(trunk).first().copied()
    }

    /// The path that a trunk's INVITE takes, as far as it is known before it leaves: of a stream without our own end.
    pub(crate) fn invite_path(&self, trunk: usize) -> Option<Path> {
        let first_hop = &self.settings.trunks[trunk].first_hop;
        let (transport, port) = (first_hop.transport, first_hop.port);
        let remote = self.reached_at(trunk)?.remote;
        let local = match (transport, remote) {
            (Transport::Udp, _) => self.listener_towards(transport, remote)?,
            (_, IpAddr::V4(_)) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            (_, IpAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Some(Path {
            transport,
            local,
            remote: (remote, port).into(),
        })
    }
}
