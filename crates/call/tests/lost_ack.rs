//! The 200 is repeated until its ACK arrives (RFC 3261 §13.2.2.4).

mod rig;

use call::{Save, Silence, Wish};
use rig::{Rig, T1};

/// Promise 3: no ACK before the answer is durable, not even to a repeated 200.
#[test]
fn the_first_ack_waits_for_the_disk() {
    let mut rig = Rig::answered();
    rig.answer("phone").gives([]);
    rig.answer("phone").gives([]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
}

#[test]
fn every_repeated_200_is_acked_again_by_the_same_ack() {
    let mut rig = Rig::confirmed();
    let first = rig.last("ACK").text.clone();
    for _ in 0..3 {
        rig.answer("phone").gives(["ACK 1 phone"]);
        assert_eq!(rig.last("ACK").text, first);
    }
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.answer("phone").gives(["ACK 1 phone"]);
    assert_eq!(rig.last("ACK").text, first);
}

/// The name of its trunk was not found when it was to leave, and is when the BYE leaves.
#[test]
fn an_ack_that_had_no_way_leaves_before_the_bye() {
    let mut rig = Rig::confirmed();
    rig.silence("ACK", Silence::Unreachable).gives([]);
    rig.disconnect()
        .gives(["media stop", "ACK 1 phone", "BYE 2 phone", "save Wish"]);
    rig.silence("ACK", Silence::Unreachable).gives([]);
    rig.silence("BYE", Silence::Unreachable).gives([]);
    rig.pass(T1 * 8).gives(["ACK 1 phone", "BYE 3 phone"]);
    rig.silence("BYE", Silence::Unreachable).gives([]);
    // This ACK has left.
    rig.pass(T1 * 8).gives(["BYE 4 phone"]);
}

#[test]
fn the_ack_has_a_branch_of_its_own_and_no_body() {
    let rig = Rig::confirmed();
    let (invite, ack) = (rig.last("INVITE"), rig.last("ACK"));
    assert_ne!(invite.branch(), ack.branch());
    assert_eq!(invite.cseq(), ack.cseq());
    assert_eq!(ack.body, "");
}

/// Our own 200 to a re-INVITE was never ACKed: the session ends (RFC 3261 §13.3.1.4).
#[test]
fn a_reinvite_whose_200_is_never_acked_ends_the_call() {
    let mut rig = Rig::confirmed();
    rig.peer(sip::Method::Invite, "").gives(["reply 200"]);
    rig.call.handle_never_acked(rig.now);
    rig.gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(call::EndCause::Wished(Wish::NoAck), true);
}
