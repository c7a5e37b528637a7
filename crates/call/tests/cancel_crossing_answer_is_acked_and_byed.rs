//! A 200 that crosses our CANCEL: the phone is up, so it is ACKed and then hung up (RFC 5407 §3.1.2; promise 4).

mod rig;

use call::{EndCause, Phase, Save, Wish};
use rig::Rig;

#[test]
fn the_200_is_acked_and_then_byed() {
    let mut rig = Rig::cancelling();
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
    rig.response_to("CANCEL", 481).gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    assert!(rig.media.is_empty(), "no sound for a call that was hung up");
}

/// Promise 3: a crash between the 200 and the disk leaves a phone that still asks for its ACK, and gets it.
#[test]
fn its_ack_waits_for_the_disk_although_the_call_is_to_end() {
    let mut rig = Rig::cancelling();
    rig.answer("phone").gives(["save Answer"]);
    assert_eq!(rig.call.phase(), Phase::Answered);
    assert_eq!(rig.call.record().wish, Some(Wish::Hangup));
    rig.answer("phone").gives([]);
    rig.saved(Save::Wish).gives([]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
}

#[test]
fn it_is_hung_up_even_if_the_disk_refuses() {
    let mut rig = Rig::cancelling();
    rig.answer("phone").gives(["save Answer"]);
    rig.save_failed(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
}

#[test]
fn giving_the_invite_up_is_off_once_it_is_answered() {
    let mut rig = Rig::cancelling();
    rig.answer("phone").gives(["save Answer"]);
    rig.pass(rig::TRANSACTION * 3).gives([]);
    assert_eq!(rig.call.phase(), Phase::Answered);
}

/// Its session description does not matter any more.
#[test]
fn a_200_without_a_session_description_is_ended_just_so() {
    let mut rig = Rig::cancelling();
    let mut answer = rig.answer_of("phone");
    answer.body.clear();
    rig.deliver(&answer).gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
}
