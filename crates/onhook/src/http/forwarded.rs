//! Whom a request comes from when a reverse proxy stands between.
//!
//! X-Forwarded-For is what each proxy appends the address to that it was called from. Anybody can send one; so it is read
//! from its end, and only as far as those go who were told to be believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use dial::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Proxies behind one another; what stands further ahead is not read.
const MOST: usize = 16;

/// The first address, seen from here, that is no trusted proxy's.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    if !is_trusted(client) {
        return client;
    }
    let values: Vec<&str> = headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')).take(MOST) {
        // What cannot be read was not written by a proxy we know: who handed it on is as far as we can see.
        let Some(address) = address(hop.trim()) else {
            return client;
        };
        client = address;
        if !is_trusted(client) {
            return client;
        }
    }
    client
}

/// An address, as proxies write it: some with a port, some in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client_of(peer: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
        }
        let trusted: Vec<Network> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn by_default_nobody_is_believed() {
        assert_eq!(client_of("192.0.2.9", &["198.51.100.1"], &[]), "192.0.2.9");
        assert_eq!(client_of("192.0.2.9", &["198.51.100.1"], &["192.0.2.8"]), "192.0.2.9");
    }

    #[test]
    fn a_trusted_proxy_tells_who_called_it() {
        for forwarded in ["198.51.100.1", "198.51.100.1:4711", " 198.51.100.1 "] {
            assert_eq!(client_of("192.0.2.9", &[forwarded], &["192.0.2.9"]), "198.51.100.1");
        }
        assert_eq!(
            client_of("192.0.2.9", &["[2001:db8::1]:4711"], &["192.0.2.0/24"]),
            "2001:db8::1"
        );
        assert_eq!(
            client_of("192.0.2.9", &["[2001:db8::1]"], &["192.0.2.0/24"]),
            "2001:db8::1"
        );
        assert_eq!(client_of("192.0.2.9", &[], &["192.0.2.9"]), "192.0.2.9");
    }

    #[test]
    fn what_a_client_made_up_is_not_believed() {
        let chain = &["203.0.113.7, 198.51.100.1", "192.0.2.8"];
        assert_eq!(client_of("192.0.2.9", chain, &["192.0.2.0/24"]), "198.51.100.1");
        assert_eq!(
            client_of("192.0.2.9", &["203.0.113.7, nonsense"], &["192.0.2.9"]),
            "192.0.2.9"
        );
        assert_eq!(client_of("192.0.2.9", &["203.0.113.7,"], &["192.0.2.9"]), "192.0.2.9");
    }
}
