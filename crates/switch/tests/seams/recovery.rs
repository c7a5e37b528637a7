//! What an earlier process left is ended: so many at a time, in order, and none that kills us twice before the others.

use std::{collections::BTreeSet, time::Duration};

use switch::{
    Event, Settings,
    journal::{CallKey, Leftover},
};

use crate::rig::{
    OWNER, PATIENCE, Rig, Sent, T1, answer, answer_with, found, from_phone, id, next_process, settings, settings_tcp,
    trunk, udp,
};

const SECOND: Duration = Duration::from_secs(1);

/// So many calls of which the first `up` are up, and their INVITEs.
fn crashed(count: u64, up: u64) -> (Vec<Leftover>, Vec<Sent>) {
    let mut rig = Rig::new();
    let mut invites = Vec::new();
    for number in 1..=count {
        let invite = rig.invited(number);
        let status = if number <= up { 200 } else { 100 };
        rig.trunk_says(&answer(&invite, status));
        rig.durable();
        invites.push(invite);
    }
    (rig.leftovers(), invites)
}

fn next() -> Rig {
    Rig::with(next_process(settings()))
}

fn begin(leftovers: &[Leftover]) -> Rig {
    let mut rig = next();
    rig.turn(|switch| switch.end_leftovers(leftovers.to_vec()));
    rig
}

/// These went by the trunk `other`, and not by `pbx`.
fn went_by_other(leftovers: &mut [Leftover]) {
    for state in leftovers.iter_mut().filter_map(|leftover| leftover.state.as_mut()) {
        let record = String::from_utf8(state.dialog.clone()).unwrap();
        state.dialog = record.replace("\"trunk\":\"pbx\"", "\"trunk\":\"other\"").into_bytes();
    }
}

fn cancelled(rig: &Rig) -> Vec<String> {
    let of = |sent: &Sent| sent.header("Call-ID").to_owned();
    let mut seen = Vec::new();
    for sent in &rig.sent {
        if (sent.text.starts_with("CANCEL") || sent.text.starts_with("BYE")) && !seen.contains(&of(sent)) {
            seen.push(of(sent));
        }
    }
    seen
}

#[test]
fn a_leftover_is_taken_up_a_turn_after_that_was_told() {
    let (leftovers, _) = crashed(1, 1);
    let mut rig = next();
    let words = rig.turn(|switch| switch.end_leftovers(leftovers));
    assert_eq!(words, ["Connected", "taking up 1"]);
    assert_eq!(
        rig.turn(|_| {}),
        ["Connected", "ACK", "BYE", "taken up 1", "journal wish"]
    );
    let bye = rig.last("BYE");
    assert!(rig.trunk_says(&answer(&bye, 200)).contains(&"Disconnected".to_owned()));
}

#[test]
fn so_many_are_taken_up_in_a_t1_those_that_are_up_first() {
    let (leftovers, _) = crashed(300, 10);
    let mut rig = begin(&leftovers);
    rig.turn(|_| {});
    let first = cancelled(&rig);
    assert_eq!(first.len(), 128);
    let up: BTreeSet<String> = (1..=10).map(|number| format!("call-{number}@onhook")).collect();
    assert_eq!(first[..10].iter().cloned().collect::<BTreeSet<_>>(), up);
    assert_eq!(first[10], "call-300@onhook", "then the newest");
    rig.pass(T1 - Duration::from_millis(1));
    assert_eq!(cancelled(&rig).len(), 128);
    rig.pass(Duration::from_millis(1));
    assert_eq!(cancelled(&rig).len(), 256);
    rig.pass(T1);
    assert_eq!(cancelled(&rig).len(), 300);
}

#[test]
fn those_that_are_over_make_room_at_once() {
    let (leftovers, _) = crashed(140, 140);
    let mut rig = begin(&leftovers);
    rig.turn(|_| {});
    let byes: Vec<Sent> = rig
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("BYE"))
        .cloned()
        .collect();
    for bye in &byes[..12] {
        rig.trunk_says(&answer(bye, 200));
    }
    rig.pass(Duration::from_millis(1));
    assert_eq!(cancelled(&rig).len(), 140);
}

#[test]
fn suspects_come_after_the_others_and_the_last_alone() {
    let (mut leftovers, _) = crashed(4, 4);
    leftovers[0].deaths = 2;
    leftovers[1].deaths = 1;
    leftovers[2].deaths = 3;
    let mut rig = begin(&leftovers);
    assert!(rig.has(|event| matches!(event, Event::LeftoverLeftAlone(key) if *key == leftovers[2].key)));
    rig.turn(|_| {});
    assert_eq!(cancelled(&rig), ["call-4@onhook"]);
    rig.turn(|_| {});
    assert_eq!(cancelled(&rig), ["call-4@onhook", "call-2@onhook"]);
    rig.pass(SECOND);
    assert_eq!(cancelled(&rig).len(), 2, "the last one waits until the others are down");
    for call in ["call-4@", "call-2@"] {
        let bye = rig
            .sent
            .iter()
            .rev()
            .find(|sent| sent.text.starts_with("BYE") && sent.text.contains(call));
        let bye = bye.cloned().unwrap();
        rig.trunk_says(&answer(&bye, 200));
    }
    assert!(rig.has(|event| matches!(event, Event::LeftoverLast(_))));
    rig.turn(|_| {});
    assert_eq!(cancelled(&rig)[2..], ["call-1@onhook"]);
    rig.rest(SECOND * 1000);
    assert_eq!(cancelled(&rig).len(), 3, "of one three starts died: never");
}

#[test]
fn a_phone_that_speaks_is_heard_when_its_call_is_taken_up_and_that_is_told_a_turn_before() {
    let (leftovers, invites) = crashed(300, 300);
    let mut rig = begin(&leftovers);
    rig.turn(|_| {});
    let late = invites
        .iter()
        .find(|invite| !cancelled(&rig).contains(&invite.header("Call-ID").to_owned()))
        .unwrap();
    assert_eq!(rig.trunk_says(&from_phone(late, "BYE", 1)), ["taking up 1"]);
    let words = rig.turn(|_| {});
    assert!(words.contains(&"200 to BYE".to_owned()), "{words:?}");
    assert!(words.contains(&"Disconnected".to_owned()), "{words:?}");
}

#[test]
fn a_hang_up_of_one_that_waits_hurries_it() {
    let (leftovers, _) = crashed(300, 300);
    let mut rig = begin(&leftovers);
    rig.turn(|_| {});
    let taken = cancelled(&rig);
    let waits = (1..=300)
        .find(|number| !taken.contains(&format!("call-{number}@onhook")))
        .unwrap();
    assert_eq!(rig.disconnect(7, waits), ["taking up 1"]);
    let words = rig.turn(|_| {});
    assert!(words.contains(&"BYE".to_owned()), "{words:?}");
    rig.durable();
    rig.pass(PATIENCE.disconnect);
    assert_eq!(rig.answer_to(7), Some("disconnected"));
}

#[test]
fn somebody_elses_leftover_is_unknown() {
    let (leftovers, _) = crashed(1, 1);
    let mut rig = next();
    let words = rig.turn(|switch| {
        switch.end_leftovers(leftovers);
        switch.disconnect(7, [2; 32], id(1), PATIENCE);
    });
    assert!(words.contains(&"answer 7: Unknown".to_owned()), "{words:?}");
    assert_ne!(OWNER, [2; 32]);
}

#[test]
fn one_without_a_way_is_tried_again_holds_up_nobody_and_its_hang_up_is_answered_in_time() {
    let lost = Settings {
        trunks: vec![trunk("pbx", "sip:pbx.example"), trunk("other", "sip:192.0.2.5")],
        ..settings()
    };
    let (mut leftovers, _) = crashed(200, 200);
    // Half of them went by another trunk, which is an address.
    went_by_other(&mut leftovers[100..]);
    let mut rig = Rig::with(next_process(lost));
    rig.turn(|switch| switch.end_leftovers(leftovers));
    rig.disconnect(7, 1);
    rig.pass(SECOND * 3);
    assert_eq!(cancelled(&rig).len(), 100);
    rig.pass(PATIENCE.disk - SECOND * 3);
    assert_eq!(rig.answer_to(7), Some("NotInTime"));
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.pass(SECOND * 3);
    assert_eq!(cancelled(&rig).len(), 200);
}

#[test]
fn those_without_a_way_are_nobodys_predecessors_and_are_not_said_to_be_taken_up() {
    let lost = Settings {
        trunks: vec![trunk("pbx", "sip:192.0.2.5"), trunk("other", "sip:other.example")],
        leftovers_at_once: 1,
        ..settings()
    };
    let (mut leftovers, _) = crashed(4, 4);
    // The first three went by a trunk that is nowhere.
    went_by_other(&mut leftovers[..3]);
    let mut rig = Rig::with(next_process(lost));
    let words = rig.turn(|switch| switch.end_leftovers(leftovers));
    assert!(words.contains(&"taking up 1".to_owned()), "{words:?}");
    rig.turn(|_| {});
    assert_eq!(cancelled(&rig), ["call-4@onhook"]);
    let words = rig.pass(SECOND * 10);
    assert!(!words.iter().any(|word| word.starts_with("taking up")), "{words:?}");
    rig.turn(|switch| switch.found("other.example", &[found("192.0.2.6")]));
    rig.pass(SECOND + T1 * 3);
    assert_eq!(cancelled(&rig).len(), 4);
}

#[test]
fn those_without_a_way_whose_phones_speak_do_not_hurry_one_another_for_ever() {
    let lost = Settings {
        trunks: vec![trunk("pbx", "sip:pbx.example")],
        ..settings()
    };
    let (leftovers, invites) = crashed(2, 2);
    let mut rig = Rig::with(next_process(lost));
    rig.turn(|switch| switch.end_leftovers(leftovers));
    rig.turn(|_| {});
    for invite in &invites {
        rig.trunk_says(&from_phone(invite, "BYE", 1));
    }
    for _ in 0..10 {
        rig.turn(|_| {});
    }
    let (due, _) = rig.switch.poll_timeout().unwrap();
    assert!(due > rig.moment(), "there is a pause");
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    let words = rig.pass(SECOND * 2);
    let heard = words.iter().filter(|word| *word == "200 to BYE").count();
    assert_eq!(heard, 2, "what they said is heard later: {words:?}");
}

#[test]
fn a_record_that_cannot_be_read_is_told_and_holds_up_nobody() {
    let (mut leftovers, _) = crashed(3, 3);
    leftovers[0].intent = b"nonsense".to_vec();
    leftovers[1].state.as_mut().unwrap().dialog = b"{}".to_vec();
    let mut rig = begin(&leftovers);
    rig.turn(|_| {});
    assert_eq!(cancelled(&rig), ["call-3@onhook"]);
    for leftover in &leftovers[..2] {
        assert!(rig.has(|event| matches!(event, Event::LeftoverUnreadable(key) if *key == leftover.key)));
    }
    assert_eq!(rig.disconnect(7, 2), ["answer 7: Unknown"]);
    assert_eq!(rig.switch.live(), 1, "what it held is given back");
}

#[test]
fn a_call_whose_intent_alone_is_durable_is_cancelled_and_an_answer_to_it_is_ended() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    let mut next = rig.crash(settings());
    next.turn(|_| {});
    let cancel = next.last("CANCEL");
    next.trunk_says(&answer(&cancel, 481));
    next.trunk_says(&answer(&invite, 200));
    assert_eq!(next.durable(), ["ACK", "BYE"]);
}

#[test]
fn a_2xx_of_a_call_that_nobody_remembers_is_acked_once_durable_and_hung_up() {
    let invite = Rig::new().invited(1);
    let mut rig = next();
    let words = rig.trunk_says(&answer(&invite, 200));
    assert_eq!(words, ["Connected", "journal answer"]);
    assert!(rig.has(|event| matches!(event, Event::Stray { .. })));
    assert_eq!(rig.durable()[..2], ["ACK", "BYE"]);
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    rig.rest(SECOND * 1000);
    assert_eq!(rig.switch.live(), 0);
}

#[test]
fn a_trunk_that_is_found_only_where_we_cannot_speak_to_is_looked_up_again() {
    let named = || Settings {
        trunks: vec![trunk("pbx", "sip:pbx.example")],
        ..settings()
    };
    let mut rig = Rig::with(named());
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    let invite = rig.invited(1);
    let mut next = rig.crash(named());
    let mut words = next.turn(|switch| switch.found("pbx.example", &[found("2001:db8::5")]));
    words.extend(next.pass(SECOND * 3));
    assert!(words.contains(&"resolve pbx.example".to_owned()), "{words:?}");
    next.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    next.pass(SECOND);
    assert_eq!(next.last("CANCEL").path, invite.path);
}

#[test]
fn one_that_has_no_way_and_whose_phone_speaks_holds_up_nobody_else() {
    let hops = |far: &str, near: &str| Settings {
        trunks: vec![trunk("far", far), trunk("near", near)],
        caps: dial::CapsSettings {
            live_per_trunk: 1,
            ..settings().caps
        },
        ..settings()
    };
    let mut rig = Rig::with(hops("sip:192.0.2.5", "sip:192.0.2.6"));
    let (far, near) = (rig.invited(1), rig.invited(2));
    assert_eq!(near.path, udp("192.0.2.6:5060"));
    let mut next = rig.crash(hops("sip:far.example", "sip:near.example"));
    next.turn(|_| {});
    next.turn(|switch| switch.found("near.example", &[found("192.0.2.6")]));
    for _ in 0..6 {
        next.hear(far.path, &answer(&far, 200));
        next.pass(T1);
    }
    assert!(next.count("CANCEL") > 0, "it waits although there is a way");
    assert_eq!(next.last("CANCEL").path, near.path);
}

#[test]
fn and_it_is_hung_up_by_the_trunk_that_it_came_by() {
    let both = Settings {
        trunks: vec![trunk("pbx", "sip:192.0.2.5:5060"), trunk("inner", "sip:10.0.0.5:5060")],
        ..settings()
    };
    let invite = Rig::new().invited(1);
    let mut rig = Rig::with(next_process(both));
    // Where the outer trunk may not send us.
    let answer = answer_with(&invite, 200, "phone", &["Contact: <sip:phone@10.0.0.9>"]);
    rig.hear(udp("10.0.0.5:5060"), &answer);
    assert_eq!(rig.durable()[..2], ["ACK > 10.0.0.9:5060", "BYE > 10.0.0.9:5060"]);
}

/// A call whose end the disk has refused, and another phone of it, which answered when it was forgotten: each hears what is said to its own BYE.
#[test]
fn two_leftovers_may_have_one_call_id() {
    let mut before = Rig::new();
    let invite = before.up(1);
    let mut left = before.leftovers();
    before.disconnect(9, 1);
    let bye = before.last("BYE");
    before.trunk_says(&answer(&bye, 200));
    before.not_durable();
    before.pass(T1 * 128);
    let other = answer_with(&invite, 200, "other", &["Contact: <sip:other@192.0.2.5:5060>"]);
    before.trunk_says(&other);
    before.durable();
    left.extend(before.leftovers());
    assert_eq!(left.len(), 2);

    let mut next = Rig::with(next_process(settings()));
    next.turn(|switch| switch.end_leftovers(left));
    next.pass(Duration::ZERO);
    next.durable();
    let byes: Vec<Sent> = next
        .sent
        .iter()
        .filter(|sent| sent.text.starts_with("BYE"))
        .cloned()
        .collect();
    assert_eq!(byes.len(), 2);
    for bye in &byes {
        next.trunk_says(&answer(bye, 481));
    }
    let confirmed = |event: &&Event| matches!(event, Event::Ended { end, .. } if end.confirmed);
    assert_eq!(next.events.iter().filter(confirmed).count(), 2);
}

/// One by TCP cannot send it where one by UDP could, and knows nothing of it.
#[test]
fn a_stray_whose_trunk_is_nowhere_now_waits_for_it_and_not_for_another_of_another_transport() {
    let invite = Rig::new().invited(1);
    let both = Settings {
        trunks: vec![
            trunk("other", "sip:192.0.2.7:5060;transport=tcp"),
            trunk("pbx", "sip:pbx.example"),
        ],
        listeners: [settings_tcp().listeners, settings().listeners].concat(),
        peers: vec!["192.0.2.5/32".parse().unwrap()],
        ..next_process(settings())
    };
    let mut rig = Rig::with(both);
    rig.turn(|switch| switch.found("192.0.2.7", &[found("192.0.2.7")]));
    rig.turn(|switch| switch.found("pbx.example", &[found("2001:db8::1")]));
    assert_eq!(rig.trunk_says(&answer(&invite, 200)), ["resolve pbx.example"]);
    assert!(rig.connects.is_empty() && rig.switch.live() == 0);
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.5")]));
    rig.trunk_says(&answer(&invite, 200));
    assert_eq!(rig.durable()[..2], ["ACK", "BYE"]);
}

/// By a connection of before it moved. Another trunk, which is away, would say nothing to its phone.
#[test]
fn a_stray_from_where_its_trunk_was_is_ended_by_that_trunk_and_where_it_is_now() {
    let invite = Rig::new().invited(1);
    let both = Settings {
        trunks: vec![trunk("other", "sip:192.0.2.7:5060"), trunk("pbx", "sip:pbx.example")],
        peers: vec!["192.0.2.0/24".parse().unwrap()],
        ..next_process(settings())
    };
    let mut rig = Rig::with(both);
    rig.turn(|switch| switch.found("192.0.2.7", &[found("192.0.2.7")]));
    for at in ["192.0.2.5", "192.0.2.6"] {
        rig.turn(|switch| switch.found("pbx.example", &[found(at)]));
    }
    // Found there once more: it has not moved since.
    rig.turn(|switch| switch.found("pbx.example", &[found("192.0.2.6")]));
    let answer = answer_with(&invite, 200, "phone", &["Contact: <sip:phone@10.0.0.9>"]);
    rig.trunk_says(&answer);
    assert_eq!(rig.durable()[..2], ["ACK > 192.0.2.6:5060", "BYE > 192.0.2.6:5060"]);
}

#[test]
fn so_many_strays_are_ended_at_a_time_and_the_others_when_they_are_repeated() {
    let mut rig = Rig::new();
    let invites: Vec<Sent> = (1..=200)
        .map(|number| {
            let invite = rig.invited(number);
            rig.trunk_says(&answer(&invite, 100));
            invite
        })
        .collect();
    let mut rig = next();
    for invite in &invites {
        rig.trunk_says(&answer(invite, 200));
    }
    assert_eq!(rig.switch.live(), 128);
    rig.pass(T1);
    for invite in &invites {
        rig.trunk_says(&answer(invite, 200));
    }
    assert_eq!(rig.switch.live(), 200);
}

#[test]
fn one_that_went_by_tcp_is_cancelled_down_a_new_connection_and_given_up_when_there_is_none() {
    let mut rig = Rig::tcp();
    rig.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    rig.place(1);
    rig.durable();
    rig.turn(|switch| switch.connected(1, crate::rig::tcp()));
    let mut next = rig.crash(settings_tcp());
    next.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    next.pass(SECOND);
    let number = next.connects[0].0;
    assert_eq!(
        next.turn(|switch| switch.connected(number, crate::rig::tcp())),
        ["CANCEL"]
    );
    // Nobody ever connects: it ends all the same.
    let mut next = rig.crash(settings_tcp());
    next.turn(|switch| switch.found("192.0.2.5", &[found("192.0.2.5")]));
    next.rest(SECOND * 300);
    assert_eq!((next.sent.len(), next.switch.live()), (0, 0));
}

#[test]
fn what_was_left_is_counted_and_its_place_held_until_its_phone_is_down() {
    let (leftovers, _) = crashed(2, 2);
    let mut settings = next_process(settings());
    settings.caps.live = 2;
    let mut rig = Rig::with(settings);
    rig.turn(|switch| switch.end_leftovers(leftovers));
    assert!(rig.place(9)[0].contains("Capped"));
    rig.turn(|_| {});
    let bye = rig.last("BYE");
    assert_eq!(bye.path, udp(crate::rig::TRUNK));
    rig.trunk_says(&answer(&bye, 200));
    assert_eq!(
        rig.place(10),
        ["Connecting", "journal intent"].map(|word| word.to_owned())
    );
    assert!(rig.leftovers().iter().all(|leftover| leftover.key > CallKey(0)));
}
