//! The record survives a crash, and every request inside the call can be printed from it (promise 2).

mod rig;

use call::{Record, Save};
use rig::{Rig, key, surroundings};
use sip::{CSeq, Method};

#[expect(clippy::unwrap_used, reason = "a record that cannot be written fails the test")]
fn through_the_journal(record: &Record) -> Record {
    let text = serde_json::to_string(record).unwrap();
    assert!(text.len() < 1000, "{} bytes", text.len());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn it_reads_back_as_it_was_in_every_phase() {
    for rig in [
        Rig::placing(),
        Rig::calling(),
        Rig::early(),
        Rig::held(),
        Rig::cancelling(),
        Rig::answered(),
        Rig::confirmed(),
        Rig::terminating(),
        Rig::ended(),
    ] {
        assert_eq!(through_the_journal(rig.call.record()), *rig.call.record());
    }
}

/// A server that is updated while calls are up ends what the one before has written.
#[test]
fn a_record_of_the_version_before_is_read() {
    let now = through_the_journal(Rig::terminating().call.record());
    let text = serde_json::to_string(&now).unwrap_or_default();
    let before = text
        .replacen(r#""version":3"#, r#""version":2"#, 1)
        .replacen(r#","forks":[]"#, "", 1);
    assert_eq!(before.len() + r#","forks":[]"#.len(), text.len());
    let read = serde_json::from_str::<Record>(&before).ok();
    assert_eq!(read, Some(Record { version: 2, ..now }));
}

#[test]
fn the_bye_printed_from_the_record_is_the_bye_of_the_call() {
    let mut rig = Rig::confirmed();
    let record = through_the_journal(rig.call.record());
    rig.disconnect();
    rig.drain();
    let cseq = CSeq {
        number: record.dialog.local_cseq + 1,
        method: Method::Bye,
    };
    let bye = record.dialog.request(cseq, &[], None, &surroundings().local, &key());
    assert_eq!(bye.bytes, rig.last("BYE").text.as_bytes());
    assert_eq!(bye.destination, rig.last("BYE").destination);
}

/// What is saved before a message leaves names that message: a crash right after it finds what to end.
#[test]
fn the_record_of_the_intent_names_the_invite() {
    let mut rig = Rig::placing();
    let record = through_the_journal(rig.call.record());
    rig.saved(Save::Intent).gives(["INVITE 1"]);
    let invite = rig.last("INVITE");
    assert_eq!(record.invite_via, invite.header("Via"));
    assert_eq!(record.invite_cseq, invite.cseq());
    assert_eq!(record.destination, invite.destination);
}

#[test]
fn the_record_of_the_answer_names_the_phone() {
    let mut rig = Rig::early();
    let mut answer = rig.answer_of("phone");
    answer.record_route = vec!["<sip:p.example;lr>".to_owned()];
    rig.deliver(&answer).gives(["save Answer"]);
    let dialog = through_the_journal(rig.call.record()).dialog;
    assert_eq!(dialog.remote_tag.unwrap().as_str(), "phone");
    assert_eq!(dialog.remote_target, "sip:phone@192.0.2.9:5070");
    assert_eq!(dialog.route_set, ["<sip:p.example;lr>"]);
}
