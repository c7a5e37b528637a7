//! Who we are to a peer: which of our own addresses it is told, and which one it sees.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use call::Local;
use sip::{Path, Transport, uri};

use crate::{addresses::Found, switch::Switch};

impl Switch {
    /// What we speak from: the first listener of its transport and address family.
    pub(crate) fn listener_towards(&self, transport: Transport, peer: IpAddr) -> Option<SocketAddr> {
        let listeners = self.settings.listeners.iter();
        let mut addresses = listeners
            .filter(|listener| listener.transport == transport)
            .map(|listener| listener.address);
        addresses.find(|address| address.is_ipv4() == peer.is_ipv4())
    }

    /// What goes into Via and Contact of requests that leave by this trunk; nothing while we do not know where it is.
    pub(crate) fn local(&self, trunk: usize) -> Option<Local> {
        let transport = self.settings.trunks[trunk].first_hop.transport;
        let sent_by = self.sent_by(transport, self.reached_at(trunk)?)?.to_string();
        let contact = format!("sip:onhook@{sent_by}");
        Some(Local {
            via: format!("{} {sent_by}", transport.sent_protocol()),
            contact: uri::with_transport(&contact, transport.as_str()),
            transport: transport.as_str().to_owned(),
        })
    }

    /// What the top Via of a request of a call by this trunk says that leaves this way (RFC 3261 §18.1.1); nothing where it leaves by what
    /// its trunk is reached by, and so says that already.
    pub(crate) fn via_towards(&self, trunk: usize, path: &Path) -> Option<String> {
        if path.transport == self.settings.trunks[trunk].first_hop.transport {
            return None;
        }
        let peer = Found {
            remote: path.remote.ip(),
            local: self.reached_at(trunk).and_then(|found| found.local),
        };
        let sent_by = self.sent_by(path.transport, peer)?;
        Some(format!("{} {sent_by}", path.transport.sent_protocol()))
    }

    /// Our own address towards this trunk.
    pub(crate) fn local_ip(&self, trunk: usize) -> Option<IpAddr> {
        let transport = self.settings.trunks[trunk].first_hop.transport;
        Some(self.sent_by(transport, self.reached_at(trunk)?)?.host)
    }

    /// What to give to a peer for what it sends us by `transport`; nothing when no listener is of its family, or the system knows no
    /// way there.
    pub(crate) fn sent_by(&self, transport: Transport, peer: Found) -> Option<SentBy> {
        let (address, port) = match self.listener_towards(transport, peer.remote) {
            Some(listener) => (listener.ip(), Some(listener.port())),
            None if transport == Transport::Tls => {
                let mut listeners = self.settings.listeners.iter().map(|listener| listener.address.ip());
                (listeners.find(|ip| ip.is_ipv4() == peer.remote.is_ipv4())?, None)
            }
            None => return None,
        };
        let external = self.settings.external_address;
        let host = match external.filter(|external| external.is_ipv4() == peer.remote.is_ipv4()) {
            Some(external) => external,
            None if address.is_unspecified() => peer.local?,
            None => address,
        };
        Some(SentBy { host, port })
    }
}

/// Who we are to a peer. Without a `tls:` listener there is no port: such a peer has to send down the connection that we opened
/// (RFC 5923), which registrars and SBCs do.
pub(crate) struct SentBy {
    host: IpAddr,
    port: Option<u16>,
}

impl fmt::Display for SentBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host, self.port) {
            (host, Some(port)) => SocketAddr::new(host, port).fmt(f),
            (IpAddr::V6(host), None) => write!(f, "[{host}]"),
            (IpAddr::V4(host), None) => host.fmt(f),
        }
    }
}
