//! How far a peer's word may send us.
//!
//! An answer names places: the Contact that gets our ACK and BYE, the address that gets our sound. Somebody who can
//! answer a call could name places that he cannot reach and we can. So a trunk has a [`Reach`], and nothing that a peer
//! names is sent to outside of it.

use std::net::IpAddr;

use crate::network::Network;

/// Where the answers of one trunk may send us.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// What the operator listed; else scopes decide.
    allowed: Option<Vec<Network>>,
    own: Vec<IpAddr>,
}

impl Reach {
    /// `allowed`: besides the trunk's own addresses, these alone. Without it: every host whose scope is the trunk's or a
    /// wider one. A PBX on this machine may send us anywhere, a provider on the Internet not into our network.
    #[must_use]
    pub fn new(allowed: Option<Vec<Network>>) -> Self {
        Self {
            allowed,
            own: Vec::new(),
        }
    }

    /// The trunk is at these addresses now. They take the place of the ones known before.
    pub fn found_at(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.own = addresses.into_iter().map(|address| address.to_canonical()).collect();
    }

    /// Whether this is an address of the trunk itself.
    #[must_use]
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address.to_canonical())
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
        // A trunk that nobody has found yet is as far away as can be.
        let narrowest = self.own.iter().filter_map(|address| scope(*address)).min();
        wanted >= narrowest.unwrap_or(Scope::Public)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn reach(own: &str, allowed: Option<&[&str]>) -> Reach {
        let mut reach = Reach::new(allowed.map(|list| list.iter().map(|text| text.parse().unwrap()).collect()));
        reach.found_at([ip(own)]);
        reach
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
