//! The end of a call for which nobody waits is written with others, a little later.

use std::time::Duration;

use call::Save;
use switch::Settings;

use crate::rig::{Rig, answer, answer_with, from_phone, settings};

const WAIT: Duration = Duration::from_millis(20);

fn rig() -> Rig {
    Rig::with(Settings {
        ends_wait: WAIT,
        ..settings()
    })
}

/// Hangs this call up, and lets the disk take the wish and the phone confirm it.
fn hang_up(rig: &mut Rig, number: u64) -> Vec<String> {
    rig.disconnect(1000 + number, number);
    rig.durable();
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200))
}

fn saves(rig: &Rig) -> Vec<Save> {
    rig.entries.iter().map(|entry| entry.save).collect()
}

#[test]
fn ends_are_written_together_when_the_first_has_waited_long_enough() {
    let mut rig = rig();
    for number in 1..=2 {
        rig.up(number);
    }
    let words = hang_up(&mut rig, 1);
    assert!(words.contains(&"answer 1001: disconnected".to_owned()), "{words:?}");
    rig.pass(WAIT / 2);
    hang_up(&mut rig, 2);
    assert_eq!((rig.switch.live(), rig.switch.load().ends), (0, 2));
    assert_eq!(saves(&rig), []);
    rig.pass(WAIT / 2);
    assert_eq!(saves(&rig), [Save::End, Save::End]);
}

#[test]
fn an_end_that_somebody_waits_for_is_written_at_once() {
    let mut rig = rig();
    let invite = rig.up(1);
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    assert_eq!(saves(&rig), []);
    rig.disconnect(2, 1);
    assert_eq!(saves(&rig), [Save::End]);
    assert_eq!(rig.durable(), ["answer 2: disconnected"]);
}

#[test]
fn what_begins_a_call_anew_is_written_behind_its_end() {
    let mut rig = rig();
    let invite = rig.up(1);
    hang_up(&mut rig, 1);
    assert_eq!(saves(&rig), []);
    rig.trunk_says(&answer_with(&invite, 200, "late", &["Contact: <sip:late@192.0.2.5>"]));
    assert_eq!(saves(&rig), [Save::End, Save::Fork(0)]);
}

#[test]
fn who_goes_away_leaves_no_end_unwritten() {
    let mut rig = rig();
    for number in 1..=2 {
        rig.up(number);
    }
    hang_up(&mut rig, 1);
    rig.turn(|switch| switch.drain(3));
    assert_eq!(saves(&rig), [Save::End]);
    rig.durable();
    hang_up(&mut rig, 2);
    assert_eq!(saves(&rig), [Save::End]);
}

#[test]
fn no_more_than_so_many_wait() {
    let mut rig = rig();
    for number in 1..=16 {
        rig.up(number);
        hang_up(&mut rig, number);
    }
    assert_eq!((rig.switch.load().ends, saves(&rig).len()), (0, 16));
}
