//! Our sound is sent from a port of one family: a peer that wants it by the other one cannot be served.

use std::net::SocketAddr;

use sip::sdp::{Codec, LocalMedia, SdpError, accept, answer};

fn local(address: SocketAddr) -> LocalMedia {
    LocalMedia {
        address,
        session_id: 1,
        version: 1,
        codecs: vec![Codec::Pcma],
        protection: None,
    }
}

fn description(connection: &str) -> String {
    format!("v=0\r\no=- 1 1 IN {connection}\r\ns=-\r\nc=IN {connection}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n")
}

#[test]
fn an_address_of_the_other_family_cannot_be_used() {
    let (ours, other) = (description("IP4 192.0.2.9"), description("IP6 2001:db8::9"));
    for (address, taken, refused) in [("192.0.2.1:4002", &ours, &other), ("[2001:db8::1]:4002", &other, &ours)] {
        let local = local(address.parse().unwrap());
        assert!(accept(&local, taken.as_bytes()).is_ok(), "{address}");
        assert_eq!(
            accept(&local, refused.as_bytes()),
            Err(SdpError::OtherFamily),
            "{address}"
        );
        assert_eq!(
            answer(&local, refused.as_bytes(), None).map(drop),
            Err(SdpError::OtherFamily),
            "{address}"
        );
    }
}

/// As RFC 2543 put a call on hold, whatever the family (RFC 3264 §8.4).
#[test]
fn an_unspecified_address_is_a_hold_and_has_no_family() {
    let hold = description("IP4 0.0.0.0");
    assert!(accept(&local("[2001:db8::1]:4002".parse().unwrap()), hold.as_bytes()).is_ok());
}
