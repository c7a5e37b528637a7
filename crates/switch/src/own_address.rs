//! Who we are to a peer: which of our own addresses it is told, and which one it sees.

use std::net::{IpAddr, SocketAddr};

use call::Local;
use sip::{Transport, uri};

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

/// The address that a `Local` speaks from, when it is one and not a name.
fn ip_of(local: &Local) -> Option<IpAddr> {
    let sent_by = local.via.rsplit(' ').next()?;
    sent_by
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| sent_by.parse())
        .ok()
}
