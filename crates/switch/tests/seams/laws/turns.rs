//! One turn or many, alone or among others: the same is done.

use std::{collections::BTreeSet, time::Duration};

use sip::Path;
use switch::{Load, Switch};

use crate::rig::{OWNER, PATIENCE, Rig, Sent, answer, from_phone, id, order};

#[test]
fn a_turn_before_its_time_changes_nothing() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    for millis in [100, 399, 1, 499, 1, 250] {
        rig.pass(Duration::from_millis(millis));
        let (load, events) = (rig.switch.load(), rig.events.len());
        let due = rig.switch.poll_timeout();
        assert_eq!(rig.turn(|_| {}), [""; 0]);
        assert_eq!(
            (rig.switch.load(), rig.events.len(), rig.switch.poll_timeout()),
            (load, events, due)
        );
    }
    assert_eq!(rig.count("INVITE"), 2, "{invite:?}");
}

/// One thing that happens.
type Input = Box<dyn FnOnce(&mut Switch)>;

/// In one turn or in a turn each. Gives what has left, and what is remembered.
fn happen(rig: &mut Rig, together: bool, inputs: Vec<Input>) {
    if together {
        rig.turn(|switch| {
            for input in inputs {
                input(switch);
            }
        });
    } else {
        for input in inputs {
            rig.turn(input);
        }
    }
}

fn heard(texts: Vec<(Path, String)>) -> Vec<Input> {
    let input = |(path, text): (Path, String)| -> Input {
        Box::new(move |switch: &mut Switch| switch.handle_message(path, text.as_bytes()))
    };
    texts.into_iter().map(input).collect()
}

fn durable(rig: &mut Rig) -> Vec<Input> {
    let word = |entry: switch::journal::Entry| -> Input {
        Box::new(move |switch: &mut Switch| switch.written(entry.number, true))
    };
    let entries = std::mem::take(&mut rig.entries);
    for entry in &entries {
        rig.note(entry, true);
    }
    entries.into_iter().map(word).collect()
}

/// The life of these calls, each a bit different.
fn lives(numbers: &[u64], together: bool) -> (Rig, Vec<Load>) {
    let mut rig = Rig::new();
    let mut loads = Vec::new();
    let placing =
        |number: u64| -> Input { Box::new(move |switch: &mut Switch| switch.place(number, order(number), PATIENCE)) };
    happen(
        &mut rig,
        together,
        numbers.iter().map(|number| placing(*number)).collect(),
    );
    loads.push(rig.switch.load());
    for round in 0..4 {
        let words = durable(&mut rig);
        happen(&mut rig, together, words);
        loads.push(rig.switch.load());
        let mut texts = Vec::new();
        for sent in rig.sent.clone() {
            let number = number_of(&sent);
            let text = match (round, sent.text.split(' ').next()) {
                (0, Some("INVITE")) => Some(answer(&sent, if number.is_multiple_of(3) { 486 } else { 183 })),
                (1, Some("INVITE")) if !number.is_multiple_of(3) => Some(answer(&sent, 200)),
                (2, Some("INVITE")) if number % 3 == 1 => Some(from_phone(&sent, "BYE", 1)),
                (3, Some("BYE" | "CANCEL")) => Some(answer(&sent, 200)),
                _ => None,
            };
            texts.extend(text.map(|text| (sent.path, text)));
        }
        happen(&mut rig, together, heard(texts));
        if round == 2 {
            let disconnecting = |number: u64| -> Input {
                Box::new(move |switch: &mut Switch| switch.disconnect(1000 + number, OWNER, id(number), PATIENCE))
            };
            happen(
                &mut rig,
                together,
                numbers.iter().map(|number| disconnecting(*number)).collect(),
            );
        }
        loads.push(rig.switch.load());
    }
    let words = durable(&mut rig);
    happen(&mut rig, together, words);
    loads.push(rig.switch.load());
    (rig, loads)
}

fn number_of(sent: &Sent) -> u64 {
    let call_id = sent.header("Call-ID");
    let number = call_id
        .strip_prefix("call-")
        .and_then(|rest| rest.strip_suffix("@onhook"));
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[test]
fn in_one_turn_or_in_many_the_same_bytes_leave_and_the_same_is_remembered() {
    let numbers: Vec<u64> = (1..=20).collect();
    let ((one, one_load), (many, many_load)) = (lives(&numbers, true), lives(&numbers, false));
    assert_eq!(one_load, many_load);
    assert_eq!(
        one.answers.iter().collect::<BTreeSet<_>>(),
        many.answers.iter().collect::<BTreeSet<_>>()
    );
    let sorted = |rig: &Rig| {
        let mut sent: Vec<(u64, String)> = rig
            .sent
            .iter()
            .map(|sent| (number_of(sent), sent.text.clone()))
            .collect();
        sent.sort_by_key(|(number, _)| *number);
        sent
    };
    assert_eq!(sorted(&one), sorted(&many));
    assert!(one.count("BYE") > 5 && one.count("CANCEL") == 0 && one.count("SIP/2.0 200") > 5);
}

#[test]
fn a_call_sends_the_same_bytes_alone_and_beside_others() {
    for number in 1..=4 {
        let (alone, _) = lives(&[number], true);
        for numbers in [(1..=20).collect::<Vec<u64>>(), (1..=20).rev().collect()] {
            let (among, _) = lives(&numbers, true);
            let of = |rig: &Rig| {
                let own = rig.sent.iter().filter(|sent| number_of(sent) == number);
                own.cloned().collect::<Vec<_>>()
            };
            assert_eq!(of(&alone), of(&among));
        }
    }
}
