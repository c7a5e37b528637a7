//! Where a URI says that its requests go (RFC 3261 §8.1.2, RFC 3263 without the look-ups).

use std::net::IpAddr;

use crate::{transport::Transport, uri};

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
        let (scheme, rest) = text.split_once(':').ok_or(NoDestination)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("sip") => false,
            _ if scheme.eq_ignore_ascii_case("sips") => true,
            _ => return Err(NoDestination),
        };
        let rest = rest.split('?').next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let (host_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
        let named = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("transport").then(|| value.trim())
        });
        let transport = match named {
            _ if secure => Transport::Tls,
            None => Transport::Udp,
            Some(name) => name.parse().map_err(|_| NoDestination)?,
        };
        let (host, port) = match host_port.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(NoDestination)?;
                (host, port.strip_prefix(':'))
            }
            None => host_port
                .split_once(':')
                .map_or((host_port, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| NoDestination)?,
            None => transport.default_port(),
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(NoDestination);
        }
        Ok(Self {
            transport,
            host: host.to_owned(),
            port,
        })
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
        assert_eq!(destination("tel:+4930123"), None);
        assert_eq!(destination("sip:h;transport=ws"), None);
        assert_eq!(destination("nonsense"), None);
    }
}
