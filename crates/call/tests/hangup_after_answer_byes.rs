//! A hang-up after the answer: one BYE, whoever else asks for it (promise 4).

mod rig;

use call::{EndCause, Phase, Save, Wish};
use rig::Rig;

/// The ACK is still waiting for the disk: ACK, then BYE.
#[test]
fn answered_but_not_saved() {
    let mut rig = Rig::answered();
    rig.disconnect().gives(["save Wish"]);
    rig.disconnect().gives([]);
    rig.saved(Save::Answer).gives(["ACK 1 phone", "BYE 2 phone"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}

#[test]
fn confirmed() {
    let mut rig = Rig::confirmed();
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    assert_eq!(rig.call.phase(), Phase::Terminating);
    let bye = rig.last("BYE");
    assert_eq!(bye.request_uri, "sip:phone@192.0.2.9:5070");
    assert_eq!(bye.destination, "sip:phone@192.0.2.9:5070");
    assert_eq!(bye.header("From"), "<sip:onhook@example.org>;tag=ours");
    assert_eq!(bye.header("To"), "<sip:4711@pbx.example>;tag=phone");
    rig.response_to("BYE", 100).gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    assert!(rig.call.is_drained());
}

/// Promise 4: two hang-ups at once, or a hundred.
#[test]
fn a_hundred_hangups_send_one_bye() {
    let mut rig = Rig::confirmed();
    for _ in 0..100 {
        rig.disconnect();
    }
    rig.gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.disconnect().gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.disconnect().gives([]);
}

/// Already ended: success, nothing sent.
#[test]
fn ended() {
    let mut rig = Rig::ended();
    rig.disconnect().gives([]);
    rig.pass(rig::MAX_DURATION * 2).gives([]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
    assert_eq!(rig.call.poll_timeout(), None);
}

/// The first wish is the cause.
#[test]
fn the_message_ends_while_a_hangup_is_under_way() {
    let mut rig = Rig::terminating();
    rig.call.media_finished(rig.now);
    rig.gives([]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), true);
}
