//! The disk does not take a record: no call is made or kept that a crash would orphan (promise 3).

mod rig;

use call::{EndCause, Save, Wish};
use rig::Rig;

#[test]
fn an_answer_that_cannot_be_saved_is_acked_and_byed() {
    let mut rig = Rig::answered();
    rig.save_failed(Save::Answer)
        .gives(["save Wish", "ACK 1 phone", "BYE 2 phone"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::NotJournaled), true);
    assert!(rig.media.is_empty());
}

#[test]
fn an_invite_with_credentials_that_cannot_be_saved_does_not_leave() {
    let mut rig = Rig::trying();
    rig.challenge("INVITE", 401, &[rig::www(rig::MD5)])
        .gives(["save Intent"]);
    rig.save_failed(Save::Intent).gives(["save End"]);
    rig.ends(EndCause::NotJournaled, true);
}

/// Hang-ups go on.
#[test]
fn a_wish_that_cannot_be_saved_is_still_carried_out() {
    let mut rig = Rig::terminating();
    rig.save_failed(Save::Wish).gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.save_failed(Save::End).gives([]);
    assert!(rig.call.is_drained());
}

/// The disk is slow, and the world does not wait for it.
#[test]
fn a_save_reported_late_changes_nothing() {
    for mut rig in [
        Rig::early(),
        Rig::cancelling(),
        Rig::confirmed(),
        Rig::terminating(),
        Rig::ended(),
    ] {
        for save in [Save::Intent, Save::Answer, Save::Fork(0), Save::Wish, Save::End] {
            rig.saved(save).gives([]);
            rig.save_failed(save).gives([]);
        }
    }
}
