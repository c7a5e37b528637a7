//! The process was killed: the next one ends the call from its last record, by the same code as ever (promise 2).

mod rig;

use call::{Call, EndCause, Record, Save, Silence, Wish};
use rig::{MD5, Rig, TRANSACTION, placement, surroundings, www};
use sip::{Method, Moment};

/// A rig whose call was made by `Call::take_up` from what `crashed` saved last.
fn after_crash(crashed: &Rig, saved: &Record) -> Rig {
    let mut rig = Rig::new(placement(), surroundings());
    rig.drain();
    rig.sent.clone_from(&crashed.sent);
    rig.now = Moment::default();
    rig.replace(Call::take_up(saved.clone(), 1, surroundings(), rig.now));
    rig
}

/// Crashed right here, with this as the last record.
fn restarted(crashed: &Rig) -> Rig {
    after_crash(crashed, crashed.call.record())
}

/// A phone would take a BYE with a number and a branch that it knows for a repeat, and answer where it answered then.
#[test]
fn each_process_that_finds_one_record_has_numbers_of_its_own() {
    let crashed = Rig::confirmed();
    let mut byes = Vec::new();
    for processes in 1..=3 {
        let mut rig = restarted(&crashed);
        let record = crashed.call.record().clone();
        rig.replace(Call::take_up(record, processes, surroundings(), rig.now));
        rig.drain();
        let bye = rig.last("BYE");
        byes.push((bye.cseq(), bye.branch().to_owned()));
    }
    assert_eq!([0, 1, 2].map(|nth: usize| byes[nth].0), [102, 202, 302]);
    assert!(byes[0].1 != byes[1].1 && byes[1].1 != byes[2].1);
}

#[test]
fn a_call_that_may_ring_is_cancelled() {
    for crashed in [
        Rig::placing(),
        Rig::calling(),
        Rig::early(),
        Rig::held(),
        Rig::cancelling(),
    ] {
        let mut rig = restarted(&crashed);
        rig.gives(["resume INVITE", "CANCEL 1", "save Wish"]);
        rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
        assert!(rig.call.is_drained());
    }
}

/// The intent is all there is; the CANCEL is the one the call would have sent.
#[test]
fn the_cancel_is_made_from_the_intent() {
    let mut crashed = Rig::placing();
    let intent = crashed.call.record().clone();
    crashed.saved(Save::Intent).gives(["INVITE 1"]);
    crashed.provisional(180).gives([]);
    let mut rig = after_crash(&crashed, &intent);
    rig.gives(["resume INVITE", "CANCEL 1", "save Wish"]);
    crashed.disconnect().gives(["CANCEL 1", "save Wish"]);
    assert_eq!(rig.last("CANCEL").text, crashed.last("CANCEL").text);
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Drain), true);
}

/// The INVITE was still on its way when the next process sent its CANCEL (RFC 3261 §9.1).
#[test]
fn a_cancel_that_overtook_its_invite_is_sent_again() {
    let mut rig = restarted(&Rig::calling());
    rig.gives(["resume INVITE", "CANCEL 1", "save Wish"]);
    // Whether it rings is not always heard: provisionals are not repeated.
    rig.response_to("CANCEL", 481).gives([]);
    rig.pass(TRANSACTION + rig::T1 * 4).gives(["CANCEL 1"]);
    rig.response_to("INVITE", 487).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Drain), true);
}

/// But not for ever.
#[test]
fn a_cancel_that_overtook_its_invite_is_given_up_in_the_end() {
    let mut rig = restarted(&Rig::calling());
    rig.drain();
    rig.response_to("CANCEL", 481).provisional(180);
    rig.pass(TRANSACTION * 2).gives(["CANCEL 1"]);
    rig.response_to("CANCEL", 481).provisional(180);
    rig.pass(TRANSACTION * 2).gives(["stop INVITE", "save End"]);
    assert!(rig.call.is_drained());
}

#[test]
fn the_phone_answers_after_the_restart() {
    let mut rig = restarted(&Rig::early());
    rig.gives(["resume INVITE", "CANCEL 1", "save Wish"]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 102 phone"]);
    rig.response_to("BYE", 200).gives(["save End"]);
}

/// The last record of a call that is up is its answer.
#[test]
fn a_call_that_was_up_is_byed() {
    let mut crashed = Rig::answered();
    let answered = crashed.call.record().clone();
    crashed.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
    for (crashed, saved) in [
        (&crashed, &answered),
        (&crashed, crashed.call.record()),
        (&Rig::answered(), &answered),
    ] {
        let mut rig = after_crash(crashed, saved);
        rig.gives(["ACK 1 phone", "BYE 102 phone", "save Wish"]);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Drain), true);
    }
}

/// The wish of before the crash stays the cause.
#[test]
fn a_call_that_was_being_ended_is_ended() {
    let mut rig = restarted(&Rig::terminating());
    rig.gives(["ACK 1 phone", "BYE 103 phone", "save Wish"]);
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["BYE 104 phone"]);
    rig.silence("BYE", Silence::TimedOut).gives([]);
    rig.pass(TRANSACTION).gives(["BYE 105 phone"]);
    rig.response_to("BYE", 481).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

#[test]
fn the_phone_hangs_up_after_the_restart() {
    let mut rig = restarted(&Rig::confirmed());
    rig.drain();
    rig.peer(Method::Bye, "").gives(["save End", "reply 200"]);
}

#[test]
fn an_ended_call_stays_so() {
    let mut rig = restarted(&Rig::ended());
    // What is written down as left is not left any more.
    rig.gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    rig.fork("late").gives(["ACK 1 late", "BYE 103 late"]);
}

/// The phones of all forks are hung up, whatever has become of the call itself.
#[test]
fn the_phones_of_other_forks_are_hung_up() {
    let mut crashed = Rig::confirmed();
    crashed.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    let mut rig = restarted(&crashed);
    rig.gives([
        "ACK 1 phone",
        "BYE 102 phone",
        "ACK 1 other",
        "BYE 102 other",
        "save Wish",
    ]);
    rig.response_to("BYE", 200).gives([]);
    let own = rig
        .sent
        .iter()
        .find(|sent| sent.method == "BYE" && sent.to_tag() == Some("phone"));
    let response = own.unwrap().response(200, Some("phone"));
    // The first BYE is of the crashed process.
    assert_eq!(response.cseq.number, 102);
    rig.deliver(&response).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Drain), true);
}

/// The journal holds the end of the call, and that a phone of another fork may still be up.
#[test]
fn the_end_of_a_call_keeps_its_cause_while_the_next_process_hangs_up_another_fork() {
    let mut crashed = Rig::confirmed();
    crashed.fork("other").drain();
    crashed
        .peer(Method::Bye, "")
        .gives(["media stop", "save Wish", "reply 200"]);
    let mut rig = restarted(&crashed);
    rig.gives(["ACK 1 other", "BYE 103 other"]);
    rig.ends(EndCause::RemoteHangup, true);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::RemoteHangup, true);
    assert!(rig.call.record().is_over());
}
