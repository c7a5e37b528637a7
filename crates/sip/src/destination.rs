//! Where a URI says that its requests go (RFC 3261 §8.1.2, RFC 3263 without the look-ups).

use std::net::IpAddr;

use crate::{
    transport::Transport,
    uri::{self, SipUri},
};

/// A host, a port and what to reach them by.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    pub transport: Transport,
    /// An address without brackets, or a name.
    pub host: String,
    pub port: u16,
}

/// Not a `sip:` or `sips:` URI with a host and a transport of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no SIP URI to send to")]
pub struct NoDestination;

impl Destination {
    /// Reads a `sip:` or `sips:` URI, with or without `<>`.
    ///
    /// # Errors
    ///
    /// [`NoDestination`].
    pub fn parse(value: &str) -> Result<Self, NoDestination> {
        let text = if value.contains('<') {
            uri::addr_spec(value)
        } else {
            value.trim()
        };
        let uri = SipUri::parse(text).map_err(|_| NoDestination)?;
        let named = uri.parameter("transport").filter(|name| !name.is_empty());
        let transport = match named {
            _ if uri.is_sips => Transport::Tls,
            None => Transport::Udp,
            Some(name) => name.parse().map_err(|_| NoDestination)?,
        };
        let host = uri::ipv6_reference(uri.host).map_or_else(|| uri.host.to_owned(), |address| address.to_string());
        let port = uri.port.unwrap_or_else(|| transport.default_port());
        Ok(Self { transport, host, port })
    }

    /// The host, when it is an address already.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_host_port_and_transport() {
        let destination = |uri| {
            Destination::parse(uri)
                .ok()
                .map(|place| (place.transport, place.host, place.port))
        };
        let place = |transport, host: &str, port| Some((transport, host.to_owned(), port));
        assert_eq!(destination("sip:100@h"), place(Transport::Udp, "h", 5060));
        assert_eq!(
            destination("<sip:h:5070;transport=TCP;lr>"),
            place(Transport::Tcp, "h", 5070)
        );
        assert_eq!(destination("sips:a@h"), place(Transport::Tls, "h", 5061));
        assert_eq!(
            destination("sip:a@[2001:db8::1]:5080"),
            place(Transport::Udp, "2001:db8::1", 5080)
        );
        assert_eq!(destination("sip:a;transport=tcp@h"), place(Transport::Udp, "h", 5060));
        assert_eq!(destination("sip:a?b;c@h:5062?x=y;z"), place(Transport::Udp, "h", 5062));
        assert_eq!(
            destination("sip:[2001:DB8:::192.0.2.1]"),
            place(Transport::Udp, "2001:db8::c000:201", 5060)
        );
        assert_eq!(destination("tel:+4930123"), None);
        assert_eq!(destination("sip:h;transport=ws"), None);
        assert_eq!(destination("nonsense"), None);
    }
}
