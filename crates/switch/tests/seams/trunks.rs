//! Whether a trunk is there: asked by OPTIONS, doubted when a call hears nothing, known as back soon after it is.

use std::time::Duration;

use sip::Transport;
use switch::{Event, Listener, Settings, TrunkSilence};

use crate::rig::{OURS, Rig, T1, answer, found, settings, settings_tcp, tcp, trunk, udp};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn asked_every(interval: Duration, settings: Settings) -> Settings {
    let mut settings = settings;
    for trunk in &mut settings.trunks {
        trunk.keepalive = Some(interval);
    }
    settings
}

/// Asked every 30 s, and up.
fn up() -> Rig {
    let mut rig = Rig::with(asked_every(SECOND * 30, settings()));
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    answers(&mut rig);
    assert!(rig.has(|event| matches!(event, Event::TrunkUp(_))));
    rig
}

fn answers(rig: &mut Rig) {
    let options = rig.last("OPTIONS");
    rig.hear(options.path, &answer(&options, 404));
}

fn downs(rig: &Rig) -> Vec<TrunkSilence> {
    let why = |event: &Event| match event {
        Event::TrunkDown { why, .. } => Some(why.clone()),
        _ => None,
    };
    rig.events.iter().filter_map(why).collect()
}

/// When the different OPTIONS of the next while leave, in seconds from now. Nobody answers.
fn asked_at(rig: &mut Rig, refused: bool, count: usize) -> Vec<u64> {
    let start = rig.now;
    let mut at: Vec<u64> = Vec::new();
    while at.len() < count {
        let before = rig.last("OPTIONS");
        rig.pass(MS * 100);
        let options = rig.last("OPTIONS");
        if options != before {
            at.push((rig.now - start).as_secs());
            if refused {
                rig.turn(|switch| switch.handle_refusal(options.text.as_bytes()));
            }
        }
    }
    at
}

#[test]
fn a_trunk_that_is_down_is_asked_after_one_two_three_and_three_seconds() {
    let mut rig = up();
    rig.pass(SECOND * 30);
    let options = rig.last("OPTIONS");
    assert_eq!(
        rig.turn(|switch| switch.handle_refusal(options.text.as_bytes())),
        [""; 0]
    );
    assert_eq!(downs(&rig), [], "once may be the moment of a restart");
    assert_eq!(asked_at(&mut rig, true, 5), [1, 2, 4, 7, 10]);
    assert!(matches!(downs(&rig)[..], [TrunkSilence::Unreachable(_)]));
    // A silent one as often, from the end of waiting on.
    let mut rig = up();
    rig.pass(SECOND * 30 + T1 * 12);
    assert_eq!(downs(&rig), [TrunkSilence::TimedOut]);
    assert_eq!(asked_at(&mut rig, false, 4), [1, 1 + 6 + 2, 9 + 6 + 3, 18 + 6 + 3]);
}

#[test]
fn a_trunk_is_never_asked_later_than_the_interval_says() {
    let mut rig = Rig::with(asked_every(MS * 700, settings()));
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    answers(&mut rig);
    for _ in 0..6 {
        let before = rig.last("OPTIONS");
        rig.pass(MS * 700);
        let options = rig.last("OPTIONS");
        assert_ne!(options, before);
        rig.turn(|switch| switch.handle_refusal(options.text.as_bytes()));
    }
}

#[test]
fn a_trunk_that_is_back_takes_calls_within_three_seconds() {
    let mut rig = up();
    rig.pass(SECOND * 30);
    let options = rig.last("OPTIONS");
    rig.turn(|switch| switch.handle_refusal(options.text.as_bytes()));
    asked_at(&mut rig, true, 6);
    assert_eq!(rig.place(1), ["answer 1: NoTrunk"]);
    let before = rig.last("OPTIONS");
    rig.pass(SECOND * 3);
    assert_ne!(rig.last("OPTIONS"), before);
    answers(&mut rig);
    assert_eq!(rig.place(2), ["Connecting", "journal intent"]);
}

#[test]
fn a_peer_that_says_nothing_to_an_invite_is_known_as_down_within_ten_seconds_and_one_that_does_is_not_asked() {
    let mut rig = up();
    rig.pass(SECOND * 5);
    let asked = rig.count("OPTIONS");
    rig.invited(1);
    rig.pass(T1 * 4 - MS);
    assert_eq!(rig.count("OPTIONS"), asked);
    assert!(rig.pass(MS).contains(&"OPTIONS".to_owned()));
    rig.pass(SECOND * 8 - MS);
    assert_eq!(downs(&rig), [TrunkSilence::TimedOut]);

    let mut rig = up();
    rig.pass(SECOND * 5);
    let asked = rig.count("OPTIONS");
    let invite = rig.invited(1);
    rig.pass(SECOND);
    rig.trunk_says(&answer(&invite, 100));
    rig.pass(SECOND * 10);
    assert_eq!((rig.count("OPTIONS"), downs(&rig).len()), (asked, 0));
}

fn ends(rig: &Rig) -> Vec<&'static str> {
    let cause = |event: &Event| match event {
        Event::Ended { cause, .. } => Some(*cause),
        _ => None,
    };
    rig.events.iter().filter_map(cause).collect()
}

/// Timer B is as long as the protocol needs (RFC 3261 §17.1.1.2). Should only the way back be broken, the CANCEL stops a phone that rings.
#[test]
fn a_call_whose_trunk_says_nothing_to_anything_ends_when_its_invite_times_out() {
    let mut rig = up();
    rig.pass(SECOND * 5);
    rig.invited(1);
    rig.pass(T1 * 64 - MS);
    assert_eq!((ends(&rig), downs(&rig)), (vec![], vec![TrunkSilence::TimedOut]));
    rig.pass(MS);
    assert_eq!((ends(&rig), rig.count("CANCEL")), (vec!["timed-out"], 1));
}

/// The INVITE may have arrived, and only what came back be lost.
#[test]
fn a_call_whose_trunk_has_said_something_since_gets_its_cancel() {
    let mut rig = Rig::with(asked_every(SECOND * 5, settings()));
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    answers(&mut rig);
    rig.invited(1);
    rig.pass(T1 * 4);
    answers(&mut rig);
    rig.pass(T1 * 60 - MS);
    assert_eq!((ends(&rig), downs(&rig)), (vec![], vec![TrunkSilence::TimedOut]));
    rig.pass(MS);
    assert_eq!((ends(&rig), rig.count("CANCEL")), (vec![], 1));
    rig.pass(T1 * 68);
    assert_eq!(ends(&rig), ["timed-out"]);

    // Nor is one that was never asked known to be away.
    let mut rig = Rig::new();
    rig.invited(1);
    rig.pass(T1 * 64);
    assert_eq!((ends(&rig), rig.count("CANCEL")), (vec![], 1));
}

#[test]
fn a_refusal_of_a_datagram_ends_no_call() {
    let mut rig = up();
    let invite = rig.invited(1);
    rig.turn(|switch| {
        switch.handle_refusal(invite.text.as_bytes());
        switch.handle_refusal(invite.text.as_bytes());
    });
    assert_eq!(downs(&rig), [], "nobody was being asked");
    assert_eq!(rig.trunk_says(&answer(&invite, 180)), ["Alerted"]);
}

/// ICMP errors can be sent by anybody; as a rule they quote some 500 bytes.
#[test]
fn who_quotes_two_questions_is_believed_and_who_guesses_is_not() {
    let quoted = |text: &str| text.as_bytes()[..text.len().min(500)].to_vec();
    let mut rig = up();
    rig.pass(SECOND * 30);
    let first = rig.last("OPTIONS");
    let guess = first.text.replace("z9hG4bK", "z9hG4bKguess");
    for forged in [guess.as_str(), "", &first.text[..40]] {
        rig.turn(|switch| switch.handle_refusal(forged.as_bytes()));
        rig.pass(SECOND);
        assert_eq!(
            rig.last("OPTIONS").text,
            first.text,
            "no new question is asked because of it"
        );
    }
    rig.turn(|switch| switch.handle_refusal(&quoted(&first.text)));
    rig.pass(SECOND);
    let second = rig.last("OPTIONS");
    assert_ne!(second.text, first.text);
    rig.turn(|switch| switch.handle_refusal(&quoted(&first.text)));
    assert_eq!(downs(&rig), [], "that was the one before");
    rig.turn(|switch| switch.handle_refusal(&quoted(&second.text)));
    assert!(matches!(downs(&rig)[..], [TrunkSilence::Unreachable(_)]));
}

#[test]
fn a_host_is_the_same_in_capitals() {
    let mut settings = settings();
    settings.trunks[0] = trunk("pbx", "sip:PBX.example");
    let mut rig = Rig::with(asked_every(SECOND * 30, settings));
    assert_eq!(
        rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")])),
        ["OPTIONS"]
    );
}

#[test]
fn a_trunk_that_refuses_a_connection_is_down_at_once_and_up_soon_after_it_is_back() {
    let mut rig = Rig::with(asked_every(SECOND * 30, settings_tcp()));
    rig.turn(|switch| switch.connected(1, tcp()));
    answers(&mut rig);
    // It goes while nobody is asking.
    rig.pass(SECOND * 3);
    rig.turn(|switch| switch.closed(tcp()));
    rig.invited_not(1);
    rig.turn(|switch| switch.connect_failed(2, "refused"));
    assert_eq!(downs(&rig), [TrunkSilence::Unreachable("refused".to_owned())]);
    for number in 3..7 {
        let before = rig.connects.len();
        rig.pass(SECOND * 3);
        assert_eq!(rig.connects.len(), before + 1);
        rig.turn(|switch| switch.connect_failed(number, "refused"));
    }
    rig.pass(SECOND * 3);
    assert_eq!(rig.turn(|switch| switch.connected(7, tcp())), ["OPTIONS"]);
    answers(&mut rig);
    assert_eq!(rig.place(2), ["Connecting", "journal intent"]);
}

#[test]
fn a_trunk_whose_name_is_not_found_is_down_at_once_and_looked_up_at_each_probe() {
    let mut settings = settings();
    settings.trunks[0] = trunk("pbx", "sip:pbx.example");
    let mut rig = Rig::with(asked_every(SECOND * 30, settings));
    rig.turn(|switch| switch.found("pbx.example", &[]));
    assert_eq!(downs(&rig), [TrunkSilence::NoAddress("it has no address".to_owned())]);
    for pause in [1, 2, 3, 3] {
        assert_eq!(rig.pass(SECOND * pause), ["resolve pbx.example"]);
        rig.turn(|switch| switch.found("pbx.example", &[]));
    }
    assert_eq!(rig.place(1), ["answer 1: NoTrunk"]);
    rig.pass(SECOND * 3);
    assert_eq!(
        rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")])),
        ["OPTIONS"]
    );
    answers(&mut rig);
    assert_eq!(rig.place(2), ["Connecting", "journal intent"]);
}

#[test]
fn a_trunk_that_moved_while_it_was_down_is_found_where_it_is() {
    let mut settings = settings();
    settings.trunks[0] = trunk("pbx", "sip:pbx.example");
    let mut rig = Rig::with(asked_every(SECOND * 30, settings));
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.pass(T1 * 12);
    assert_eq!(downs(&rig), [TrunkSilence::TimedOut]);
    assert!(rig.pass(SECOND).contains(&"resolve pbx.example".to_owned()));
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.7")]));
    rig.pass(SECOND * 9);
    assert_eq!(rig.last("OPTIONS").path, udp("192.0.2.7:5060"));
}

#[test]
fn a_trunk_that_is_not_asked_is_taken_to_be_up() {
    let mut rig = Rig::new();
    assert_eq!(rig.pass(SECOND * 1000), [""; 0]);
    assert_eq!(rig.place(1), ["Connecting", "journal intent"]);
}

#[test]
fn peers_are_told_the_external_address_or_the_one_that_reaches_them() {
    let any = Listener {
        transport: Transport::Udp,
        address: "0.0.0.0:5060".parse().unwrap(),
    };
    let mut settings = Settings {
        listeners: vec![any],
        ..settings()
    };
    let mut rig = Rig::with(settings.clone());
    assert_eq!(
        rig.place(1),
        ["answer 1: NoTrunk"],
        "nobody knows yet who we are towards it"
    );
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    let invite = rig.invited(2);
    assert!(invite.header("Via").contains(OURS) && invite.header("Contact").contains(OURS));
    assert!(invite.text.contains("c=IN IP4 192.0.2.1\r\n"));
    settings.external_address = Some("198.51.100.1".parse().unwrap());
    let invite = Rig::with(settings).invited(1);
    assert!(invite.header("Contact").contains("198.51.100.1:5060"));
    assert!(invite.text.contains("c=IN IP4 198.51.100.1\r\n"));
}
