//! The phone hangs up (RFC 3261 §15.1.2), also while we do (RFC 5407 §3.2.1).

mod rig;

use call::{EndCause, Wish};
use rig::Rig;
use sip::{Method, Tag};

#[test]
fn the_phone_ends_the_call() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Bye, "").gives(["media stop", "save End", "reply 200"]);
    rig.ends(EndCause::RemoteHangup, true);
    assert!(rig.call.is_drained());
    rig.disconnect().gives([]);
    rig.pass(rig::MAX_DURATION * 2).gives([]);
}

#[test]
fn two_byes_cross() {
    let mut rig = Rig::terminating();
    rig.peer(Method::Bye, "").gives(["save End", "reply 200"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    for status in [481, 200] {
        rig.response_to("BYE", status).gives([]);
    }
    rig.pass(rig::TRANSACTION * 8).gives([]);
    assert!(rig.call.is_drained());
}

/// Its BYE was under way when ours was answered.
#[test]
fn a_bye_after_the_end_is_answered() {
    let mut rig = Rig::ended();
    rig.peer(Method::Bye, "").gives(["reply 200"]);
}

/// The phone has heard nothing of our ACK yet, which is waiting for the disk.
#[test]
fn the_phone_hangs_up_before_our_ack() {
    let mut rig = Rig::answered();
    rig.peer(Method::Bye, "")
        .gives(["ACK 1 phone", "save End", "reply 200"]);
    rig.ends(EndCause::RemoteHangup, true);
    rig.saved(call::Save::Answer).gives([]);
}

#[test]
fn a_bye_of_another_dialog_does_not_end_the_call() {
    let mut rig = Rig::confirmed();
    for tamper in [
        |bye: &mut sip::Request| bye.from_tag = Some(Tag::new("stranger")),
        |bye: &mut sip::Request| bye.from_tag = None,
        |bye: &mut sip::Request| bye.to_tag = Some(Tag::new("wrong")),
        |bye: &mut sip::Request| bye.call_id = sip::CallIdHeader::new("another@onhook"),
    ] {
        let mut bye = rig.peer_request(Method::Bye, "");
        tamper(&mut bye);
        assert!(!rig.call.owns(&bye));
        rig.receive(&bye).gives(["reply 481"]);
    }
    assert!(rig.call.end().is_none());
}

/// Before an answer there is no dialog that could be ended (RFC 3261 §15).
#[test]
fn a_bye_before_the_answer_is_refused() {
    let mut rig = Rig::early();
    let mut bye = rig.peer_request(Method::Bye, "");
    rig.receive(&bye).gives(["reply 481"]);
    bye.from_tag = None;
    rig.receive(&bye).gives(["reply 481"]);
    let mut options = rig.peer_request(Method::Options, "");
    options.from_tag = None;
    rig.receive(&options).gives(["reply 481"]);
    rig.answer("phone").gives(["save Answer"]);
}
