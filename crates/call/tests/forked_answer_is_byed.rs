//! Several phones answer one INVITE: the first is the call, every other one is ACKed and BYEd (RFC 3261 §13.2.2.4).

mod rig;

use std::time::Duration;

use call::{EndCause, Phase, Save, Silence, Wish};
use rig::{Rig, T1, TRANSACTION};
use sip::{Method, Tag};

#[test]
fn the_second_phone_is_ended_while_the_first_lives() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    assert_eq!(rig.call.phase(), Phase::Confirmed);
    let bye = rig.last("BYE");
    assert_eq!(bye.request_uri, "sip:other@192.0.2.9:5070");
    assert_eq!(rig.last("ACK").request_uri, "sip:other@192.0.2.9:5070");
    rig.response_to("BYE", 200).gives([]);
    assert_eq!(rig.call.phase(), Phase::Confirmed);
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    assert!(rig.call.is_drained());
}

#[test]
fn the_first_answer_is_the_call_even_before_it_is_on_the_disk() {
    let mut rig = Rig::answered();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
}

/// BYEs of two dialogs with one CSeq number are two transactions.
#[test]
fn the_byes_of_two_dialogs_have_branches_of_their_own() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    let others = rig.last("BYE").branch();
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    assert_ne!(others, rig.last("BYE").branch());
}

#[test]
fn its_repeated_200_is_acked_again_and_not_byed_twice() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    rig.answer("other").gives(["ACK 1 other"]);
    rig.fork("third").gives(["ACK 1 third", "BYE 2 third"]);
}

/// A fork without Contact is called where the INVITE went, not where the call's own phone is.
#[test]
fn a_fork_takes_nothing_from_the_calls_own_dialog() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Info, "").gives(["reply 200"]);
    let mut answer = rig.answer_of("other");
    answer.contact = None;
    answer.record_route = vec!["<sip:p.example;lr>".to_owned()];
    rig.deliver_fork(&answer).gives(["ACK 1 other", "BYE 2 other"]);
    assert_eq!(rig.last("BYE").request_uri, "sip:4711@pbx.example");
    assert_eq!(rig.last("BYE").all("Route"), ["<sip:p.example;lr>"]);
    assert_eq!(rig.call.record().dialog.route_set, Vec::<String>::new());
}

#[test]
fn its_bye_is_challenged_and_answered() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    rig.challenge("BYE", 407, &[rig::proxy(rig::SHA256)])
        .gives(["BYE 3 other"]);
    assert!(rig.last("BYE").header("Proxy-Authorization").contains("SHA-256"));
    rig.response_to("BYE", 200).gives([]);
    rig.pass(TRANSACTION * 8).gives([]);
    assert_eq!(rig.call.phase(), Phase::Confirmed);
}

/// The call has ended, but is remembered until the fork's BYE is through.
#[test]
fn its_lost_bye_is_sent_again_after_the_call_has_ended() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    let lost = rig.last("BYE").tx.clone();
    rig.peer(Method::Bye, "")
        .gives(["media stop", "save Wish", "reply 200"]);
    assert!(!rig.call.is_drained() && !rig.call.record().is_over());
    rig.call.handle_silence(&lost, Silence::TimedOut, rig.now);
    rig.gives([]);
    rig.pass(T1 * 8).gives(["BYE 3 other"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    assert!(rig.call.is_drained() && rig.call.record().is_over());
    rig.ends(EndCause::RemoteHangup, true);
}

/// Promise 9: also a transaction that never reports ends the wait.
#[test]
fn a_fork_that_never_answers_is_given_up() {
    let mut rig = Rig::ended();
    rig.fork("other").gives(["ACK 1 other", "BYE 3 other"]);
    assert!(!rig.call.is_drained());
    rig.pass(TRANSACTION * 4);
    assert_eq!(rig.drain(), ["BYE 4 other", "BYE 5 other", "save End"]);
    assert!(rig.call.is_drained());
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

#[test]
fn its_own_bye_is_answered_and_nothing_else() {
    let mut rig = Rig::confirmed();
    rig.fork("other").gives(["ACK 1 other", "BYE 2 other"]);
    let mut invite = rig.peer_request(Method::Invite, rig::ANSWER);
    invite.from_tag = Some(Tag::new("other"));
    assert!(rig.call.owns(&invite));
    rig.receive(&invite).gives(["reply 481"]);
    let mut bye = rig.peer_request(Method::Bye, "");
    bye.from_tag = Some(Tag::new("other"));
    rig.receive(&bye).gives(["reply 200"]);
    assert_eq!(rig.call.phase(), Phase::Confirmed);
    rig.pass(Duration::from_secs(600)).gives([]);
}

/// A crash before that leaves a phone that still asks for its ACK, not one that is up and that nobody knows.
#[test]
fn its_ack_waits_for_the_disk() {
    let mut rig = Rig::confirmed();
    rig.answer("other").gives(["save Fork(0)"]);
    rig.answer("other").gives([]);
    rig.answer("third").gives(["save Fork(1)"]);
    assert_eq!(rig.call.record().forks.len(), 2);
    rig.saved(Save::Fork(1)).gives(["ACK 1 third", "BYE 2 third"]);
    rig.save_failed(Save::Fork(0)).gives(["ACK 1 other", "BYE 2 other"]);
    rig.saved(Save::Fork(0)).gives([]);
}

#[test]
fn it_hangs_up_itself_before_it_is_on_the_disk() {
    let mut rig = Rig::ended();
    rig.answer("other").gives(["save Fork(0)"]);
    let mut bye = rig.peer_request(Method::Bye, "");
    bye.from_tag = Some(Tag::new("other"));
    rig.receive(&bye).gives(["ACK 1 other", "save End", "reply 200"]);
    rig.saved(Save::Fork(0)).gives([]);
    rig.receive(&bye).gives(["reply 200"]);
    assert!(rig.call.is_drained());
}

/// Promise 9: what is remembered of forks has a bound. A further one waits, unACKed, and asks again until it is its turn.
#[test]
fn of_a_thousand_forks_eight_are_ended_at_a_time() {
    let mut rig = Rig::confirmed();
    let mut turns = (0..1000).map(|number| format!("fork{number}"));
    for tag in turns.by_ref().take(8) {
        rig.fork(&tag).drain();
    }
    for tag in turns {
        rig.answer(&tag).gives([]);
        rig.response_to("BYE", 200).gives([]);
        rig.fork(&tag);
        assert_eq!(rig.drain(), [format!("ACK 1 {tag}"), format!("BYE 2 {tag}")]);
    }
    assert_eq!(rig.call.record().forks.len(), 8);
}

/// A fork that answers the INVITE which another fork has challenged: its ACK is that INVITE's, without credentials.
#[test]
fn an_answer_to_the_challenged_invite_is_a_fork() {
    let mut rig = Rig::trying();
    let early_bird = rig.answer_of("early");
    rig.challenge("INVITE", 401, &[rig::www(rig::MD5)])
        .gives(["save Intent"]);
    rig.deliver_fork(&early_bird).gives(["ACK 1 early", "BYE 3 early"]);
    assert!(rig.last("ACK").all("Authorization").is_empty());
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    rig.deliver(&early_bird).gives(["ACK 1 early"]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 2 phone", "media start"]);
    assert!(!rig.last("ACK").all("Authorization").is_empty());
}

/// A phone that makes its tag from the Call-ID: its two dialogs are one, and no BYE repeats the CSeq of another.
#[test]
fn a_fork_that_answers_the_next_invite_under_its_old_tag_is_the_call() {
    let mut rig = Rig::trying();
    let first = rig.answer_of("phone");
    rig.challenge("INVITE", 401, &[rig::www(rig::MD5)])
        .gives(["save Intent"]);
    rig.deliver_fork(&first).gives(["ACK 1 phone", "BYE 3 phone"]);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 2 phone", "media start"]);
    rig.disconnect().gives(["media stop", "BYE 4 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    assert!(rig.call.is_drained());
}

/// A forged 2xx must not make us send anywhere.
#[test]
fn a_200_with_a_branch_that_is_not_ours_is_passed_over() {
    for mut rig in [Rig::trying(), Rig::confirmed(), Rig::ended()] {
        let mut forged = rig.answer_of("forger");
        forged.branch = sip::Branch::new("z9hG4bKguess");
        rig.deliver(&forged).gives([]);
        let mut replayed = rig.answer_of("forger");
        replayed.cseq.number = 7;
        rig.deliver(&replayed).gives([]);
    }
}
