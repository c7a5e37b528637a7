//! A hang-up while the intent is on its way to the disk: no INVITE ever leaves (promises 4 and 5).

mod rig;

use call::{EndCause, Save, Wish};
use rig::Rig;

/// Promise 3: the INVITE waits for its intent.
#[test]
fn no_invite_leaves_before_its_intent_is_saved() {
    let mut rig = Rig::placing();
    rig.pass(rig::RING * 2).gives([]);
    rig.saved(Save::Intent).gives(["INVITE 1"]);
}

/// Promises 4 and 5.
#[test]
fn a_call_hung_up_before_its_intent_is_saved_never_leaves() {
    let mut rig = Rig::placing();
    rig.disconnect().gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    rig.saved(Save::Intent).gives([]);
    rig.pass(rig::RING * 2).gives([]);
    assert!(rig.call.is_drained());
}

/// Promise 3.
#[test]
fn a_call_whose_intent_cannot_be_saved_never_leaves() {
    let mut rig = Rig::placing();
    rig.save_failed(Save::Intent).gives(["save End"]);
    rig.ends(EndCause::NotJournaled, true);
    rig.saved(Save::Intent).gives([]);
}
