//! Networks and their scopes: how far a peer's word may send us.
//!
//! An answer names places: the Contact that gets our ACK and BYE, the address that gets our sound. Somebody who can
//! answer a call could name places that he cannot reach and we can. So a trunk has a [`Reach`], and nothing that a peer
//! names is sent to outside of it. Pure: addresses in, yes or no out.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

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

/// How far an address can be reached from, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Loopback,
    LinkLocal,
    /// RFC 1918, RFC 6598, RFC 4193.
    Private,
    Public,
}

/// `None` for what is no single host: multicast, broadcast, unspecified and reserved addresses.
fn scope(address: IpAddr) -> Option<Scope> {
    match address.to_canonical() {
        IpAddr::V4(ip) => match ip.octets() {
            [0 | 224.., ..] => None,
            [127, ..] => Some(Scope::Loopback),
            [169, 254, ..] => Some(Scope::LinkLocal),
            [100, 64..128, ..] => Some(Scope::Private),
            _ if ip.is_private() => Some(Scope::Private),
            _ => Some(Scope::Public),
        },
        IpAddr::V6(ip) if ip.is_multicast() || ip.is_unspecified() => None,
        IpAddr::V6(ip) if ip.is_loopback() => Some(Scope::Loopback),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(Scope::LinkLocal),
        IpAddr::V6(ip) if ip.is_unique_local() => Some(Scope::Private),
        IpAddr::V6(_) => Some(Scope::Public),
    }
}

/// Where the answers of one trunk may send us. Clones share what is known of the trunk's addresses.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// What the operator listed; else scopes decide.
    allowed: Option<Arc<[Network]>>,
    own: Arc<RwLock<Vec<IpAddr>>>,
}

impl Reach {
    /// `allowed`: besides the trunk's own addresses, these alone. Without it: every host whose scope is the trunk's or a
    /// wider one. A PBX on this machine may send us anywhere, a provider on the Internet not into our network.
    #[must_use]
    pub fn new(allowed: Option<Vec<Network>>) -> Self {
        Self {
            allowed: allowed.map(Into::into),
            own: Arc::default(),
        }
    }

    /// The trunk is at these addresses now. They take the place of the ones known before.
    pub fn found_at(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().map(|address| address.to_canonical()).collect();
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    /// Whether this is an address of the trunk itself.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.contains(&address.to_canonical())
    }

    /// Whether this is a place of the trunk's or one that the operator has listed: not merely one that nothing speaks against.
    #[must_use]
    pub fn knows(&self, address: IpAddr) -> bool {
        self.is_own(address) || (self.allowed.is_some() && self.permits(address))
    }

    /// Whether the trunk may send us there. Never to a multicast or broadcast address.
    #[must_use]
    pub fn permits(&self, target: IpAddr) -> bool {
        let Some(wanted) = scope(target) else { return false };
        if self.is_own(target) {
            return true;
        }
        if let Some(allowed) = &self.allowed {
            return allowed.iter().any(|network| network.contains(target));
        }
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        // A trunk that nobody has found yet is as far away as can be.
        let narrowest = own.iter().filter_map(|address| scope(*address)).min();
        wanted >= narrowest.unwrap_or(Scope::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn reach(own: &str, allowed: Option<&[&str]>) -> Reach {
        let reach = Reach::new(allowed.map(|list| list.iter().map(|text| text.parse().unwrap()).collect()));
        reach.found_at([ip(own)]);
        reach
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

    #[test]
    fn a_trunk_sends_us_no_further_in_than_it_is_itself() {
        let targets = ["127.0.0.1", "169.254.1.1", "192.168.1.1", "100.64.0.1", "203.0.113.9"];
        for (trunk, permitted) in [
            ("127.0.0.2", [true, true, true, true, true]),
            ("10.0.0.1", [false, false, true, true, true]),
            ("198.51.100.1", [false, false, false, false, true]),
        ] {
            let reach = reach(trunk, None);
            assert_eq!(targets.map(|target| reach.permits(ip(target))), permitted, "{trunk}");
        }
        assert!(!reach("2001:db8::1", None).permits(ip("::ffff:192.168.1.1")));
        assert!(!reach("2001:db8::1", None).permits(ip("fd00::1")));
        assert!(
            !Reach::new(None).permits(ip("127.0.0.1")),
            "nobody has found this trunk yet"
        );
        let trunk = reach("198.51.100.1", None);
        assert!(trunk.permits(ip("203.0.113.9")) && !trunk.knows(ip("203.0.113.9")));
        assert!(trunk.knows(ip("198.51.100.1")));
    }

    #[test]
    fn a_list_is_the_whole_list_and_the_trunk_itself() {
        let reach = reach("198.51.100.1", Some(&["10.1.0.0/16"]));
        assert!(reach.permits(ip("198.51.100.1")) && reach.permits(ip("10.1.2.3")));
        assert!(!reach.permits(ip("198.51.100.2")) && !reach.permits(ip("10.2.0.1")));
        assert!(reach.knows(ip("198.51.100.1")) && reach.knows(ip("10.1.2.3")));
    }

    #[test]
    fn nobody_is_sent_to_who_is_not_one_host() {
        let everywhere = reach("127.0.0.1", Some(&["0.0.0.0/0", "::/0"]));
        for target in ["224.0.0.1", "255.255.255.255", "0.0.0.0", "240.0.0.1", "ff02::1", "::"] {
            assert!(!everywhere.permits(ip(target)), "{target}");
        }
    }
}
