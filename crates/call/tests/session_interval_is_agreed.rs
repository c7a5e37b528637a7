//! What the INVITE asks of session timers, and what becomes of it (RFC 4028 §7.1 to §7.3).

mod rig;

use std::time::Duration;

use call::{EndCause, Phase, Save, Timer, Wish};
use rig::{MAX_DURATION, MD5, Rig, SESSION_EXPIRES, placement, surroundings, www};

#[test]
fn the_invite_asks_for_an_interval_and_leaves_the_refresher_open() {
    let rig = Rig::calling();
    let invite = rig.last("INVITE");
    assert_eq!(invite.header("Supported"), "timer");
    assert_eq!(invite.header("Session-Expires"), "300");
    assert_eq!(invite.header("Min-SE"), "90");
}

#[test]
fn no_session_timers_are_asked_for_when_they_are_off() {
    let mut around = surroundings();
    around.limits.session_expires = None;
    let mut rig = Rig::new(placement(), around);
    rig.gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 1"]);
    for name in ["Supported", "Session-Expires", "Min-SE"] {
        assert!(rig.last("INVITE").all(name).is_empty(), "{name}");
    }
    // A peer that speaks of them all the same is not heard.
    let mut answer = rig.answer_of("phone");
    answer.session = rig::session("90;refresher=uac");
    rig.deliver(&answer).gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
    assert_eq!(
        rig.call.poll_timeout(),
        Some((rig.now + MAX_DURATION, Timer::MaxDuration))
    );
}

#[test]
fn a_peer_without_session_timers_is_not_refreshed() {
    let mut rig = Rig::confirmed();
    rig.pass(MAX_DURATION - Duration::from_millis(1)).gives([]);
}

/// The shortest interval there is, whatever a peer says.
#[test]
fn an_interval_too_short_is_taken_for_the_shortest() {
    for expires in ["0;refresher=uac", "1;refresher=uac", "89"] {
        let rig = Rig::in_session(expires, true);
        assert_eq!(
            rig.call.poll_timeout(),
            Some((rig.now + Duration::from_secs(45), Timer::Refresh))
        );
    }
}

fn too_small(rig: &mut Rig, method: &str, min_se: Option<u32>) {
    let mut response = rig.last(method).response(422, Some("phone"));
    response.session.min_se = min_se;
    rig.deliver(&response);
}

/// Promise 3: the repeated INVITE waits for its intent, as one with credentials does.
#[test]
fn a_422_is_honoured() {
    let mut rig = Rig::trying();
    too_small(&mut rig, "INVITE", Some(600));
    rig.gives(["save Intent"]);
    assert_eq!(rig.call.phase(), Phase::Placing);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    let invite = rig.last("INVITE");
    assert_eq!(invite.header("Session-Expires"), "600");
    assert_eq!(invite.header("Min-SE"), "600");
    assert_eq!(rig.call.record().invite_via, invite.header("Via"));
}

#[test]
fn a_422_after_credentials_keeps_them() {
    let mut rig = Rig::trying();
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    too_small(&mut rig, "INVITE", Some(600));
    rig.gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 3"]);
    assert!(rig.last("INVITE").header("Authorization").contains("nc=00000002"));
}

#[test]
fn a_422_of_no_use_ends_the_call() {
    for min_se in [None, Some(0), Some(90), Some(300)] {
        let mut rig = Rig::trying();
        too_small(&mut rig, "INVITE", min_se);
        rig.gives(["save End"]);
        let reason = "Reason 422".to_owned();
        rig.ends(EndCause::Rejected { status: 422, reason }, true);
    }
}

/// Promise 9: a peer that always wants more does not keep us busy.
#[test]
fn a_422_raises_the_interval_four_times_at_most() {
    let mut rig = Rig::trying();
    for min_se in 301..305 {
        too_small(&mut rig, "INVITE", Some(min_se));
        rig.gives(["save Intent"]);
        rig.saved(Save::Intent);
        rig.drain();
    }
    too_small(&mut rig, "INVITE", Some(305));
    rig.gives(["save End"]);
}

/// Promise 5.
#[test]
fn no_invite_is_repeated_after_the_wish_to_end() {
    for mut rig in [Rig::held(), Rig::cancelling()] {
        too_small(&mut rig, "INVITE", Some(600));
        rig.gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Hangup), true);
    }
    let mut rig = Rig::trying();
    too_small(&mut rig, "INVITE", Some(600));
    rig.gives(["save Intent"]);
    rig.disconnect().gives(["save End"]);
    rig.saved(Save::Intent).gives([]);
}

#[test]
fn a_refresh_met_by_422_asks_for_more() {
    let mut rig = Rig::refreshing(true);
    too_small(&mut rig, "UPDATE", Some(600));
    rig.gives(["UPDATE 3 phone", "save Answer"]);
    assert_eq!(rig.last("UPDATE").header("Session-Expires"), "600;refresher=uac");
    // One that nothing helps is tried again later.
    too_small(&mut rig, "UPDATE", None);
    rig.gives([]);
    rig.pass(SESSION_EXPIRES / 10 * 2)
        .gives(["UPDATE 4 phone", "save Answer"]);
}
