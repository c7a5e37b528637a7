//! Refused, unreachable, never answered: the call ends, says why, and nothing else is tried (promise 5).

mod rig;

use call::{EndCause, Phase, Silence, Wish};
use rig::{RING, Rig, T1, TRANSACTION};

#[test]
fn a_refusal_is_the_cause() {
    for status in [300, 302, 404, 422, 480, 486, 487, 488, 491, 500, 503, 600, 603, 699] {
        let mut rig = Rig::early();
        rig.response_to("INVITE", status).gives(["save End"]);
        let reason = format!("Reason {status}");
        assert_eq!(rig.call.refusal(), Some((status, reason.as_str())));
        rig.ends(EndCause::Rejected { status, reason }, true);
        rig.pass(RING * 4).gives([]);
        assert!(rig.call.is_drained());
    }
}

/// A repeated refusal, or one of another fork, changes nothing.
#[test]
fn the_first_refusal_counts() {
    let mut rig = Rig::early();
    rig.response_to("INVITE", 486).gives(["save End"]);
    rig.response_to("INVITE", 503).gives([]);
    rig.provisional(180).gives([]);
    assert_eq!(rig.call.refusal(), Some((486, "Reason 486")));
}

/// A 199 that comes without the 180 before it says that a phone is not to be waited for, not that one rings (RFC 6228 §4). Another may.
#[test]
fn an_early_dialog_that_is_over_does_not_ring() {
    let mut rig = Rig::calling();
    rig.provisional(199).gives([]);
    assert_eq!(rig.call.phase(), Phase::Calling { trying: true });
    rig.provisional(180).gives([]);
    assert_eq!(rig.call.phase(), Phase::Early);
    rig.provisional(199).gives([]);
    assert_eq!(rig.call.phase(), Phase::Early);
}

/// A phone may ring all the same, if only the way back is broken: it is told to stop, and what it says is heard.
#[test]
fn nobody_answers_the_invite() {
    let mut rig = Rig::calling();
    rig.silence("INVITE", Silence::TimedOut)
        .gives(["resume INVITE", "CANCEL 1", "save Wish"]);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), false);

    let mut rig = Rig::calling();
    rig.silence("INVITE", Silence::TimedOut).drain();
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), true);
}

/// If there is a phone after all, it is told; should it answer first, it is hung up.
#[test]
fn nobody_is_there() {
    for wish in [None, Some(Wish::Hangup)] {
        let mut rig = if wish.is_some() { Rig::held() } else { Rig::calling() };
        rig.silence("INVITE", Silence::NobodyThere)
            .gives(["CANCEL 1", "save End"]);
        rig.response_to("CANCEL", 481).gives([]);
        rig.ends(EndCause::Wished(wish.unwrap_or(Wish::TimedOut)), false);
        rig.fork("late").gives(["ACK 1 late", "BYE 2 late"]);
    }
    // It had rung long enough, as it seemed.
    let mut rig = Rig::calling();
    rig.pass(RING).gives(["save Wish"]);
    rig.silence("INVITE", Silence::NobodyThere)
        .gives(["CANCEL 1", "save End"]);
    rig.ends(EndCause::Wished(Wish::TimedOut), false);
}

/// The INVITE may have arrived. Its phone is told by another connection, and what that says is heard.
#[test]
fn the_connection_of_the_invite_is_lost() {
    for (mut rig, wish, save) in [
        (Rig::calling(), Wish::TimedOut, true),
        (Rig::early(), Wish::NoAnswer, true),
        (Rig::held(), Wish::Hangup, false),
    ] {
        rig.silence("INVITE", Silence::ConnectionLost);
        let mut expected = vec!["resume INVITE", "CANCEL 1"];
        expected.extend(save.then_some("save Wish"));
        assert_eq!(rig.drain(), expected);
        rig.response_to("INVITE", 487).gives(["save End"]);
        rig.ends(EndCause::Wished(wish), true);
    }
    // So may have that which takes it back.
    let mut rig = Rig::cancelling();
    rig.silence("INVITE", Silence::ConnectionLost).gives(["resume INVITE"]);
    rig.silence("CANCEL", Silence::ConnectionLost).gives([]);
    rig.pass(T1 * 8).gives(["CANCEL 1"]);
}

#[test]
fn the_invite_cannot_be_sent() {
    let mut rig = Rig::calling();
    rig.silence("INVITE", Silence::Unreachable).gives(["save End"]);
    rig.ends(EndCause::Unreachable, true);
}

#[test]
fn a_refusal_after_the_answer_changes_nothing() {
    let mut rig = Rig::confirmed();
    rig.response_to("INVITE", 486).gives([]);
    rig.silence("INVITE", Silence::TimedOut).gives([]);
    assert_eq!(rig.call.phase(), Phase::Confirmed);
}
