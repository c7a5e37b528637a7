//! What comes back to a request of ours, and what only looks like it; what is kept of a call that is over.

use std::time::Duration;

use switch::{Event, Settings};

use crate::rig::{PATIENCE, Rig, T1, answer, answer_with, connection_from, from_phone, settings};

const SECOND: Duration = Duration::from_secs(1);

fn causes(rig: &Rig) -> Vec<&'static str> {
    let cause = |event: &Event| match event {
        Event::Ended { cause, .. } => Some(*cause),
        _ => None,
    };
    rig.events.iter().filter_map(cause).collect()
}

#[test]
fn a_late_2xx_after_a_refusal_is_acked_and_hung_up() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer_with(&invite, 486, "one", &[]));
    rig.durable();
    let contact = ["Contact: <sip:two@192.0.2.5>"];
    assert_eq!(
        rig.trunk_says(&answer_with(&invite, 200, "two", &contact)),
        ["journal fork"]
    );
    assert_eq!(rig.durable(), ["ACK", "BYE"], "and not before it is durable");
    let bye = rig.last("BYE");
    assert!(bye.header("To").ends_with("tag=two"));
    rig.trunk_says(&answer(&bye, 200));
    rig.rest(SECOND * 200);
    assert_eq!((rig.switch.live(), causes(&rig)), (0, vec!["rejected"]));
}

#[test]
fn every_phone_that_answers_is_acked_each_time_and_all_but_the_first_are_hung_up() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    assert_eq!(rig.trunk_says(&answer(&invite, 200)), ["ACK"], "its ACK was lost");
    let second = answer_with(&invite, 200, "second", &["Contact: <sip:second@192.0.2.5>"]);
    rig.trunk_says(&second);
    assert_eq!(rig.durable(), ["ACK", "BYE"]);
    assert_eq!(rig.trunk_says(&second), ["ACK"]);
    let bye = rig.last("BYE");
    assert!(bye.header("To").ends_with("tag=second"));
    rig.trunk_says(&answer(&bye, 200));
    assert_eq!((rig.switch.live(), causes(&rig)), (1, vec![]), "the first one is up");
}

#[test]
fn a_call_holds_its_place_until_the_phones_of_all_forks_are_down() {
    let settings = Settings {
        caps: dial::CapsSettings {
            live: 1,
            ..settings().caps
        },
        ..settings()
    };
    let mut rig = Rig::with(settings);
    let invite = rig.up(1);
    rig.trunk_says(&answer_with(
        &invite,
        200,
        "second",
        &["Contact: <sip:second@192.0.2.5>"],
    ));
    rig.durable();
    let fork = rig.last("BYE");
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    assert!(rig.place(2)[0].contains("Capped"));
    rig.trunk_says(&answer(&fork, 200));
    assert_eq!(rig.place(3), ["Connecting", "journal intent"]);
}

#[test]
fn a_call_is_remembered_for_a_transaction_after_its_last_phone_is_down() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    rig.durable();
    rig.pass(T1 * 63);
    let second = answer_with(&invite, 200, "second", &["Contact: <sip:second@192.0.2.5>"]);
    rig.trunk_says(&second);
    assert_eq!(rig.durable(), ["ACK", "BYE"]);
    rig.pass(T1 * 2);
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    rig.durable();
    assert_eq!(rig.trunk_says(&second), ["ACK"], "one that the network had kept");
    rig.pass(T1 * 63);
    assert_eq!(rig.trunk_says(&second), ["ACK"]);
    rig.pass(T1 * 2);
    let nobodys = ["Connected", "journal answer"];
    assert_eq!(rig.trunk_says(&second), nobodys, "nobody remembers it");
}

#[test]
fn silence_is_no_response_and_a_peers_408_is_one() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 408));
    assert_eq!(causes(&rig), ["rejected"]);
    let mut settings = settings();
    settings.limits.ring = SECOND * 60;
    let mut rig = Rig::with(settings);
    rig.invited(1);
    let words = rig.pass(T1 * 64);
    assert!(words.contains(&"CANCEL".to_owned()), "{words:?}");
    assert_eq!(rig.count("CANCEL"), 1, "if only the way back is broken, a phone rings");
    rig.rest(SECOND * 100);
    assert_eq!(causes(&rig), ["timed-out"]);
}

#[test]
fn a_bye_that_nobody_answers_is_sent_anew_and_then_the_call_is_given_up_unconfirmed() {
    let mut rig = Rig::new();
    rig.up(1);
    rig.disconnect(2, 1);
    rig.rest(SECOND * 400);
    let numbers: std::collections::BTreeSet<String> = rig
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("BYE"))
        .map(|sent| sent.header("CSeq").to_owned())
        .collect();
    assert!(numbers.len() > 1, "{numbers:?}");
    assert!(rig.has(|event| matches!(event, Event::Ended { end, .. } if !end.confirmed)));
    assert_eq!(rig.switch.load().live, 0);
}

#[test]
fn a_response_to_what_is_over_or_never_was_is_passed_over() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    for (status, via) in [(180, "z9hG4bKx"), (486, "z9hG4bKx")] {
        assert_eq!(
            rig.trunk_says(&answer(&invite, status).replace("z9hG4bK", via)),
            [""; 0]
        );
    }
    let elsewhere = answer(&invite, 180).replacen("Via", "Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKother\r\nVia", 1);
    assert_eq!(
        rig.trunk_says(&elsewhere),
        [""; 0],
        "with two Vias it is not for us (RFC 3261 §8.1.3.3)"
    );
    rig.trunk_says(&answer(&invite, 486));
    assert_eq!(rig.trunk_says(&answer(&invite, 180)), [""; 0]);
}

/// Neither the call whose branch it has nor the one whose Call-ID it has hears it.
#[test]
fn a_response_to_one_call_that_names_another_is_nobodys() {
    let mut rig = Rig::new();
    let (one, other) = (rig.invited(1), rig.invited(2));
    for status in [180, 486, 200] {
        for call_id in [other.header("Call-ID"), "nobody"] {
            let mixed_up = answer(&one, status).replace(one.header("Call-ID"), call_id);
            assert_eq!(rig.trunk_says(&mixed_up), [""; 0], "{status} {call_id}");
        }
    }
    assert_eq!(rig.trunk_says(&answer(&other, 180)), ["Alerted"]);
    rig.trunk_says(&answer(&one, 486));
    assert_eq!((causes(&rig), rig.switch.live()), (vec!["rejected"], 1));
}

#[test]
fn a_cancel_of_a_reinvite_that_has_its_answer_is_answered_and_changes_nothing() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let reinvite = from_phone(&invite, "INVITE", 1);
    rig.trunk_says(&reinvite);
    let branch = |text: &str| {
        text.split("branch=")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap()
            .to_owned()
    };
    let cancel = from_phone(&invite, "CANCEL", 1);
    let cancel = cancel.replace(&branch(&cancel), &branch(&reinvite));
    assert_eq!(rig.trunk_says(&cancel), ["200 to CANCEL"]);
    rig.trunk_says(&from_phone(&invite, "ACK", 1));
    assert_eq!((rig.pass(SECOND * 40), causes(&rig)), (vec![], vec![]));
}

#[test]
fn a_request_by_a_stream_is_answered_on_its_connection() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let way = connection_from("192.0.2.5:44444");
    rig.hear(way, &from_phone(&invite, "OPTIONS", 1));
    assert_eq!(rig.last("SIP/2.0 200").path, way);
}

#[test]
fn an_ended_call_can_be_asked_about_for_a_while_and_is_then_forgotten() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    rig.durable();
    rig.pass(SECOND * 60 - Duration::from_millis(1));
    assert_eq!(rig.disconnect(2, 1), ["answer 2: disconnected"]);
    assert_eq!(rig.pass(Duration::from_millis(1)), ["forgotten"]);
    assert_eq!(rig.disconnect(3, 1), ["answer 3: Unknown"]);
}

#[test]
fn a_call_whose_end_a_slow_disk_has_not_taken_is_not_forgotten() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    rig.pass(SECOND * 1000);
    rig.disconnect(2, 1);
    assert_eq!(rig.answer_to(2), None);
    rig.durable();
    assert_eq!(rig.answer_to(2), Some("disconnected"));
    rig.disconnect(3, 1);
    rig.pass(PATIENCE.disk);
    assert!(rig.answer_to(3).is_some());
}

#[test]
fn the_sound_ends_its_call_once_it_has_played_or_cannot() {
    for (failed, cause) in [(false, "finished"), (true, "media-failed")] {
        let mut rig = Rig::new();
        rig.up(1);
        let key = rig.written[0].key;
        let words = rig.turn(|switch| {
            if failed {
                switch.sound_failed(key)
            } else {
                switch.played(key)
            }
        });
        assert_eq!(words, ["sound stops", "BYE", "journal wish"]);
        let bye = rig.last("BYE");
        rig.trunk_says(&answer(&bye, 200));
        assert_eq!(causes(&rig), [cause]);
    }
}

#[test]
fn a_call_whose_id_nobody_got_is_hung_up() {
    let mut rig = Rig::new();
    rig.up(1);
    let key = rig.written[0].key;
    assert_eq!(
        rig.turn(|switch| switch.never_delivered(key)),
        ["sound stops", "BYE", "journal wish"]
    );
    assert!(rig.has(|event| matches!(event, Event::NeverDelivered(_))));
}

/// The disk has refused its end, and the far end has said nothing: nobody knows that it is over (promise 3).
#[test]
fn an_end_that_is_neither_durable_nor_confirmed_is_not_promised() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 180));
    rig.disconnect(8, 1);
    rig.not_durable();
    rig.pass(T1 * 80);
    rig.not_durable();
    for (request, wait) in [(9, 0), (10, 60)] {
        rig.pass(T1 * wait);
        rig.disconnect(request, 1);
        let answer = rig.answer_to(request);
        assert_eq!(answer, Some("NotJournaled"), "{:?}", rig.events);
    }
}
