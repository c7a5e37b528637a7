//! X-Forwarded-For, from any peer. The first line is the peer, the second the trusted networks, each other one a header. The
//! client is the peer or somebody that the headers name; all who stand behind it are trusted; and what stands before somebody who
//! is not trusted changes nothing.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use dial::Network;
use http::{HeaderMap, HeaderName, HeaderValue};
use onhook::http::fuzzed::client;

fn headers<'v>(values: impl Iterator<Item = &'v str>) -> HeaderMap {
    let values = values.filter_map(|value| HeaderValue::from_str(value).ok());
    values
        .map(|value| (HeaderName::from_static("x-forwarded-for"), value))
        .collect()
}

/// Every way that a hop may name an address.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let with_port = hop.parse().map(|address: SocketAddr| address.ip());
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    with_port.ok().or_else(|| bare.parse().ok())
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let (Some(peer), Some(networks)) = (lines.next(), lines.next()) else {
        return;
    };
    let Ok(peer) = peer.parse::<IpAddr>() else { return };
    let trusted: Vec<Network> = networks.split(' ').filter_map(|network| network.parse().ok()).collect();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(*address));
    let values: Vec<&str> = lines.filter(|value| HeaderValue::from_str(value).is_ok()).collect();
    let found = client(peer, &headers(values.iter().copied()), &trusted);

    if !is_trusted(&peer) {
        assert_eq!(found, peer, "a stranger is believed");
        return;
    }
    let hops: Vec<&str> = values.iter().flat_map(|value| value.split(',')).collect();
    let named = hops.iter().rposition(|hop| address(hop) == Some(found));
    assert!(found == peer || named.is_some(), "{found} was never named");
    if let Some(named) = named.filter(|_| found != peer) {
        let behind = hops[named + 1..].iter().filter_map(|hop| address(hop));
        assert!(
            behind.into_iter().all(|address| is_trusted(&address)),
            "{found} stands before a stranger"
        );
    }
    if !is_trusted(&found) {
        let made_up = std::iter::once("203.0.113.66, 192.0.2.1").chain(values.iter().copied());
        assert_eq!(
            client(peer, &headers(made_up), &trusted),
            found,
            "what a stranger made up counts"
        );
    }
});
