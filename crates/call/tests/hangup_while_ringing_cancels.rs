//! A hang-up while the phone rings: CANCEL, and what becomes of it (RFC 3261 §9.1; promise 4).

mod rig;

use call::{EndCause, Phase, Silence, Wish};
use rig::{Rig, T1, TRANSACTION};

#[test]
fn the_cancel_repeats_what_names_the_invite() {
    for mut rig in [Rig::trying(), Rig::early()] {
        rig.disconnect().gives(["CANCEL 1", "save Wish"]);
        let (invite, cancel) = (rig.last("INVITE"), rig.last("CANCEL"));
        for name in ["Via", "From", "To", "Call-ID"] {
            assert_eq!(invite.header(name), cancel.header(name), "{name}");
        }
        assert_eq!(invite.branch(), cancel.branch());
        assert_eq!(invite.cseq(), cancel.cseq());
        assert_eq!(invite.request_uri, cancel.request_uri);
        assert_eq!(invite.destination, cancel.destination);
        assert_eq!(cancel.to_tag(), None);
    }
}

#[test]
fn the_cancel_carries_the_routes_of_the_invite() {
    let mut placement = rig::placement();
    placement.routes = vec!["<sip:edge.example;lr>".to_owned()];
    let mut rig = Rig::new(placement, rig::surroundings());
    rig.gives(["save Intent"]);
    rig.saved(call::Save::Intent).gives(["INVITE 1"]);
    rig.provisional(180).gives([]);
    rig.disconnect().gives(["CANCEL 1", "save Wish"]);
    assert_eq!(rig.last("CANCEL").all("Route"), ["<sip:edge.example;lr>"]);
}

#[test]
fn the_487_ends_the_call() {
    let mut rig = Rig::cancelling();
    rig.response_to("CANCEL", 200).gives([]);
    assert_eq!(rig.call.phase(), Phase::Cancelling { sent: true });
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    assert_eq!(rig.call.refusal(), Some((487, "Reason 487")));
}

/// Whatever CANCEL is answered with, the INVITE's own response decides.
#[test]
fn a_refused_cancel_changes_nothing() {
    let mut rig = Rig::cancelling();
    rig.response_to("CANCEL", 481).gives([]);
    rig.response_to("CANCEL", 401).gives([]);
    rig.provisional(183).gives([]);
    rig.response_to("INVITE", 603).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

#[test]
fn a_cancel_without_487_gives_the_invite_up() {
    let mut rig = Rig::cancelling();
    rig.response_to("CANCEL", 200).gives([]);
    rig.pass(TRANSACTION).gives([]);
    rig.pass(T1 * 4).gives(["stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
    assert!(rig.call.is_drained());
}

#[test]
fn a_cancel_that_could_not_be_sent_is_tried_again() {
    let mut rig = Rig::cancelling();
    for _ in 0..8 {
        rig.silence("CANCEL", Silence::Unreachable).gives([]);
        rig.pass(T1 * 8).gives(["CANCEL 1"]);
    }
    rig.silence("CANCEL", Silence::Unreachable).gives([]);
    // The last one has its chance, though nothing is waited for.
    rig.pass(T1 * 8).gives(["CANCEL 1", "stop INVITE", "save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);

    let mut rig = Rig::cancelling();
    rig.silence("CANCEL", Silence::Unreachable).gives([]);
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.pass(TRANSACTION).gives([]);
}

/// A phone must not ring on because the INVITE's transaction was lost below us.
#[test]
fn a_ringing_phone_whose_transaction_is_lost_is_cancelled() {
    for silence in [Silence::TimedOut, Silence::Unreachable] {
        let mut rig = Rig::early();
        rig.silence("INVITE", silence).gives(["CANCEL 1", "save Wish"]);
        rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    }
}

/// Promise 4: two hang-ups at once, or a hundred.
#[test]
fn a_hundred_hangups_send_one_cancel() {
    let mut rig = Rig::early();
    for _ in 0..100 {
        rig.disconnect();
    }
    rig.gives(["CANCEL 1", "save Wish"]);
}
