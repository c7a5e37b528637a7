//! REGISTER: with a password, for a longer time, again ahead of the end, with growing pauses, and withdrawn (RFC 3261 §10.2).

use std::time::Duration;

use sip::digest::Credentials;
use switch::{Event, Registration, Settings, TrunkSettings};

use crate::rig::{Rig, Sent, answer, answer_with, found, settings, settings_tcp, tcp, trunk, udp};

const SECOND: Duration = Duration::from_secs(1);
const CONTACT: &str = "Contact: <sip:onhook@192.0.2.1:5060>;expires=600";

fn registering(mut settings: Settings) -> Settings {
    settings.trunks[0].register = Some(Registration {
        expires: SECOND * 600,
        retry: SECOND * 2,
        address_of_record: "<sip:alice@pbx.example>".to_owned(),
        request_uri: "sip:pbx.example".to_owned(),
    });
    settings.trunks[0].credentials = Some(Credentials {
        username: "alice".to_owned(),
        password: "secret".to_owned(),
    });
    settings
}

/// The first REGISTER has left.
fn rig() -> Rig {
    Rig::with(registering(settings()))
}

fn bound() -> Rig {
    let mut rig = rig();
    accept(&mut rig);
    assert!(rig.has(|event| matches!(event, Event::Registered(_))));
    rig
}

fn accept(rig: &mut Rig) {
    let register = rig.last("REGISTER");
    rig.hear(register.path, &answer_with(&register, 200, "pbx", &[CONTACT]));
}

/// How long until another REGISTER leaves, in seconds.
fn next(rig: &mut Rig) -> (u64, Sent) {
    let (before, start) = (rig.last("REGISTER"), rig.now);
    while rig.last("REGISTER") == before {
        assert!(rig.now - start < SECOND * 4000, "no further REGISTER");
        rig.pass(SECOND / 4);
    }
    ((rig.now - start).as_secs(), rig.last("REGISTER"))
}

fn failures(rig: &Rig) -> usize {
    let failed = |event: &&Event| matches!(event, Event::RegisterFailed { .. });
    rig.events.iter().filter(failed).count()
}

#[test]
fn a_challenge_is_answered_and_the_password_is_not_told() {
    let mut rig = rig();
    let first = rig.last("REGISTER");
    assert!(first.text.starts_with("REGISTER sip:pbx.example SIP/2.0\r\n"));
    assert_eq!(
        (first.header("To"), first.header("Expires"), first.header("Contact")),
        ("<sip:alice@pbx.example>", "600", "<sip:onhook@192.0.2.1:5060>")
    );
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";
    assert_eq!(
        rig.trunk_says(&answer_with(&first, 401, "pbx", &[challenge])),
        ["REGISTER"]
    );
    let second = rig.last("REGISTER");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("CSeq"), "2 REGISTER");
    let authorization = second.header("Authorization");
    for part in [
        "username=\"alice\"",
        "realm=\"pbx\"",
        "nonce=\"n1\"",
        "uri=\"sip:pbx.example\"",
    ] {
        assert!(authorization.contains(part), "{part} in {authorization}");
    }
    assert!(!second.text.contains("secret"));
    accept(&mut rig);
    assert!(rig.has(|event| matches!(event, Event::Registered(_))));
}

#[test]
fn a_wrong_password_is_told_and_tried_again_after_a_pause_without_end() {
    let mut rig = rig();
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\"";
    for _ in 0..2 {
        let register = rig.last("REGISTER");
        rig.trunk_says(&answer_with(&register, 401, "pbx", &[challenge]));
    }
    assert_eq!((rig.count("REGISTER"), failures(&rig)), (2, 1));
    let (_, again) = next(&mut rig);
    assert!(!again.text.contains("Authorization"), "anew");
}

#[test]
fn a_registrar_that_wants_ever_longer_times_is_not_followed_for_ever() {
    let mut rig = rig();
    for longer in 0..20 {
        let register = rig.last("REGISTER");
        let least = format!("Min-Expires: {}", 700 + longer);
        rig.trunk_says(&answer_with(&register, 423, "pbx", &[&least]));
    }
    assert_eq!((rig.count("REGISTER"), failures(&rig)), (8, 1));
}

#[test]
fn a_registrar_that_asks_for_ever_other_nonces_is_not_followed_for_ever() {
    let mut rig = rig();
    for nonce in 0..20 {
        let register = rig.last("REGISTER");
        let challenge = format!("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\", stale=true");
        rig.trunk_says(&answer_with(&register, 401, "pbx", &[&challenge]));
    }
    assert!(rig.count("REGISTER") <= 8, "{}", rig.count("REGISTER"));
    assert_eq!(failures(&rig), 1);
}

#[test]
fn a_longer_time_is_asked_for_when_the_registrar_wants_it() {
    let mut rig = rig();
    let first = rig.last("REGISTER");
    rig.trunk_says(&answer_with(&first, 423, "pbx", &["Min-Expires: 1800"]));
    assert_eq!(rig.last("REGISTER").header("Expires"), "1800");
    let second = rig.last("REGISTER");
    rig.trunk_says(&answer_with(&second, 423, "pbx", &["Min-Expires: 1800"]));
    assert_eq!(
        (rig.count("REGISTER"), failures(&rig)),
        (2, 1),
        "it was given that already"
    );
}

#[test]
fn a_refusal_is_told_once_and_tried_again_with_growing_pauses() {
    let mut rig = rig();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let register = rig.last("REGISTER");
        rig.trunk_says(&answer(&register, 503));
        pauses.push(next(&mut rig).0);
    }
    assert_eq!(failures(&rig), 1);
    for (pause, longest) in pauses.iter().zip([2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]) {
        assert!((longest / 2..=longest).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_binding_is_refreshed_ahead_of_what_was_granted() {
    let mut rig = rig();
    let register = rig.last("REGISTER");
    let granted = "Contact: <sip:onhook@192.0.2.1:5060;ob>;expires=10";
    rig.trunk_says(&answer_with(&register, 200, "pbx", &[granted, "Expires: 3600"]));
    assert!((7..10).contains(&next(&mut rig).0));
    accept(&mut rig);
    assert!((500..600).contains(&next(&mut rig).0));
}

#[test]
fn a_registrar_that_is_silent_is_asked_again() {
    let mut rig = rig();
    rig.pass(SECOND * 32);
    assert_eq!(failures(&rig), 1);
    next(&mut rig);
}

#[test]
fn leaving_withdraws_the_binding_and_waits_for_its_confirmation() {
    let mut rig = bound();
    assert_eq!(rig.turn(|switch| switch.leave(1)), ["REGISTER"]);
    let last = rig.last("REGISTER");
    assert_eq!(last.header("Expires"), "0");
    assert_eq!(rig.answer_to(1), None);
    rig.trunk_says(&answer(&last, 200));
    assert_eq!(rig.answer_to(1), Some("left"));
    rig.rest(SECOND * 1000);
    assert_eq!(rig.last("REGISTER"), last, "and nothing is registered again");
}

/// What asked for the binding and is not answered must not come after what gives it up.
#[test]
fn a_register_that_is_not_answered_is_not_said_again_when_the_switch_leaves() {
    let mut rig = rig();
    assert_eq!(rig.turn(|switch| switch.leave(1)), ["REGISTER"]);
    assert_eq!(rig.last("REGISTER").header("Expires"), "0");
    rig.pass(SECOND);
    let binding = rig
        .sent
        .iter()
        .filter(|sent| sent.text.contains("\r\nExpires: 600\r\n"));
    assert_eq!((binding.count(), rig.count("REGISTER")), (1, 3));
}

/// One that finds no time too short: whoever leaves does not stay for it.
#[test]
fn no_longer_time_is_asked_for_when_the_switch_leaves() {
    let mut rig = bound();
    rig.turn(|switch| switch.leave(1));
    let farewell = rig.last("REGISTER");
    rig.trunk_says(&answer_with(&farewell, 423, "pbx", &["Min-Expires: 60"]));
    assert_eq!(rig.last("REGISTER"), farewell);
}

#[test]
fn leaving_waits_no_longer_than_two_seconds_and_whoever_asks_is_answered() {
    let mut rig = bound();
    rig.turn(|switch| switch.leave(1));
    rig.turn(|switch| switch.leave(2));
    rig.pass(SECOND * 2 - Duration::from_millis(1));
    assert_eq!(rig.answers, []);
    rig.pass(Duration::from_millis(1));
    assert_eq!((rig.answer_to(1), rig.answer_to(2)), (Some("left"), Some("left")));
    assert_eq!(
        Rig::new().turn(|switch| switch.leave(1)),
        ["answer 1: left"],
        "nothing to withdraw"
    );
}

#[test]
fn a_registrar_that_cannot_be_reached_is_tried_again() {
    let mut rig = Rig::with(registering(settings_tcp()));
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    assert_eq!(rig.connects.len(), 1);
    rig.turn(|switch| switch.connect_failed(1, "refused"));
    assert_eq!(failures(&rig), 1);
    rig.pass(SECOND * 2);
    assert_eq!(rig.turn(|switch| switch.connected(2, tcp())), ["REGISTER"]);
}

/// With a registrar that is a name.
fn registering_by_name() -> Settings {
    let mut settings = registering(settings());
    settings.trunks[0] = TrunkSettings {
        register: settings.trunks[0].register.clone(),
        ..trunk("pbx", "sip:pbx.example")
    };
    settings
}

#[test]
fn a_registrar_whose_name_is_found_later_is_asked_then() {
    let mut rig = Rig::with(registering_by_name());
    for _ in 0..5 {
        rig.turn(|switch| switch.found("pbx.example", &[]));
        rig.pass(SECOND);
    }
    assert_eq!(failures(&rig), 1, "it is not waited for without end");
    assert_eq!(rig.count("REGISTER"), 0);
    for _ in 0..40 {
        rig.pass(SECOND);
        rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    }
    assert_eq!(rig.last("REGISTER").path, udp("192.0.2.5:5060"));
}

#[test]
fn a_registrar_that_was_nowhere_is_asked_as_soon_as_it_is_found() {
    let mut rig = Rig::with(registering_by_name());
    rig.turn(|switch| switch.not_found("pbx.example", "no such name"));
    for _ in 0..60 {
        rig.pass(SECOND);
        rig.turn(|switch| switch.not_found("pbx.example", "no such name"));
    }
    assert_eq!(rig.count("REGISTER"), 0);
    let words = rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    assert_eq!(words, ["REGISTER"]);
}

#[test]
fn what_was_granted_counts_also_when_the_registrar_is_nowhere_by_then() {
    let mut rig = Rig::with(registering_by_name());
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    let register = rig.last("REGISTER");
    let granted = "Contact: <sip:onhook@192.0.2.1:5060>;expires=60";
    let answer = answer_with(&register, 200, "pbx", &[granted]);
    // It is listened to as long as a call goes by it.
    rig.invited(1);
    rig.turn(|switch| switch.found("pbx.example", &[found("2001:db8::1")]));
    rig.hear(register.path, &answer);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    let wait = next(&mut rig).0;
    assert!((40..60).contains(&wait), "after {wait} s {:?}", rig.events);
}

#[test]
fn an_outbound_proxy_gets_everything_first() {
    let mut settings = registering(settings());
    let proxy = "sip:192.0.2.5:5060";
    settings.trunks[0].next_hop = "sip:pbx.example".to_owned();
    settings.trunks[0].outbound_proxy = Some(proxy.to_owned());
    let mut rig = Rig::with(settings);
    let register = rig.last("REGISTER");
    assert_eq!(
        (register.path, register.header("Route")),
        (udp("192.0.2.5:5060"), "<sip:192.0.2.5:5060;lr>")
    );
    let invite = rig.invited(1);
    assert_eq!(
        (invite.path, invite.header("Route")),
        (udp("192.0.2.5:5060"), "<sip:192.0.2.5:5060;lr>")
    );
}
