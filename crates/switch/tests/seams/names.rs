//! Host names: what was found is used on while nobody knows better, and who waits for one that is not found waits no longer.

use std::time::Duration;

use switch::{Event, NoWay, Registration, Settings, TrunkSilence};

use crate::rig::{Rig, TRUNK, answer_with, found, settings, trunk, udp};

const SECOND: Duration = Duration::from_secs(1);
const AWAY: &str = "the resolver does not answer";

fn named() -> Settings {
    Settings {
        trunks: vec![trunk("pbx", "sip:pbx.example")],
        ..settings()
    }
}

/// How old the addresses are that are used on, each time that it was told.
fn stale(rig: &Rig) -> Vec<Duration> {
    let age = |event: &Event| match event {
        Event::StaleAddresses { host, age, why } => {
            assert_eq!((host.as_str(), why.as_str()), ("pbx.example", AWAY));
            Some(*age)
        }
        _ => None,
    };
    rig.events.iter().filter_map(age).collect()
}

#[test]
fn what_was_found_is_used_on_while_the_resolver_is_away_and_its_age_is_told_now_and_then() {
    let mut rig = Rig::with(named());
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    for number in 1..=5 {
        rig.pass(SECOND * 60);
        rig.place(number);
        assert_eq!(rig.durable(), ["INVITE", &format!("answer {number}: placed")]);
        assert_eq!(rig.last("INVITE").path, udp(TRUNK));
        assert_eq!(rig.turn(|switch| switch.not_found("PBX.example", AWAY)), [""; 0]);
    }
    assert_eq!(
        stale(&rig),
        [60, 120, 240].map(Duration::from_secs),
        "the first, second and fourth time"
    );
    assert!(!rig.has(|event| matches!(event, Event::FoundAgain(_))));
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    assert!(rig.has(|event| matches!(event, Event::FoundAgain(host) if host == "pbx.example")));
    rig.invited(9);
    assert_eq!(rig.last("INVITE").path, udp("192.0.2.7:5060"));
}

/// Also the name of a trunk that nobody asks whether it is there.
#[test]
fn a_trunk_is_looked_up_anew_when_the_last_word_on_its_name_is_old_whatever_it_was() {
    let mut rig = Rig::with(named());
    assert_eq!(rig.turn(|switch| switch.not_found("pbx.example", AWAY)), [""; 0]);
    rig.pass(SECOND * 29);
    assert_eq!(rig.place(1), ["answer 1: NoTrunk"]);
    rig.pass(SECOND);
    assert_eq!(rig.place(2), ["resolve pbx.example", "answer 2: NoTrunk"]);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.pass(SECOND * 29);
    assert_eq!(rig.place(3), ["Connecting", "journal intent"]);
    rig.pass(SECOND);
    assert_eq!(rig.place(4)[0], "resolve pbx.example");
    assert_eq!(rig.place(5)[0], "Connecting", "it is being looked up");
    rig.turn(|switch| switch.not_found("pbx.example", AWAY));
    rig.pass(SECOND * 29);
    assert_eq!(rig.place(6)[0], "Connecting", "not at each call");
}

#[test]
fn a_phone_whose_name_is_not_found_gets_its_requests_by_its_trunk_at_once() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    let contact = "Contact: <sip:phone@away.example>";
    rig.trunk_says(&answer_with(&invite, 200, "phone", &[contact]));
    assert_eq!(rig.durable(), ["resolve away.example", "sound starts"]);
    assert_eq!(rig.turn(|switch| switch.not_found("away.example", AWAY)), ["ACK"]);
    let why = NoWay::NotFound {
        host: "away.example".to_owned(),
        why: AWAY.to_owned(),
    };
    assert_eq!(
        why.to_string(),
        "away.example is not found: the resolver does not answer"
    );
    assert!(rig.has(|event| matches!(event, Event::Redirected { why: told, .. } if *told == why)));
}

#[test]
fn a_trunk_whose_name_is_not_found_is_waited_for_no_longer_and_it_is_told_why() {
    let mut settings = named();
    settings.trunks[0].keepalive = Some(SECOND * 30);
    settings.trunks[0].register = Some(Registration {
        expires: SECOND * 3600,
        retry: SECOND * 2,
        address_of_record: "<sip:onhook@example.org>".to_owned(),
        request_uri: "sip:example.org".to_owned(),
    });
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.not_found("pbx.example", AWAY));
    let down = TrunkSilence::NoAddress(AWAY.to_owned());
    assert!(rig.has(|event| matches!(event, Event::TrunkDown { why, .. } if *why == down)));
    let words = "its name is not found: the resolver does not answer";
    assert!(rig.has(|event| matches!(event, Event::RegisterFailed { why, .. } if why == words)));
    assert_eq!(rig.place(1), ["answer 1: NoTrunk"]);
    assert_eq!(rig.pass(SECOND), ["resolve pbx.example"], "and asked for soon");
    let mut words = rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    words.extend(rig.pass(SECOND * 2));
    assert!(
        words.contains(&"OPTIONS".to_owned()) && words.contains(&"REGISTER".to_owned()),
        "{words:?}"
    );
}

#[test]
fn what_a_crash_left_is_ended_when_its_trunks_name_is_found_at_last() {
    let mut rig = Rig::with(named());
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.up(1);
    let mut next = rig.crash(named());
    for _ in 0..3 {
        let mut words = next.turn(|switch| switch.not_found("pbx.example", AWAY));
        words.extend(next.pass(SECOND));
        assert!(
            words.contains(&"resolve pbx.example".to_owned()),
            "a phone waits: {words:?}"
        );
    }
    next.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    next.pass(SECOND * 2);
    assert_eq!(next.last("BYE").path, udp(TRUNK));
}
