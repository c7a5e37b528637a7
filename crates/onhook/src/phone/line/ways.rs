//! From the URI that a request of ours goes to, to the socket or the connection it leaves by.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use sip::{Destination, Path, Transport};

use super::Ask;
use crate::net::{Connect, Listener, Names, Streams, TlsOf, Towards, Udp};

/// Requests that wait for a name or a connection; more do not leave.
const WAITING: usize = 4096;

pub(super) struct Ways {
    pub(super) streams: Streams,
    names: Names,
    udp: Vec<Listener>,
    /// The connections that are open.
    open: BTreeSet<Path>,
    /// What waits for the addresses of a name.
    unnamed: Vec<(Destination, Ask)>,
    /// What waits for a connection, by the number of the wish.
    unconnected: BTreeMap<u64, Ask>,
    last: u64,
}

impl Ways {
    pub(super) fn new(udp: &Udp, streams: Streams, names: Names) -> Self {
        Self {
            streams,
            names,
            udp: udp.listening(),
            open: BTreeSet::new(),
            unnamed: Vec::new(),
            unconnected: BTreeMap::new(),
            last: 0,
        }
    }

    /// The way of a request, when it is known. Else the request waits, or is dropped where no way can be.
    pub(super) fn find(&mut self, ask: Ask) -> Option<(Path, Ask)> {
        if self.unnamed.len() + self.unconnected.len() >= WAITING {
            tracing::debug!("too many requests of the phone wait for a way");
            return None;
        }
        let destination = Destination::parse(&ask.outgoing.destination).ok()?;
        if let Some(address) = destination.ip() {
            return self.towards(destination.transport, SocketAddr::new(address, destination.port), ask);
        }
        self.names.look_up(&destination.host);
        self.unnamed.push((destination, ask));
        None
    }

    /// A name was looked up: what can leave now.
    pub(super) fn found(&mut self, host: &str, addresses: &[Towards]) -> Vec<(Path, Ask)> {
        let is_it = |(destination, _): &mut (Destination, Ask)| destination.host.eq_ignore_ascii_case(host);
        let waited: Vec<_> = self.unnamed.extract_if(.., is_it).collect();
        let mut leaving = Vec::new();
        for (destination, ask) in waited {
            let udp = &self.udp;
            let is_reached = |remote: &SocketAddr| destination.transport.is_stream() || from(udp, *remote).is_some();
            let mut remotes = addresses
                .iter()
                .map(|address| SocketAddr::new(address.remote, destination.port));
            match remotes.find(is_reached) {
                Some(remote) => leaving.extend(self.towards(destination.transport, remote, ask)),
                None => tracing::debug!(host, "a request of the phone has no way: its host has no address"),
            }
        }
        leaving
    }

    fn towards(&mut self, transport: Transport, remote: SocketAddr, ask: Ask) -> Option<(Path, Ask)> {
        if transport == Transport::Udp {
            let local = from(&self.udp, remote)?;
            return Some((
                Path {
                    transport,
                    local,
                    remote,
                },
                ask,
            ));
        }
        let is_it = |path: &&Path| path.transport == transport && path.remote == remote;
        if let Some(path) = self.open.iter().find(is_it) {
            return Some((*path, ask));
        }
        self.last += 1;
        self.unconnected.insert(self.last, ask);
        self.streams.connect(Connect {
            id: self.last,
            transport,
            remote,
            server_name: remote.ip().to_string(),
            tls: TlsOf::Others,
        });
        None
    }

    /// A connection is open: what waited for it can leave.
    pub(super) fn connected(&mut self, id: Option<u64>, path: Path) -> Option<(Path, Ask)> {
        self.open.insert(path);
        let ask = self.unconnected.remove(&id?)?;
        Some((path, ask))
    }

    pub(super) fn failed(&mut self, id: u64, why: &str) {
        if self.unconnected.remove(&id).is_some() {
            tracing::debug!(%why, "a request of the phone has no way");
        }
    }

    pub(super) fn closed(&mut self, path: &Path) {
        self.open.remove(path);
    }
}

/// The UDP socket that reaches `remote`.
fn from(udp: &[Listener], remote: SocketAddr) -> Option<SocketAddr> {
    let of_family = |listener: &&Listener| listener.address.is_ipv4() == remote.is_ipv4();
    udp.iter().find(of_family).map(|listener| listener.address)
}
