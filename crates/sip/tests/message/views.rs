//! Responses and requests as calls and trunks see them.

use sip::{Message, Method, Refresher, SessionHeaders, Tag};

const OK: &str = "SIP/2.0 200 Sure\r\nVia: SIP/2.0/UDP h:5060;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=f\r\n\
    To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: \"B, b\" <sip:b@p;x=1>;q=1, <sip:c@p>\r\n\
    Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>\r\nRetry-After: 30 (later)\r\n\
    Content-Length: 0\r\n\r\n";

#[test]
fn a_response_gives_the_call_what_it_needs() {
    let message = Message::parse(OK.as_bytes()).unwrap();
    let view = message.response();
    assert_eq!((view.status, view.reason.as_str()), (200, "Sure"));
    assert_eq!(view.branch.as_str(), "z9hG4bKx");
    assert_eq!((view.cseq.number, &view.cseq.method), (7, &Method::Invite));
    assert_eq!(view.contact.as_deref(), Some("sip:b@p;x=1"));
    assert_eq!(view.record_route, ["<sip:p2;lr>", "<sip:p1;lr>", "<sip:p0;lr>"]);
    assert_eq!(
        (view.from.as_str(), view.to.as_str()),
        ("<sip:a@h>;tag=f", "<sip:b@h>;tag=t")
    );
    assert_eq!(view.to_tag, Some(Tag::new("t")));
    assert_eq!(view.retry_after, Some(30));
    assert_eq!((view.content_type, view.body), (None, Vec::new()));
    assert_eq!(message.method(), &Method::Invite);
}

/// In full and in compact form (RFC 4028 §4, RFC 3261 §20.37).
#[test]
fn session_timers_reach_the_call() {
    for (supported, expires) in [("Supported", "Session-Expires"), ("k", "x")] {
        let timer = format!("{supported}: 100rel, timer\r\n{expires}: 1800;refresher=uas\r\nMin-SE: 120\r\n");
        let text = OK.replace(
            "Retry-After",
            &format!("{timer}Allow: INVITE, ACK, BYE, UPDATE\r\nRetry-After"),
        );
        let session = Message::parse(text.as_bytes()).unwrap().response().session;
        let expires = session.expires.unwrap();
        assert_eq!((expires.interval, expires.refresher), (1800, Some(Refresher::Uas)));
        assert_eq!(session.min_se, Some(120));
        assert!(session.timer && session.update);
    }
    assert_eq!(
        Message::parse(OK.as_bytes()).unwrap().response().session,
        SessionHeaders::default()
    );
}

/// RFC 3261 §20.44, §20.27: of both kinds, each line one challenge.
#[test]
fn challenges_are_as_the_peer_wrote_them() {
    let text = OK.replace(
        "Retry-After",
        "WWW-Authenticate: Digest realm=\"a, b\",\r\n nonce=\"x\"\r\nProxy-Authenticate: Digest realm=p\r\n\
         www-authenticate: Basic realm=z\r\nRetry-After",
    );
    let challenges = Message::parse(text.as_bytes()).unwrap().response().challenges;
    let seen: Vec<_> = challenges
        .iter()
        .map(|challenge| (challenge.proxy, challenge.value.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (false, "Digest realm=\"a, b\", nonce=\"x\""),
            (false, "Basic realm=z"),
            (true, "Digest realm=p")
        ]
    );
}

/// RFC 3261 §12.1.1, §12.1.2: who recorded last stands first.
#[test]
fn of_a_route_without_end_the_hops_nearest_to_us_are_kept() {
    let hops: Vec<_> = (0..40).map(|hop| format!("<sip:p{hop};lr>")).collect();
    let text = OK.replace(
        "<sip:p2;lr>, <sip:p1;lr>\r\nRecord-Route: <sip:p0;lr>",
        &hops.join(",\r\n\t"),
    );
    assert_eq!(
        Message::parse(text.as_bytes()).unwrap().response().record_route,
        hops[8..]
    );
    let request = text.replace("SIP/2.0 200 Sure", "INVITE sip:a@h SIP/2.0");
    assert_eq!(
        Message::parse(request.as_bytes()).unwrap().request().record_route,
        hops[..32]
    );
}

/// RFC 3261 §20.10: `*` is no place.
#[test]
fn a_contact_is_a_place_or_none() {
    let contact = |value: &str| {
        let text = OK.replace("\"B, b\" <sip:b@p;x=1>;q=1, <sip:c@p>", value);
        Message::parse(text.as_bytes()).unwrap().response().contact
    };
    assert_eq!(contact("*"), None);
    assert_eq!(contact(""), None);
    assert_eq!(contact("<>"), None);
    assert_eq!(contact("sip:c@p;expires=3").as_deref(), Some("sip:c@p"));
    assert_eq!(contact("<tel:+4930123>").as_deref(), Some("tel:+4930123"));
}

/// RFC 3261 §10.2.4.
#[test]
fn the_granted_expiry_is_that_of_our_contact() {
    let granted = |contacts: &str, ours: &str| {
        let text = OK
            .replace("7 INVITE", "7 REGISTER")
            .replace("\"B, b\" <sip:b@p;x=1>;q=1, <sip:c@p>", contacts);
        Message::parse(text.as_bytes()).unwrap().granted_expiry(ours)
    };
    let contacts = "<sip:x@p>;expires=9, <sip:onhook@H:5060;ob>;q=1; Expires = 42\r\nExpires: 77";
    assert_eq!(granted(contacts, "sip:onhook@h:5060;transport=tcp"), Some(42));
    for other in ["sip:other@h", "sip:onhook@h:5061", "sip:onhook@i:5060", "sip:h:5060"] {
        assert_eq!(granted(contacts, other), Some(77), "{other}");
    }
    let two_lines = "<sip:x@p>;expires=9\r\nm: \"o, h\" <sip:onhook;a=b@h>;expires=43";
    assert_eq!(granted(two_lines, "sip:onhook;a=b@h"), Some(43));
    assert_eq!(granted(two_lines, "sip:onhook;a=c@h"), None);
    // RFC 4475 §3.1.2.4: more than any clock counts is not believed.
    assert_eq!(granted("<sip:a@h>;expires=280297596632815", "sip:a@h"), None);
}

/// RFC 3261 §10.2.8, §20.23, §20.33.
#[test]
fn seconds_stand_in_front() {
    let message = |value: &str| {
        OK.replace(
            "Retry-After: 30 (later)",
            &format!("Retry-After: {value}\r\nMin-Expires: {value}"),
        )
    };
    for (value, read) in [
        ("90", Some(90)),
        ("90;duration=5", Some(90)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("4294967296", None),
    ] {
        let text = message(value);
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (message.min_expires(), message.response().retry_after),
            (read, read),
            "{value}"
        );
    }
}
