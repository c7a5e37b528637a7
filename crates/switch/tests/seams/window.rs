//! So many INVITEs wait for a first answer of one next hop; the others wait for a place, and not for long.

use std::time::Duration;

use crate::rig::{Rig, Sent, T1, answer, answer_with, settings, tcp, udp};

const WINDOW: u64 = 24;
const MS: Duration = Duration::from_millis(1);

/// So many calls whose intents are durable.
fn placed(rig: &mut Rig, count: u64) -> Vec<Sent> {
    for number in 1..=count {
        rig.place(number);
    }
    rig.durable();
    rig.sent.clone()
}

fn call_ids(sent: &[Sent]) -> Vec<&str> {
    sent.iter().map(|sent| sent.header("Call-ID")).collect()
}

#[test]
fn so_many_invites_are_out_and_the_next_leave_in_order_as_something_comes_back() {
    let mut rig = Rig::new();
    let invites = placed(&mut rig, WINDOW + 3);
    assert_eq!(invites.len(), 24);
    assert_eq!(rig.trunk_says(&answer(&invites[5], 100)), ["INVITE"]);
    assert_eq!(
        rig.trunk_says(&answer(&invites[5], 180)),
        ["Alerted"],
        "a place is given back once"
    );
    assert_eq!(
        rig.trunk_says(&answer(&invites[7], 486))
            .iter()
            .filter(|word| *word == "INVITE")
            .count(),
        1
    );
    let last: Vec<Sent> = rig
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("INVITE"))
        .skip(24)
        .cloned()
        .collect();
    assert_eq!(call_ids(&last), ["call-25@onhook", "call-26@onhook"]);
    rig.trunk_says(&answer(&invites[8], 200));
    assert_eq!(rig.last("INVITE").header("Call-ID"), "call-27@onhook");
}

/// RFC 4028 §10: the far end would hang up.
#[test]
fn a_session_is_refreshed_though_new_calls_wait_for_their_first_answers() {
    let mut settings = settings();
    settings.limits.session_expires = Some(Duration::from_secs(90));
    let mut rig = Rig::with(settings);
    let invite = rig.invited(1);
    let headers = [
        "Contact: <sip:phone@192.0.2.5>",
        "Allow: INVITE, BYE",
        "Session-Expires: 90;refresher=uac",
    ];
    rig.trunk_says(&answer_with(&invite, 200, "phone", &headers));
    rig.durable();
    rig.pass(Duration::from_secs(45) - MS);
    for number in 2..WINDOW + 4 {
        rig.place(number);
    }
    rig.durable();
    assert_eq!(rig.count("INVITE"), 1 + WINDOW as usize);
    rig.pass(MS);
    rig.durable();
    assert_eq!(rig.last("INVITE").header("Call-ID"), "call-1@onhook");
}

#[test]
fn another_next_hop_has_its_own_window() {
    let mut settings = settings();
    settings.trunks.push(crate::rig::trunk("other", "sip:192.0.2.6"));
    settings.caps.live_per_trunk = 30;
    let mut rig = Rig::with(settings);
    let invites = placed(&mut rig, 40);
    let there = |at: &str| invites.iter().filter(|invite| invite.path == udp(at)).count();
    assert_eq!((there("192.0.2.5:5060"), there("192.0.2.6:5060")), (24, 10));
}

#[test]
fn an_invite_that_nobody_answers_gives_its_place_back() {
    let mut rig = Rig::new();
    placed(&mut rig, WINDOW);
    rig.pass(T1 * 64);
    rig.place(100);
    assert!(rig.durable().contains(&"INVITE".to_owned()));
}

#[test]
fn an_invite_that_waits_too_long_ends_its_call() {
    let mut rig = Rig::new();
    placed(&mut rig, WINDOW + 2);
    rig.pass(T1 * 8 - MS);
    assert!(!rig.has(|event| matches!(event, switch::Event::Ended { .. })));
    rig.pass(MS);
    let ends = rig
        .events
        .iter()
        .filter(|event| matches!(event, switch::Event::Ended { cause: "unreachable", end, .. } if end.confirmed));
    assert_eq!(ends.count(), 2);
    assert_eq!(
        call_ids(&rig.sent).iter().filter(|id| **id == "call-25@onhook").count(),
        0
    );
}

#[test]
fn a_hang_up_while_the_invite_waits_for_a_place_is_confirmed_at_once_and_nobody_is_held_up() {
    let mut rig = Rig::new();
    let invites = placed(&mut rig, WINDOW + 2);
    assert_eq!(
        rig.disconnect(90, 25),
        ["sound stops", "Disconnected", "journal wish end"]
    );
    assert_eq!(rig.durable(), ["answer 90: disconnected"]);
    rig.trunk_says(&answer(&invites[0], 100));
    assert_eq!(rig.last("INVITE").header("Call-ID"), "call-26@onhook");
    rig.rest(Duration::from_secs(400));
    assert!(!call_ids(&rig.sent).contains(&"call-25@onhook"));
}

#[test]
fn a_hang_up_of_one_that_is_out_gives_its_place_back_when_it_is_over() {
    let mut rig = Rig::new();
    let invites = placed(&mut rig, WINDOW + 1);
    rig.disconnect(90, 1);
    rig.trunk_says(&answer(&invites[0], 100));
    assert_eq!(rig.last("INVITE").header("Call-ID"), "call-25@onhook");
    assert_eq!(rig.last("CANCEL").header("Call-ID"), "call-1@onhook");
}

/// One that cannot go leaves its place to the next, and not by calling itself.
#[test]
fn thousands_that_wait_for_a_place_end_when_their_connection_goes() {
    let mut rig = Rig::tcp();
    let words = rig.turn(|switch| {
        for number in 1..=3000 {
            switch.place(number, crate::rig::order(number), crate::rig::PATIENCE);
        }
    });
    assert_eq!(words.len(), 3001);
    rig.durable();
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())).len(), 24);
    rig.turn(|switch| switch.closed(tcp()));
    rig.turn(|switch| switch.connect_failed(2, "refused"));
    let ended = |rig: &Rig| {
        let ended = |event: &&switch::Event| matches!(event, switch::Event::Ended { .. });
        rig.events.iter().filter(ended).count()
    };
    // Those that were out may have arrived: they are taken back as soon as they can be.
    assert_eq!(ended(&rig), 3000 - WINDOW as usize);
    rig.rest(Duration::from_secs(600));
    assert_eq!((ended(&rig), rig.switch.live()), (3000, 0));
}

#[test]
fn who_was_not_first_when_its_connection_came_leaves_with_the_others() {
    let mut rig = Rig::tcp();
    placed(&mut rig, 30);
    assert_eq!(rig.turn(|switch| switch.connected(1, tcp())), ["INVITE"; 24]);
    rig.turn(|switch| switch.closed(tcp()));
    // Those that were out may have arrived, and are taken back; the six that were not have waited in order.
    let words = rig.turn(|switch| switch.connected(2, tcp()));
    assert_eq!(words, [vec!["CANCEL"; 24], vec!["INVITE"; 6]].concat());
}

#[test]
fn who_waits_behind_a_younger_call_leaves_after_it_when_both_may() {
    let mut settings = crate::rig::settings_tcp();
    settings.trunks[0].credentials = Some(sip::digest::Credentials {
        username: "onhook".to_owned(),
        password: "secret".to_owned(),
    });
    let mut rig = Rig::with(settings);
    placed(&mut rig, WINDOW + 2);
    rig.turn(|switch| switch.connected(1, tcp()));
    // The first one is asked for a password, and its second INVITE waits behind the last call.
    let first = rig.sent[0].clone();
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"1\"";
    rig.hear(tcp(), &answer_with(&first, 401, "pbx", &[challenge]));
    assert_eq!(rig.last("INVITE").header("Call-ID"), "call-25@onhook");
    rig.durable();
    rig.turn(|switch| switch.closed(tcp()));
    let words = rig.turn(|switch| switch.connected(2, tcp()));
    assert_eq!(words, [vec!["CANCEL"; 24], vec!["INVITE"; 2]].concat());
    let sent: Vec<Sent> = rig.sent[rig.sent.len() - 2..].to_vec();
    assert_eq!(call_ids(&sent), ["call-26@onhook", "call-1@onhook"]);
}
