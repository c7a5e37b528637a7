//! A BYE that is refused or lost is sent again, until the call is given up as unconfirmed (promise 4).

mod rig;

use call::{EndCause, Phase, Silence, Wish};
use rig::{Rig, T1, TRANSACTION};

#[test]
fn a_200_481_or_408_confirms_the_end() {
    for status in [200, 202, 408, 481] {
        let mut rig = Rig::terminating();
        rig.response_to("BYE", status).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Hangup), true);
        rig.pass(TRANSACTION * 8).gives([]);
    }
}

#[test]
fn a_refused_bye_is_sent_again_with_the_next_cseq() {
    for status in [302, 403, 404, 480, 491, 500, 503, 603] {
        let mut rig = Rig::terminating();
        rig.response_to("BYE", status).gives([]);
        assert_eq!(rig.call.phase(), Phase::Terminating);
        rig.pass(T1 * 8).gives(["BYE 3 phone"]);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Hangup), true);
    }
}

#[test]
fn a_lost_bye_is_sent_again_and_at_last_given_up() {
    let mut rig = Rig::terminating();
    for bye in ["BYE 3 phone", "BYE 4 phone"] {
        rig.pass(TRANSACTION).gives([]);
        rig.silence("BYE", Silence::TimedOut).gives([]);
        rig.pass(T1 * 8).gives([bye]);
    }
    rig.pass(TRANSACTION).gives([]);
    rig.silence("BYE", Silence::TimedOut).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
    assert!(rig.call.is_drained());
}

#[test]
fn a_bye_that_cannot_be_sent_is_tried_until_the_end_of_the_wait() {
    let mut rig = Rig::terminating();
    let (mut byes, mut last) = (1, Vec::new());
    while rig.call.end().is_none() {
        rig.silence("BYE", Silence::Unreachable);
        rig.drain();
        rig.pass(T1 * 8);
        last = rig.drain();
        byes += 1;
        assert!(byes < 40, "BYE is sent for ever");
    }
    // It has its chance, though nothing is waited for.
    assert_eq!(last, [format!("BYE {} phone", byes + 1), "save End".to_owned()]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

#[test]
fn one_whose_connection_is_lost_at_last_is_tried_for_a_transaction_more() {
    let mut rig = Rig::terminating();
    rig.pass(TRANSACTION * 2 + T1 * 16).drain();
    rig.now = rig.now + TRANSACTION;
    rig.silence("BYE", Silence::ConnectionLost).gives([]);
    rig.pass(T1 * 8).gives(["BYE 5 phone"]);
    // It had its time: the last one leaves, and nothing is waited for.
    rig.pass(TRANSACTION).gives([]);
    rig.silence("BYE", Silence::ConnectionLost)
        .gives(["BYE 6 phone", "save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

/// Promise 9: a transaction that never reports is not waited for without end.
#[test]
fn a_transaction_that_never_reports_is_given_up() {
    let mut rig = Rig::terminating();
    rig.pass(TRANSACTION * 4);
    assert_eq!(rig.drain(), ["BYE 3 phone", "BYE 4 phone", "save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
    assert_eq!(rig.call.poll_timeout(), None);
}

/// The process was stopped, or had no turn: nothing was tried meanwhile.
#[test]
fn one_that_is_over_long_ago_is_tried_for_a_transaction_more() {
    let mut rig = Rig::terminating();
    rig.now = rig.now + TRANSACTION * 4;
    rig.response_to("BYE", 503).gives([]);
    rig.pass(T1 * 8).gives(["BYE 3 phone"]);
    rig.pass(TRANSACTION).gives([]);
    rig.silence("BYE", Silence::TimedOut).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

#[test]
fn silence_of_an_older_bye_is_passed_over() {
    let mut rig = Rig::terminating();
    let first = rig.last("BYE").tx.clone();
    rig.response_to("BYE", 503).gives([]);
    rig.pass(T1 * 8).gives(["BYE 3 phone"]);
    rig.call.handle_silence(&first, Silence::TimedOut, rig.now);
    rig.pass(T1 * 20).gives([]);
}

/// The phone has heard the first BYE after all, while we wait to send the next.
#[test]
fn a_late_200_ends_the_wait() {
    let mut rig = Rig::terminating();
    rig.response_to("BYE", 500).gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.pass(TRANSACTION * 4).gives([]);
}
