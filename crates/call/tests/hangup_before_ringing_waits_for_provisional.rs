//! A hang-up before any provisional: the CANCEL is held until one comes (RFC 3261 §9.1; promise 4).

mod rig;

use call::{EndCause, Phase, Silence, Wish};
use rig::{RING, Rig, TRANSACTION};

#[test]
fn the_cancel_is_held_and_leaves_with_the_late_100() {
    let mut rig = Rig::held();
    assert_eq!(rig.call.phase(), Phase::Cancelling { sent: false });
    rig.provisional(100).gives(["CANCEL 1"]);
    rig.response_to("CANCEL", 200).gives([]);
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

#[test]
fn the_cancel_is_held_and_leaves_with_the_late_180() {
    let mut rig = Rig::held();
    rig.provisional(180).gives(["CANCEL 1"]);
    rig.provisional(180).gives([]);
}

#[test]
fn a_refusal_ends_the_call_without_a_cancel() {
    let mut rig = Rig::held();
    rig.response_to("INVITE", 486).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

#[test]
fn a_200_ends_the_wait_with_ack_and_bye() {
    let mut rig = Rig::held();
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(call::Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
}

/// If only the way back is broken, the CANCEL stops a phone that rings.
#[test]
fn the_held_cancel_leaves_when_timer_b_has_run_out() {
    let mut rig = Rig::held();
    rig.silence("INVITE", Silence::TimedOut)
        .gives(["resume INVITE", "CANCEL 1"]);
    rig.silence("CANCEL", Silence::TimedOut).gives([]);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

/// Promise 9: the wait has a timer of its own, whether or not the transaction below reports its end.
#[test]
fn the_held_cancel_leaves_even_if_the_transaction_never_reports() {
    let mut rig = Rig::held();
    rig.pass(TRANSACTION).gives([]);
    rig.pass(TRANSACTION).gives(["CANCEL 1"]);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    assert!(rig.call.is_drained());
}

#[test]
fn an_invite_that_could_not_be_sent_needs_no_cancel() {
    let mut rig = Rig::held();
    rig.silence("INVITE", Silence::Unreachable).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

/// Promise 5: credentials are not sent for a call that is to end.
#[test]
fn a_challenge_that_comes_after_the_wish_is_not_answered() {
    let mut rig = Rig::held();
    rig.challenge("INVITE", 401, &[rig::www(rig::MD5)]).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    rig.pass(RING * 4).gives([]);
    assert_eq!(rig.count("INVITE"), 1);
}
