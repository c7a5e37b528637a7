//! What waits for the disk, what does not, and in which order a turn says what is to be done (promises 3 and 4).

use std::time::Duration;

use crate::rig::{PATIENCE, Rig, answer, from_phone, id, order};

#[test]
fn no_invite_leaves_before_its_intent_is_durable() {
    let mut rig = Rig::new();
    assert_eq!(rig.place(1), ["Connecting", "journal intent"]);
    assert_eq!(rig.durable(), ["INVITE", "answer 1: placed"]);
}

#[test]
fn what_the_journal_refuses_is_not_sent() {
    let mut rig = Rig::new();
    rig.place(1);
    assert_eq!(
        rig.not_durable(),
        ["sound stops", "Disconnected", "answer 1: NotJournaled", "journal end"]
    );
    rig.rest(Duration::from_secs(200));
    assert_eq!(rig.sent, []);
}

#[test]
fn an_order_that_the_disk_takes_too_late_is_not_sent() {
    let mut rig = Rig::new();
    rig.place(1);
    let words = rig.pass(PATIENCE.disk);
    assert_eq!(
        words,
        ["sound stops", "Disconnected", "answer 1: NotInTime", "journal end"]
    );
    rig.rest(Duration::from_secs(200));
    assert_eq!(rig.sent, []);
}

#[test]
fn an_order_that_nobody_waits_for_any_more_is_not_sent() {
    let mut rig = Rig::new();
    rig.place(1);
    rig.turn(|switch| switch.abandon(1));
    rig.durable();
    rig.rest(Duration::from_secs(200));
    assert_eq!((rig.sent.len(), rig.answers.len()), (0, 1));
    assert!(rig.has(|event| matches!(event, switch::Event::Abandoned(_))));
}

#[test]
fn no_ack_leaves_before_the_answer_is_durable() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    assert_eq!(rig.trunk_says(&answer(&invite, 200)), ["Connected", "journal answer"]);
    assert_eq!(rig.pass(Duration::from_secs(60)), [""; 0]);
    assert_eq!(rig.durable(), ["ACK", "sound starts"]);
}

#[test]
fn an_answer_that_the_journal_refuses_is_acked_and_hung_up() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 200));
    assert_eq!(rig.not_durable(), ["ACK", "BYE", "journal wish"]);
}

#[test]
fn bye_leaves_at_once_and_its_answer_waits_for_the_wish() {
    let mut rig = Rig::new();
    rig.up(1);
    assert_eq!(rig.disconnect(2, 1), ["sound stops", "BYE", "journal wish"]);
    assert_eq!(rig.answer_to(2), None);
    rig.pass(PATIENCE.disconnect - Duration::from_millis(1));
    rig.durable();
    assert_eq!(rig.answer_to(2), None, "the far end may still confirm");
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.answer_to(2), Some("disconnected"));
}

#[test]
fn cancel_leaves_at_once_on_a_stalled_disk_and_its_answer_says_that_it_was_not_in_time() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 180));
    assert_eq!(rig.disconnect(2, 1), ["CANCEL", "journal wish"]);
    rig.pass(PATIENCE.disk - Duration::from_millis(1));
    assert_eq!(rig.answer_to(2), None);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.answer_to(2), Some("NotInTime"));
    assert_eq!(rig.durable(), [""; 0], "its word comes too late to be told");
}

#[test]
fn an_end_that_is_confirmed_is_answered_when_it_is_durable() {
    let mut rig = Rig::new();
    rig.up(1);
    rig.disconnect(2, 1);
    let bye = rig.last("BYE");
    assert_eq!(
        rig.trunk_says(&answer(&bye, 200)),
        ["sound stops", "Disconnected", "journal end"]
    );
    assert_eq!(rig.durable(), ["answer 2: disconnected"]);
    assert_eq!(
        rig.disconnect(3, 1),
        ["answer 3: disconnected"],
        "and so is whoever asks again"
    );
}

#[test]
fn a_wish_that_the_journal_refuses_is_told_unless_the_end_is_confirmed() {
    for confirmed in [false, true] {
        let mut rig = Rig::new();
        rig.up(1);
        rig.disconnect(2, 1);
        rig.not_durable();
        if confirmed {
            let bye = rig.last("BYE");
            rig.trunk_says(&answer(&bye, 200));
            rig.not_durable();
        }
        rig.pass(PATIENCE.disconnect);
        let expected = if confirmed { "disconnected" } else { "NotJournaled" };
        assert_eq!(rig.answer_to(2), Some(expected));
    }
}

#[test]
fn somebody_elses_call_is_as_unknown_as_one_that_never_was() {
    let mut rig = Rig::new();
    rig.up(1);
    let words = rig.turn(|switch| {
        switch.disconnect(2, [2; 32], id(1), PATIENCE);
        switch.disconnect(3, [2; 32], id(77), PATIENCE);
    });
    assert_eq!(words, ["answer 2: Unknown", "answer 3: Unknown"]);
}

#[test]
fn a_call_that_ends_by_itself_answers_whoever_wanted_that() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    rig.disconnect(2, 1);
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    rig.durable();
    rig.rest(Duration::from_secs(200));
    assert_eq!(rig.answer_to(2), Some("disconnected"));
}

#[test]
fn a_drain_takes_no_new_calls_and_waits_for_the_old_ones() {
    let mut rig = Rig::new();
    let invite = rig.up(1);
    assert_eq!(rig.turn(|switch| switch.drain(2)), [""; 0]);
    assert_eq!(rig.place(3), ["answer 3: Draining"]);
    let words = rig.trunk_says(&from_phone(&invite, "BYE", 1));
    assert_eq!(words.last().map(String::as_str), Some("journal end"));
    assert!(words.contains(&"answer 2: all ended".to_owned()), "{words:?}");
}

#[test]
fn all_calls_are_ended_and_then_that_is_answered() {
    let mut rig = Rig::new();
    rig.up(1);
    rig.place(2);
    rig.turn(|switch| switch.end_all(9));
    rig.durable();
    assert_eq!(
        (rig.count("BYE"), rig.count("INVITE")),
        (1, 1),
        "what was not sent yet never is"
    );
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    assert_eq!(rig.answer_to(9), Some("all ended"));
}

#[test]
fn a_journal_word_that_nobody_waits_for_is_passed_over() {
    let mut rig = Rig::new();
    rig.up(1);
    let words = rig.turn(|switch| {
        switch.written(1, false);
        switch.written(999, true);
    });
    assert_eq!(words, [""; 0]);
    assert_eq!(order(5).id, id(5));
}
