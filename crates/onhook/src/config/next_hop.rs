//! The address of a SIP peer, as a SIP URI without user: `sip:pbx.example.com:5061;transport=tls` (RFC 3261 §19.1).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::values::{Transport, ValueError, from_text};

from_text!(NextHop);

/// A host, perhaps a port, and the transport to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NextHop {
    /// A name or an address; an IPv6 address stands in brackets, as in a URI.
    pub host: String,
    /// Without one, DNS or the transport decides (RFC 3263 §4.2).
    pub port: Option<u16>,
    pub transport: Transport,
}

impl FromStr for NextHop {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || {
            ValueError::new(
                text,
                r#"a SIP URI without user, like "sip:pbx.example.com:5060;transport=tcp""#,
            )
        };
        let (scheme, rest) = text.split_once(':').ok_or_else(refused)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "sip" => false,
            "sips" => true,
            _ => return Err(refused()),
        };

        let mut parameters = rest.split(';');
        let (host, port) = split_port(parameters.next().unwrap_or_default()).ok_or_else(refused)?;
        let mut transport = if secure { Transport::Tls } else { Transport::Udp };
        for parameter in parameters {
            match parameter.split_once('=') {
                Some((name, value)) if name.eq_ignore_ascii_case("transport") => {
                    transport = value.parse().map_err(|_| refused())?;
                }
                None if parameter.eq_ignore_ascii_case("lr") => {}
                Some(_) | None => return Err(refused()),
            }
        }
        if secure && transport != Transport::Tls {
            return Err(ValueError::new(text, "a sips: URI over TLS"));
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            transport,
        })
    }
}

fn split_port(hostport: &str) -> Option<(&str, Option<u16>)> {
    let host_ends = if hostport.starts_with('[') {
        hostport.find(']')? + 1
    } else {
        hostport.find(':').unwrap_or(hostport.len())
    };
    let (host, port) = hostport.split_at(host_ends);
    let valid_host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => matches!(v6.parse(), Ok(IpAddr::V6(_))),
        None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-'),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(digits.parse().ok().filter(|port| *port != 0)?),
        None if port.is_empty() => None,
        None => return None,
    };
    valid_host.then_some((host, port))
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sip:{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Transport::Udp => Ok(()),
            Transport::Tcp | Transport::Tls => write!(f, ";transport={}", self.transport),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_operators_write() {
        for (text, host, port, transport, printed) in [
            (
                "sip:127.0.0.1:5061",
                "127.0.0.1",
                Some(5061),
                Transport::Udp,
                "sip:127.0.0.1:5061",
            ),
            (
                "SIP:pbx.example.com;lr",
                "pbx.example.com",
                None,
                Transport::Udp,
                "sip:pbx.example.com",
            ),
            (
                "sip:pbx;transport=TCP",
                "pbx",
                None,
                Transport::Tcp,
                "sip:pbx;transport=tcp",
            ),
            (
                "sips:pbx:5061",
                "pbx",
                Some(5061),
                Transport::Tls,
                "sip:pbx:5061;transport=tls",
            ),
            (
                "sip:[2001:db8::1]:5060",
                "[2001:db8::1]",
                Some(5060),
                Transport::Udp,
                "sip:[2001:db8::1]:5060",
            ),
        ] {
            let hop: NextHop = text.parse().unwrap();
            assert_eq!(
                (hop.host.as_str(), hop.port, hop.transport),
                (host, port, transport),
                "{text}"
            );
            assert_eq!(hop.to_string(), printed);
        }
    }

    #[test]
    fn refuses_what_is_no_next_hop() {
        for text in [
            "",
            "127.0.0.1",
            "sip:",
            "sip:user@host",
            "sip:host:0",
            "sip:host:99999",
            "sip:ho st",
            "sip:[::1",
            "sip:[1.2.3.4]",
            "sip:host;transport=ws",
            "sip:host;ttl=3",
            "sips:host;transport=udp",
            "tel:123",
            "sip:host\r\nVia: x",
        ] {
            assert!(text.parse::<NextHop>().is_err(), "{text:?}");
        }
    }
}
