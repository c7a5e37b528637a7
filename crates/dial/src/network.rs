//! Networks, and whom an address stands for.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::from_text::from_text;

from_text!(Network);

/// Whom an address stands for where clients are counted: an IPv4 address, or the /64 that one subscriber has of IPv6.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).network().into(),
    }
}

/// An address, or all that begin with the same bits: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an IP address or a network, like \"192.0.2.7\", \"10.0.0.0/8\" or \"fd00::/8\"; names are not looked up for this, \
     since whoever answers for a name would say who is let in"
)]
pub struct NetworkError(String);

impl Network {
    /// Everybody, by IPv4 and by IPv6.
    pub const ANY: [Self; 2] = [
        Self(IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0))),
        Self(IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0))),
    ];

    /// Whether it is wider than what any one holder has: wider than /8 of IPv4, or than /16 of IPv6 unless it is private
    /// (fc00::/7, RFC 4193) or of one link (fe80::/10, RFC 4291).
    #[must_use]
    pub fn is_of_many(&self) -> bool {
        match self.0 {
            IpNet::V4(network) => network.prefix_len() < 8,
            IpNet::V6(network) => {
                let own = [("fc00::", 7), ("fe80::", 10)];
                let is_own = own.iter().any(|(address, length)| {
                    let wide = address
                        .parse()
                        .ok()
                        .and_then(|address| Ipv6Net::new(address, *length).ok());
                    wide.is_some_and(|wide| wide.contains(&network))
                });
                network.prefix_len() < 16 && !is_own
            }
        }
    }

    /// Whether `address` belongs to it; an IPv4 address in IPv6 clothes counts as what it is.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let network = text
            .parse()
            .or_else(|_| text.parse().map(|address: IpAddr| address.into()));
        network.map(Self).map_err(|_| NetworkError(text.to_owned()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_an_address_with_or_without_a_prefix() {
        for (network, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(
                network.contains(ip(inside)) && !network.contains(ip(outside)),
                "{network}"
            );
        }
        for text in [
            "",
            "host",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10/8",
            "::/129",
            "10.0.0.1:5060",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}
