//! Connections: whose each is, what waits for one, and what becomes of that when it does not come or is lost.

use std::time::Duration;

use sip::Transport;
use switch::Event;

use crate::rig::{
    CONNECT_LIMIT, Rig, T1, TRUNK, answer, answer_with, found, path, settings, settings_tcp, tcp, trunk, udp,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_peer_that_names_the_trunk_itself_gets_the_trunks_own_connection() {
    let mut settings = settings();
    settings.trunks = vec![trunk("pbx", "sip:pbx.example:5061;transport=tls")];
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.place(1);
    assert_eq!(rig.durable()[0], "connect 192.0.2.5:5061 as pbx.example");
    let way = path(Transport::Tls, "192.0.2.1:40000", "192.0.2.5:5061");
    rig.turn(|switch| switch.connected(1, way));
    let invite = rig.last("INVITE");
    rig.hear(
        way,
        &answer_with(&invite, 200, "phone", &["Contact: <sips:phone@192.0.2.5>"]),
    );
    assert_eq!(
        rig.durable(),
        ["ACK", "sound starts"].map(|word| word.replace("ACK", "ACK > 192.0.2.5:5061"))
    );
    rig.turn(|switch| switch.closed(way));
    let words = rig.disconnect(2, 1);
    // No certificate names an address: it is asked for by the name that is configured.
    assert!(
        words.contains(&"connect 192.0.2.5:5061 as pbx.example".to_owned()),
        "{words:?}"
    );
}

/// RFC 5922 §7.2: a certificate that was checked for one name says nothing of another.
#[test]
fn who_is_called_by_two_names_has_a_connection_for_each_wherever_they_lead() {
    let mut settings = settings();
    settings.trunks = ["one.example", "two.example"]
        .map(|host| trunk(host, &format!("sip:{host};transport=tls")))
        .into();
    for trunk in &mut settings.trunks {
        trunk.keepalive = Some(Duration::from_secs(30));
    }
    let mut rig = Rig::with(settings);
    for (host, number) in [("one.example", 1), ("two.example", 2)] {
        assert_eq!(
            rig.turn(|switch| switch.found(host, &[found("192.0.2.5")])),
            [format!("connect 192.0.2.5:5061 as {host}")]
        );
        let way = path(Transport::Tls, &format!("192.0.2.1:4000{number}"), "192.0.2.5:5061");
        rig.turn(|switch| switch.connected(number, way));
        assert_eq!(rig.last("OPTIONS").path, way);
        let options = rig.last("OPTIONS");
        rig.hear(way, &answer(&options, 200));
    }
    // A peer that is no trunk: each of its names has to be in the certificate.
    let one = path(Transport::Tls, "192.0.2.1:40001", "192.0.2.5:5061");
    let mut wanted = Vec::new();
    for (number, host) in [(1, "first.example"), (2, "Second.example"), (3, "FIRST.example")] {
        rig.turn(|switch| switch.found(&host.to_lowercase(), &[found("192.0.2.9")]));
        let invite = rig.invited(number);
        let contact = format!("Contact: <sips:phone@{host}>");
        rig.hear(one, &answer_with(&invite, 200, "phone", &[&contact]));
        rig.durable();
        let words = rig.turn(|switch| switch.found(&host.to_lowercase(), &[found("192.0.2.9")]));
        wanted.extend(words.into_iter().filter(|word| word.starts_with("connect")));
    }
    assert_eq!(
        wanted,
        ["first.example", "Second.example"].map(|host| format!("connect 192.0.2.9:5061 as {host}"))
    );
}

#[test]
fn a_connection_that_comes_too_late_is_closed() {
    let mut rig = Rig::tcp();
    rig.invited_not(1);
    rig.pass(CONNECT_LIMIT);
    assert!(rig.has(|event| matches!(event, Event::Unreachable { .. })));
    let closed = format!("close {TRUNK} from {}", tcp().local);
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())), [closed.as_str()]);
    // Nor when another one is wanted meanwhile, or has come.
    rig.pass(T1);
    rig.invited_not(2);
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())), [closed.as_str()]);
    let second = path(Transport::Tcp, "192.0.2.1:40001", TRUNK);
    assert_eq!(rig.turn(|switch| switch.connected(2, second)), ["INVITE"]);
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())), [closed.as_str()]);
    assert_eq!(rig.last("INVITE").path, second);
}

/// The INVITE may have arrived, and its phone ring.
#[test]
fn an_invite_whose_connection_is_lost_is_taken_back_by_another() {
    let mut rig = Rig::tcp();
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    rig.place(1);
    rig.durable();
    rig.turn(|switch| switch.connected(1, tcp()));
    let invite = rig.last("INVITE");
    rig.turn(|switch| switch.closed(tcp()));
    assert!(!rig.has(|event| matches!(event, Event::Ended { .. })));
    let second = path(Transport::Tcp, "192.0.2.1:40001", TRUNK);
    rig.turn(|switch| switch.connected(2, second));
    assert_eq!(rig.last("CANCEL").path, second);
    rig.hear(second, &answer(&invite, 487));
    assert!(rig.has(|event| matches!(event, Event::Ended { end, .. } if end.confirmed)));
    assert_eq!(rig.last("ACK").path, second);
}

/// Whoever repeats a 2xx has not heard its ACK.
#[test]
fn an_ack_that_waits_for_its_way_leaves_although_its_call_could_be_forgotten() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.disconnect(9, 1);
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    rig.durable();
    rig.pass(T1 * 63);
    let late = answer_with(
        &invite,
        200,
        "late",
        &["Contact: <sip:late@phone.example:5070;transport=tcp>"],
    );
    rig.trunk_says(&late);
    rig.durable();
    rig.pass(T1 * 4);
    let bye = rig.last("BYE");
    rig.turn(|switch| switch.found("phone.example", &[found("192.0.2.5")]));
    let acks = rig.count("ACK");
    let words = rig.turn(|switch| {
        switch.handle_message(udp(TRUNK), answer(&bye, 200).as_bytes());
        switch.handle_message(udp(TRUNK), late.as_bytes());
    });
    assert!(
        words.contains(&"connect 192.0.2.5:5070 as phone.example".to_owned()),
        "{words:?}"
    );
    assert_eq!(rig.count("ACK"), acks, "it waits for the connection");
    rig.durable();
    rig.pass(T1 * 20);
    assert_eq!(rig.count("ACK"), acks + 1);
}

#[test]
fn requests_of_a_call_leave_in_order_once_their_connection_is_there() {
    let mut rig = Rig::tcp();
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    rig.place(1);
    assert_eq!(rig.durable(), ["connect 192.0.2.5:5060", "answer 1: placed"]);
    rig.place(2);
    assert_eq!(rig.durable(), ["answer 2: placed"], "one connection for all");
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())), ["INVITE", "INVITE"]);
    let invite = rig.sent[0].clone();
    let contact = "Contact: <sip:phone@192.0.2.5;transport=tcp>";
    rig.hear(tcp(), &answer_with(&invite, 200, "phone", &[contact]));
    rig.turn(|switch| switch.closed(tcp()));
    rig.durable();
    rig.disconnect(3, 1);
    assert_eq!((rig.count("ACK"), rig.count("BYE")), (0, 0));
    assert_eq!(rig.turn(|switch| switch.connected(2, tcp()))[..2], ["ACK", "BYE"]);
}

#[test]
fn a_connection_that_does_not_come_about_ends_its_calls_at_once() {
    let mut rig = Rig::tcp();
    rig.invited_not(1);
    let words = rig.turn(|switch| switch.connect_failed(1, "refused"));
    assert_eq!(words, ["sound stops", "Disconnected", "journal end"]);
    assert_eq!(rig.sent, []);
    assert_eq!(rig.connects.len(), 1);
}

#[test]
fn a_connection_that_takes_too_long_ends_its_calls_and_its_byes_are_tried_again() {
    let mut rig = Rig::tcp();
    rig.invited_not(1);
    rig.turn(|switch| switch.connected(1, tcp()));
    let invite = rig.last("INVITE");
    let contact = "Contact: <sip:phone@192.0.2.5;transport=tcp>";
    rig.hear(tcp(), &answer_with(&invite, 200, "phone", &[contact]));
    rig.durable();
    rig.turn(|switch| switch.closed(tcp()));
    rig.disconnect(2, 1);
    rig.durable();
    // Nobody says a word about the connection that is wanted now, and not about those that are wanted later.
    rig.pass(CONNECT_LIMIT * 3);
    assert!(rig.connects.len() >= 3, "{:?}", rig.connects);
    let (number, _) = *rig.connects.last().unwrap();
    rig.pass(T1 * 8);
    let (number, _) = *rig
        .connects
        .last()
        .filter(|(last, _)| *last > number)
        .unwrap_or(&(number, TRUNK.parse().unwrap()));
    let words = rig.turn(|switch| switch.connected(number, tcp()));
    assert!(
        words.iter().any(|word| word == "BYE") || rig.count("BYE") > 0,
        "{words:?}"
    );
    rig.rest(Duration::from_secs(300));
}

#[test]
fn a_trunk_with_two_addresses_that_refuse_is_not_dialled_without_a_pause() {
    let mut settings = settings_tcp();
    settings.trunks[0] = trunk("pbx", "sip:pbx.example;transport=tcp");
    settings.trunks[0].keepalive = Some(Duration::from_secs(30));
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5"), found("192.0.2.7")]));
    for number in 1..100 {
        rig.pass(MS);
        if rig.connects.iter().any(|(wanted, _)| *wanted == number) {
            rig.turn(|switch| switch.connect_failed(number, "refused"));
        }
    }
    assert_eq!(rig.connects.len(), 2);
    assert!(rig.has(|event| matches!(event, Event::TrunkDown { .. })));
}

#[test]
fn a_call_takes_the_address_of_its_trunk_that_a_connection_leads_to() {
    let mut settings = settings_tcp();
    settings.trunks[0] = trunk("pbx", "sip:pbx.example;transport=tcp");
    settings.trunks[0].keepalive = Some(Duration::from_secs(30));
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7"), found("192.0.2.5")]));
    rig.turn(|switch| switch.connect_failed(1, "no route"));
    assert_eq!(rig.turn(|switch| switch.connected(2, tcp())), ["OPTIONS"]);
    let options = rig.last("OPTIONS");
    rig.hear(tcp(), &answer(&options, 200));
    rig.pass(Duration::from_secs(5));
    rig.invited(1);
    assert_eq!(rig.last("INVITE").path, tcp());
}

#[test]
fn a_hang_up_while_the_invite_waits_for_its_connection_is_confirmed_at_once() {
    let mut rig = Rig::tcp();
    rig.invited_not(1);
    let words = rig.disconnect(2, 1);
    assert_eq!(words, ["sound stops", "Disconnected", "journal wish end"]);
    assert_eq!(rig.durable(), ["answer 2: disconnected"]);
    rig.turn(|switch| switch.connected(1, tcp()));
    rig.rest(Duration::from_secs(300));
    assert_eq!(rig.sent, []);
}
