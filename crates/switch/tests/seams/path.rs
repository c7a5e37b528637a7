//! Promise 11: which way a request takes, and what it waits for (RFC 3261 §9.1, §17.1.1.3, §18.2.2).

use std::time::Duration;

use sip::{Transport, digest::Credentials};
use switch::{Event, Listener, NoWay, Settings};

use crate::rig::{
    CONNECT_LIMIT, OURS, PHONE, Rig, Sent, T1, TRUNK, answer, answer_with, connection_from, found, from_phone, path,
    settings, settings_tcp, tcp, trunk, udp,
};

const MS: Duration = Duration::from_millis(1);

/// One trunk that is a name.
fn named() -> Settings {
    Settings {
        trunks: vec![trunk("pbx", "sip:pbx.example")],
        ..settings()
    }
}

fn named_at(address: &str) -> Rig {
    let mut rig = Rig::with(named());
    rig.turn(|switch| switch.found("pbx.example", &[found(address)]));
    rig
}

/// A call that is up, whose phone has answered with these headers.
fn up_with(rig: &mut Rig, headers: &[&str]) -> Vec<String> {
    let invite = rig.invited(1);
    rig.hear(invite.path, &answer_with(&invite, 200, "phone", headers));
    rig.durable()
}

#[test]
fn a_cancel_goes_where_its_invite_went_though_the_name_leads_elsewhere_since() {
    let mut rig = named_at("192.0.2.5");
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 180));
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    rig.disconnect(2, 1);
    assert_eq!(rig.last("CANCEL").path, udp(TRUNK));
    let refusal = answer(&invite, 487);
    assert!(
        rig.trunk_says(&refusal).contains(&"ACK".to_owned()),
        "and so does the ACK of the refusal"
    );
    assert_eq!(rig.trunk_says(&refusal), ["ACK"], "each time");
    rig.invited(3);
    assert_eq!(rig.last("INVITE").path, udp("192.0.2.7:5060"));
}

#[test]
fn an_invite_is_repeated_where_it_went_first() {
    let mut rig = named_at("192.0.2.5");
    let invite = rig.invited(1);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    rig.pass(T1 * 7);
    assert_eq!(rig.count("INVITE"), 4);
    assert!(rig.sent.iter().all(|sent| *sent == invite));
}

#[test]
fn after_a_crash_too_a_cancel_goes_where_the_invite_went() {
    let mut rig = named_at("192.0.2.5");
    let invite = rig.invited(1);
    let mut next = rig.crash(named());
    next.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    next.pass(Duration::from_secs(1));
    let cancel = next.last("CANCEL");
    assert_eq!(cancel.path, udp(TRUNK));
    assert_eq!(cancel.header("Via"), invite.header("Via"));
    next.trunk_says(&answer(&invite, 487));
    assert_eq!(next.last("ACK").path, udp(TRUNK));
}

#[test]
fn what_a_peer_names_is_gone_to_within_the_trunks_reach() {
    let mut rig = Rig::new();
    let words = up_with(&mut rig, &["Contact: <sip:phone@192.0.2.9>"]);
    assert_eq!(words, ["ACK > 192.0.2.9:5060", "sound starts"]);
    assert!(!rig.has(|event| matches!(event, Event::Redirected { .. })));
}

#[test]
fn what_a_peer_names_beyond_its_trunks_reach_goes_to_the_trunk() {
    for headers in [
        &["Contact: <sip:phone@127.0.0.1>"][..],
        &["Contact: <sip:phone@10.0.0.1>"],
        &["Contact: <sip:phone@[fe80::1]>"],
        &["Contact: <sip:phone@255.255.255.255>"],
        &["Contact: <sip:phone@0.0.0.0>"],
        &["Contact: <sip:phone@[::ffff:127.0.0.1]>"],
        &["Contact: <tel:+491712345678>"],
        &["Contact: <sip:phone@192.0.2.9;transport=ws>"],
        &["Contact: nonsense"],
        &["Contact: <sip:phone@192.0.2.9:99999>"],
        &["Contact: <sip:p@192.0.2.9>", "Record-Route: <sip:127.0.0.1;lr>"],
        &[
            "Contact: <sip:p@192.0.2.9>",
            "Record-Route: <sip:192.0.2.5;lr>",
            "Record-Route: <sip:169.254.1.1;lr>",
        ],
        // A strict router stands in the Request-URI.
        &["Contact: <sip:p@192.0.2.9>", "Record-Route: <sip:10.1.1.1>"],
        // By TCP there is no listener that it could answer to; the way there is a connection.
        &["Contact: <sip:phone@10.0.0.1;transport=tcp>"],
    ] {
        let mut rig = Rig::new();
        let words = up_with(&mut rig, headers);
        assert_eq!(words.first().map(String::as_str), Some("ACK"), "{headers:?}");
        rig.disconnect(2, 1);
        assert_eq!(rig.last("BYE").path, udp(TRUNK), "{headers:?}");
        assert_eq!(rig.connects, [], "{headers:?}");
    }
}

#[test]
fn a_route_header_of_a_request_chooses_nothing() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let bye = from_phone(&invite, "BYE", 1).replacen("Max-Forwards", "Route: <sip:127.0.0.1;lr>\r\nMax-Forwards", 1);
    rig.trunk_says(&bye);
    assert_eq!(rig.last("SIP/2.0 200").path, udp(TRUNK));
}

#[test]
fn a_host_name_that_leads_beyond_the_reach_goes_to_the_trunk() {
    let mut rig = Rig::new();
    let words = up_with(&mut rig, &["Contact: <sip:phone@inside.example>"]);
    assert_eq!(words, ["resolve inside.example", "sound starts"]);
    let words = rig.turn(|switch| switch.found("inside.example", &[found("10.0.0.1"), found("127.0.0.1")]));
    assert_eq!(words, ["ACK"]);
    assert!(rig.has(|event| matches!(
        event,
        Event::Redirected {
            why: NoWay::BeyondReach(_),
            ..
        }
    )));
}

#[test]
fn of_a_names_addresses_only_those_within_reach_count() {
    let mut rig = Rig::new();
    up_with(&mut rig, &["Contact: <sip:phone@both.example>"]);
    let words = rig.turn(|switch| switch.found("both.example", &[found("10.0.0.1"), found("192.0.2.9")]));
    assert_eq!(words, ["ACK > 192.0.2.9:5060"]);
}

#[test]
fn a_name_that_is_not_found_goes_to_the_trunk() {
    let mut rig = Rig::new();
    up_with(&mut rig, &["Contact: <sip:phone@nowhere.example>"]);
    assert_eq!(rig.turn(|switch| switch.found("nowhere.example", &[])), ["ACK"]);
}

#[test]
fn a_name_that_nobody_answers_for_holds_back_only_its_own_call_and_for_one_t1() {
    let mut rig = Rig::new();
    up_with(&mut rig, &["Contact: <sip:phone@slow.example>"]);
    assert_eq!(
        rig.disconnect(2, 1),
        ["sound stops", "journal wish"],
        "the BYE waits behind its ACK"
    );
    rig.invited(3);
    assert_eq!(rig.count("INVITE"), 2);
    assert_eq!(rig.pass(T1 - MS), [""; 0]);
    let mut words = rig.pass(MS);
    words.retain(|word| word != "INVITE");
    assert_eq!(words, ["ACK", "BYE"]);
}

#[test]
fn what_was_known_of_a_name_is_used_while_nobody_answers() {
    let mut rig = named_at("192.0.2.5");
    rig.pass(Duration::from_secs(60));
    rig.place(1);
    let words = rig.durable();
    assert_eq!(words, ["INVITE", "answer 1: placed"]);
    rig.turn(|switch| switch.found("pbx.example", &[]));
    rig.invited(2);
    assert_eq!(rig.last("INVITE").path, udp(TRUNK));
}

#[test]
fn a_call_over_tls_is_never_told_in_clear() {
    let mut settings = settings();
    settings.trunks = vec![trunk("pbx", "sip:192.0.2.5:5061;transport=tls")];
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    rig.place(1);
    assert_eq!(rig.durable(), ["connect 192.0.2.5:5061", "answer 1: placed"]);
    let way = path(Transport::Tls, "192.0.2.1:40000", "192.0.2.5:5061");
    rig.turn(|switch| switch.connected(1, way));
    let invite = rig.last("INVITE");
    let contact = "Contact: <sip:phone@192.0.2.9;transport=udp>";
    rig.hear(way, &answer_with(&invite, 200, "phone", &[contact]));
    rig.durable();
    assert_eq!(rig.last("ACK").path, way);
    rig.disconnect(2, 1);
    assert_eq!(rig.last("BYE").path, way);
    assert!(rig.sent.iter().all(|sent| sent.path.transport == Transport::Tls));
}

#[test]
fn an_invite_with_a_password_goes_the_same_way() {
    let mut settings = named();
    settings.trunks[0].credentials = Some(Credentials {
        username: "onhook".to_owned(),
        password: "secret".to_owned(),
    });
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    let invite = rig.invited(1);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"1\", algorithm=MD5";
    let words = rig.trunk_says(&answer_with(&invite, 401, "pbx", &[challenge]));
    assert_eq!(words, ["ACK", "journal intent"]);
    assert_eq!(rig.durable(), ["INVITE"], "and not before its intent is durable");
    assert_eq!(rig.last("INVITE").path, udp(TRUNK));
    assert!(rig.last("INVITE").text.contains("Authorization: Digest"));
}

#[test]
fn a_place_of_a_live_call_may_speak_until_it_is_over() {
    let mut rig = Rig::new();
    up_with(&mut rig, &["Contact: <sip:phone@192.0.2.9>"]);
    let phone = PHONE.parse::<std::net::SocketAddr>().unwrap().ip();
    assert!(rig.switch.knows(phone));
    rig.disconnect(2, 1);
    let bye = rig.last("BYE");
    assert_eq!(bye.path, udp(PHONE));
    rig.hear(bye.path, &answer(&bye, 200));
    rig.rest(Duration::from_secs(300));
    assert!(!rig.switch.knows(phone));
}

#[test]
fn what_waits_when_its_call_ends_is_not_sent_and_not_waited_for() {
    let mut settings = settings_tcp();
    settings.limits.session_expires = Some(Duration::from_secs(90));
    let mut rig = Rig::with(settings);
    rig.invited_not(1);
    rig.turn(|switch| switch.connected(1, tcp()));
    let invite = rig.last("INVITE");
    let headers = [
        "Contact: <sip:phone@192.0.2.5;transport=tcp>",
        "Allow: UPDATE, INVITE, BYE",
        "Session-Expires: 90;refresher=uac",
    ];
    rig.hear(tcp(), &answer_with(&invite, 200, "phone", &headers));
    rig.durable();
    rig.turn(|switch| switch.closed(tcp()));
    for _ in 0..90 {
        if rig.connects.len() < 2 {
            rig.pass(Duration::from_secs(1));
        }
    }
    assert_eq!(
        (rig.connects.len(), rig.switch.load().waiting),
        (2, 1),
        "the refresh waits"
    );
    rig.hear(connection_from("192.0.2.5:44444"), &from_phone(&invite, "BYE", 1));
    assert_eq!(rig.switch.load().waiting, 0);
    rig.pass(CONNECT_LIMIT * 2);
    rig.rest(Duration::from_secs(300));
    assert_eq!((rig.count("UPDATE"), rig.switch.load().live), (0, 0));
}

/// RFC 3261 §18.1.1.
#[test]
fn a_request_says_in_its_via_what_it_leaves_by() {
    let both = |trunk_by: &str| {
        let listener = |transport| Listener {
            transport,
            address: OURS.parse().unwrap(),
        };
        Settings {
            trunks: vec![trunk("pbx", &format!("sip:192.0.2.5:5060;transport={trunk_by}"))],
            listeners: [Transport::Udp, Transport::Tcp].map(listener).into(),
            ..settings()
        }
    };
    let mut rig = Rig::with(both("udp"));
    let words = up_with(&mut rig, &["Contact: <sip:phone@192.0.2.9;transport=tcp>"]);
    assert_eq!(words, ["connect 192.0.2.9:5060", "sound starts"]);
    let way = path(Transport::Tcp, "192.0.2.1:40000", PHONE);
    rig.turn(|switch| switch.connected(1, way));
    rig.disconnect(2, 1);
    for request in [rig.last("ACK"), rig.last("BYE")] {
        assert_eq!(request.path, way);
        assert!(
            request
                .header("Via")
                .starts_with("SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK"),
            "{}",
            request.text
        );
    }
    let bye = rig.last("BYE");
    rig.hear(way, &answer(&bye, 200));
    rig.rest(Duration::from_secs(300));
    assert_eq!(rig.switch.load().live, 0);

    let mut rig = Rig::with(both("tcp"));
    rig.invited_not(1);
    rig.turn(|switch| switch.connected(1, tcp()));
    let invite = rig.last("INVITE");
    rig.hear(
        tcp(),
        &answer_with(&invite, 200, "phone", &["Contact: <sip:phone@192.0.2.9;transport=udp>"]),
    );
    rig.durable();
    assert_eq!(rig.last("ACK").path, udp(PHONE));
    assert!(
        rig.last("ACK")
            .header("Via")
            .starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    );
}

fn rings_and_its_connection_is_lost() -> (Rig, Sent) {
    let mut rig = Rig::with(settings_tcp());
    rig.invited_not(1);
    rig.turn(|switch| switch.connected(1, tcp()));
    let invite = rig.last("INVITE");
    rig.hear(tcp(), &answer(&invite, 180));
    rig.turn(|switch| switch.closed(tcp()));
    (rig, invite)
}

/// The phone has answered and hung up by another connection while a CANCEL waited for one.
#[test]
fn a_cancel_that_waits_does_not_leave_when_its_call_has_ended() {
    let (mut rig, invite) = rings_and_its_connection_is_lost();
    let way = connection_from("192.0.2.5:44444");
    rig.hear(way, &answer(&invite, 200));
    rig.durable();
    rig.hear(way, &from_phone(&invite, "BYE", 1));
    assert_eq!(rig.switch.load().waiting, 1, "what the phone needs still waits");
    rig.turn(|switch| switch.connected(2, path(Transport::Tcp, "192.0.2.1:40001", TRUNK)));
    rig.rest(Duration::from_secs(300));
    assert_eq!((rig.count("CANCEL"), rig.count("ACK")), (0, 1));
    assert_eq!((rig.switch.load().live, rig.switch.load().waiting), (0, 0));
}

/// The phone has answered by another connection while what comes back to its INVITE was to be listened to again.
#[test]
fn nothing_is_kept_of_an_invite_that_is_answered_while_its_way_is_waited_for() {
    let (mut rig, invite) = rings_and_its_connection_is_lost();
    rig.hear(connection_from("192.0.2.5:44444"), &answer(&invite, 200));
    rig.durable();
    let again = path(Transport::Tcp, "192.0.2.1:40001", TRUNK);
    assert_eq!(
        rig.turn(|switch| switch.connected(2, again)),
        ["ACK", "BYE"],
        "and no CANCEL"
    );
    let bye = rig.last("BYE");
    rig.hear(again, &answer(&bye, 200));
    rig.rest(Duration::from_secs(300));
    let load = rig.switch.load();
    assert_eq!((load.live, load.requests, load.transactions.waiting), (0, 0, 0));
}
