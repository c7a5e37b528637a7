//! A 2xx that comes when the call is over, or its own 2xx once more: no phone is left up (RFC 6026 §7.1).

mod rig;

use call::{EndCause, Save, Silence, Wish};
use rig::{Rig, TRANSACTION};

#[test]
fn a_200_after_a_refusal_is_acked_and_byed() {
    for status in [302, 404, 486, 487, 503, 603] {
        let mut rig = Rig::early();
        rig.response_to("INVITE", status).gives(["save End"]);
        rig.fork("late").gives(["ACK 1 late", "BYE 2 late"]);
        assert!(!rig.call.is_drained());
        rig.response_to("BYE", 200).gives(["save End"]);
        assert!(rig.call.is_drained());
        assert!(matches!(rig.call.end().unwrap().cause, EndCause::Rejected { .. }));
    }
}

#[test]
fn a_200_after_the_487_of_a_cancelled_call_is_acked_and_byed() {
    let mut rig = Rig::cancelling();
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.fork("late").gives(["ACK 1 late", "BYE 2 late"]);
}

#[test]
fn a_200_after_the_invite_was_given_up_is_acked_and_byed() {
    let mut rig = Rig::cancelling();
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.fork("late").gives(["ACK 1 late", "BYE 2 late"]);
    rig.silence("BYE", Silence::TimedOut).gives([]);
    rig.pass(TRANSACTION).gives(["BYE 3 late"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

#[test]
fn a_200_after_timer_b_is_acked_and_byed() {
    let mut rig = Rig::calling();
    rig.silence("INVITE", Silence::TimedOut).drain();
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), false);
    rig.fork("late").gives(["ACK 1 late", "BYE 2 late"]);
}

#[test]
fn a_200_of_another_fork_after_our_bye_is_acked_and_byed() {
    let mut rig = Rig::ended();
    rig.fork("late").gives(["ACK 1 late", "BYE 3 late"]);
}

/// The phone of the call itself did not get our ACK: it gets it again, and no second BYE.
#[test]
fn the_calls_own_200_after_the_end_is_acked_only() {
    let mut rig = Rig::ended();
    rig.answer("phone").gives(["ACK 1 phone"]);
    let mut rig = Rig::terminating();
    rig.answer("phone").gives(["ACK 1 phone"]);
}

/// Without a To tag there is no dialog to end (RFC 3261 §12.1.2).
#[test]
fn a_200_without_a_tag_is_passed_over() {
    let mut rig = Rig::early();
    let mut answer = rig.answer_of("phone");
    answer.to_tag = None;
    rig.deliver(&answer).gives([]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
}
