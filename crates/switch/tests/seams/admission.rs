//! Who is listened to, and what is said to those that want nothing that we have.

use std::time::Duration;

use switch::{Event, Settings};

use crate::rig::{Rig, answer, from_phone, settings, udp};

const STRANGER: &str = "192.0.2.66:5060";

/// A request that belongs to nothing of ours.
fn stranger(method: &str, number: u32) -> String {
    format!(
        "{method} sip:onhook@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK-stranger-{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:who@192.0.2.66>;tag=who\r\nTo: <sip:onhook@192.0.2.1>\r\nCall-ID: stranger-{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:who@192.0.2.66>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_stranger_gets_no_answer_whatever_it_says() {
    let mut rig = Rig::new();
    rig.invited(1);
    for (number, method) in ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "NONSENSE"]
        .iter()
        .enumerate()
    {
        assert_eq!(rig.hear(udp(STRANGER), &stranger(method, number as u32)), [""; 0]);
    }
    assert_eq!(rig.hear(udp(STRANGER), "\0\0 junk"), [""; 0]);
    let told = rig
        .events
        .iter()
        .filter(|event| matches!(event, Event::TurnedAway { .. }));
    assert_eq!(told.count(), 4, "at the first, second, fourth and eighth time");
}

#[test]
fn whoever_knows_the_call_id_is_heard() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    assert!(
        rig.hear(udp(STRANGER), &from_phone(&invite, "BYE", 1))
            .contains(&"Disconnected".to_owned())
    );
    assert_eq!(rig.last("SIP/2.0 200").path, udp(STRANGER));
}

#[test]
fn listed_networks_are_heard() {
    let settings = Settings {
        peers: vec!["192.0.2.64/29".parse().unwrap()],
        ..settings()
    };
    let mut rig = Rig::with(settings);
    assert_eq!(
        rig.hear(udp(STRANGER), &stranger("OPTIONS", 1)),
        ["200 to OPTIONS > 192.0.2.66:5060"]
    );
    assert_eq!(rig.hear(udp("192.0.2.72:5060"), &stranger("OPTIONS", 2)), [""; 0]);
    assert!(rig.switch.knows("::ffff:192.0.2.66".parse().unwrap()));
}

#[test]
fn requests_that_belong_to_no_call_are_answered_as_the_rfcs_say() {
    let mut rig = Rig::new();
    for (number, (method, expected)) in [
        ("INVITE", "480"),
        ("OPTIONS", "200"),
        ("BYE", "481"),
        ("CANCEL", "481"),
        ("UPDATE", "481"),
        ("INFO", "481"),
        ("PRACK", "481"),
        ("REGISTER", "405"),
        ("MESSAGE", "405"),
        ("NOTIFY", "489"),
        ("NONSENSE", "501"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(
            rig.trunk_says(&stranger(method, number as u32)),
            [format!("{expected} to {method}")]
        );
    }
    assert_eq!(rig.trunk_says(&stranger("ACK", 99)), [""; 0]);
}

#[test]
fn a_request_that_comes_again_is_answered_again_alike() {
    for method in ["INVITE", "OPTIONS", "BYE"] {
        let mut rig = Rig::new();
        let request = stranger(method, 1);
        rig.trunk_says(&request);
        rig.pass(Duration::from_secs(1));
        rig.trunk_says(&request);
        assert_eq!((rig.sent.len(), &rig.sent[0]), (2, &rig.sent[1]), "{method}");
    }
}

#[test]
fn a_refused_invite_is_answered_once_each_time_it_comes_and_never_by_itself() {
    let mut rig = Rig::new();
    rig.trunk_says(&stranger("INVITE", 1));
    assert_eq!(rig.pass(Duration::from_secs(100)), [""; 0]);
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let mut rig = Rig::new();
    let request = stranger("OPTIONS", 1);
    let wrong = [
        (request.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), "505"),
        (request.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), "400"),
        (
            request.replace("sip:onhook@192.0.2.1:5060 SIP", "nobodyKnows:x SIP"),
            "416",
        ),
    ];
    for (request, expected) in wrong {
        let words = rig.trunk_says(&request);
        assert!(
            words.len() == 1 && words[0].starts_with(expected),
            "{words:?} for {request}"
        );
    }
}

#[test]
fn a_flood_is_answered_up_to_the_allowance_and_calls_go_on() {
    let settings = Settings {
        requests_per_second: Some(10),
        ..settings()
    };
    for method in ["OPTIONS", "INVITE", "CANCEL"] {
        let mut rig = Rig::with(settings.clone());
        let invite = rig.up(1);
        let sent = rig.sent.len();
        for number in 0..500 {
            rig.trunk_says(&stranger(method, number));
        }
        assert_eq!(rig.sent.len() - sent, 20, "two seconds' worth of {method}");
        assert!(
            rig.trunk_says(&from_phone(&invite, "BYE", 1))
                .contains(&"Disconnected".to_owned())
        );
        rig.pass(Duration::from_secs(1));
        let sent = rig.sent.len();
        for number in 1000..1500 {
            rig.trunk_says(&stranger(method, number));
        }
        assert_eq!(rig.sent.len() - sent, 10, "{method}");
        rig.pass(Duration::from_secs(1));
        let sent = rig.sent.len();
        for _ in 0..500 {
            rig.trunk_says(&stranger(method, 1499));
        }
        assert_eq!(rig.sent.len() - sent, 10, "one {method} again and again");
    }
}

#[test]
fn a_message_that_is_too_long_is_turned_away() {
    let mut rig = Rig::new();
    let long = stranger("OPTIONS", 1).replace("Max-Forwards", &format!("X: {}\r\nMax-Forwards", "x".repeat(66_000)));
    assert_eq!(rig.trunk_says(&long), [""; 0]);
    assert!(rig.has(|event| matches!(event, Event::TurnedAway { .. })));
}

#[test]
fn a_cancel_for_nothing_is_answered_481_also_inside_a_call() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    assert_eq!(rig.trunk_says(&from_phone(&invite, "CANCEL", 5)), ["481 to CANCEL"]);
    assert_eq!(rig.trunk_says(&answer(&invite, 200)), ["ACK"], "the call lives");
}

#[test]
fn requests_inside_a_call_are_answered() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let words = rig.trunk_says(&from_phone(&invite, "INVITE", 1));
    assert_eq!(words, ["100 to INVITE", "200 to INVITE"]);
    assert_eq!(rig.trunk_says(&from_phone(&invite, "ACK", 1)), [""; 0]);
    assert_eq!(
        rig.pass(Duration::from_secs(10)),
        [""; 0],
        "the 200 is no longer repeated"
    );
    for (cseq, method, expected) in [
        (2, "OPTIONS", "200"),
        (3, "INFO", "200"),
        (4, "UPDATE", "200"),
        (5, "NOTIFY", "481"),
    ] {
        let words = rig.trunk_says(&from_phone(&invite, method, cseq));
        assert_eq!(words.first(), Some(&format!("{expected} to {method}")), "{words:?}");
    }
    assert_eq!(
        rig.trunk_says(&from_phone(&invite, "INFO", 2)),
        ["500 to INFO"],
        "an old CSeq (RFC 3261 §12.2.2)"
    );
    let words = rig.trunk_says(&from_phone(&invite, "BYE", 6));
    assert!(
        words.contains(&"200 to BYE".to_owned()) && words.contains(&"Disconnected".to_owned()),
        "{words:?}"
    );
}

#[test]
fn a_200_of_ours_that_is_never_acked_ends_the_call() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.trunk_says(&from_phone(&invite, "INVITE", 1));
    let words = rig.pass(Duration::from_secs(32));
    assert_eq!(
        words.iter().filter(|word| *word == "200 to INVITE").count(),
        10,
        "T1 doubling to T2"
    );
    assert!(words.contains(&"BYE".to_owned()), "{words:?}");
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    assert!(rig.has(|event| matches!(event, Event::Ended { cause: "no-ack", .. })));
}

#[test]
fn a_request_inside_a_call_that_comes_again_is_answered_again_and_heard_once() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let bye = from_phone(&invite, "BYE", 1);
    rig.trunk_says(&bye);
    assert_eq!(rig.trunk_says(&bye), ["200 to BYE"]);
    let ends = rig.events.iter().filter(|event| matches!(event, Event::Ended { .. }));
    assert_eq!(ends.count(), 1);
}

#[test]
fn a_request_with_a_foreign_tag_is_not_of_the_call() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    let bye = from_phone(&invite, "BYE", 1).replace("tag=phone", "tag=other");
    assert_eq!(rig.trunk_says(&bye), ["481 to BYE"]);
}

#[test]
fn a_2xx_whose_branch_is_not_ours_is_nobodys() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    let forged = answer(&invite, 200).replace("branch=z9hG4bK", "branch=z9hG4bKx");
    assert_eq!(rig.trunk_says(&forged), [""; 0]);
    let unknown = forged.replace("call-1@onhook", "call-9@onhook");
    assert_eq!(rig.trunk_says(&unknown), [""; 0]);
}
