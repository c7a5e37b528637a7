//! What ends a call besides people: the ring limit, the call limit, the end of the message, the end of the server.

mod rig;

use std::time::Duration;

use call::{EndCause, Save, Silence, Timer, Wish};
use rig::{MAX_DURATION, RING, Rig, TRANSACTION};

#[test]
fn a_phone_that_rings_too_long_is_cancelled() {
    let mut rig = Rig::early();
    assert_eq!(rig.call.poll_timeout(), Some((rig.now + RING, Timer::NoAnswer)));
    rig.pass(RING - Duration::from_millis(1)).gives([]);
    rig.pass(Duration::from_millis(1)).gives(["CANCEL 1", "save Wish"]);
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::NoAnswer), true);
    assert!(rig.call.has_rung());
}

#[test]
fn a_peer_that_only_says_100_is_cancelled_too() {
    let mut rig = Rig::trying();
    rig.pass(RING).gives(["CANCEL 1", "save Wish"]);
    assert!(!rig.call.has_rung());
}

#[test]
fn a_peer_that_says_nothing_gets_its_cancel_in_the_end() {
    let mut rig = Rig::calling();
    rig.pass(RING).gives(["save Wish"]);
    rig.pass(TRANSACTION + rig::T1 * 4);
    assert_eq!(rig.drain(), ["CANCEL 1"]);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), false);
}

/// It is not there: that the ring limit was shorter than a transaction says nothing of how long anything rang.
#[test]
fn a_peer_that_has_never_said_a_word_is_no_phone_that_rings_too_long() {
    let mut rig = Rig::calling();
    rig.pass(RING).gives(["save Wish"]);
    rig.silence("INVITE", Silence::TimedOut)
        .gives(["resume INVITE", "CANCEL 1"]);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), false);
}

/// Promise 4, by the clock instead of by a person.
#[test]
fn the_answer_crosses_the_ring_limit() {
    let mut rig = Rig::early();
    rig.pass(RING).gives(["CANCEL 1", "save Wish"]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::NoAnswer), true);
}

#[test]
fn the_ring_limit_is_off_once_the_phone_has_answered() {
    let mut rig = Rig::answered();
    rig.pass(RING * 3).gives([]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
}

#[test]
fn a_call_that_lasts_too_long_is_byed() {
    let mut rig = Rig::confirmed();
    assert_eq!(
        rig.call.poll_timeout(),
        Some((rig.now + MAX_DURATION, Timer::MaxDuration))
    );
    rig.pass(MAX_DURATION).gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::MaxDuration), true);
}

#[test]
fn the_end_of_the_message_ends_the_call() {
    let mut rig = Rig::confirmed();
    rig.call.media_finished(rig.now);
    rig.gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.disconnect().gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Finished), true);
}

#[test]
fn a_drain_ends_every_phase() {
    let bye = ["media stop", "BYE 2 phone", "save Wish"].as_slice();
    for (mut rig, expected) in [
        (Rig::placing(), ["save End"].as_slice()),
        (Rig::calling(), &["save Wish"]),
        (Rig::early(), &["CANCEL 1", "save Wish"]),
        (Rig::held(), &[]),
        (Rig::cancelling(), &[]),
        (Rig::answered(), &["save Wish"]),
        (Rig::confirmed(), bye),
        (Rig::terminating(), &[]),
        (Rig::ended(), &[]),
    ] {
        rig.call.drain(rig.now);
        assert_eq!(rig.drain(), expected);
    }
}
