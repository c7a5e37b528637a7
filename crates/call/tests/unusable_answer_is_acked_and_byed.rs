//! The phone answers with sound we cannot use: it is off-hook, so ACK, then BYE (RFC 3261 §13.2.2.4, RFC 3264 §6).

mod rig;

use call::{EndCause, Save, Wish};
use rig::{ANSWER, Rig};

#[test]
fn the_phone_is_acked_and_byed() {
    for body in [
        String::new(),
        "nonsense".to_owned(),
        ANSWER.replace("m=audio 4000", "m=audio 0"),
        ANSWER.replace("AVP 8 101", "AVP 18"),
        ANSWER.replace("RTP/AVP", "RTP/SAVP"),
        ANSWER.replace("c=IN IP4 192.0.2.9", "c=IN IP4 phone.example"),
    ] {
        let mut rig = Rig::early();
        let mut answer = rig.answer_of("phone");
        answer.body = body.clone().into_bytes();
        rig.deliver(&answer).gives(["save Answer"]);
        rig.saved(Save::Answer)
            .gives(["ACK 1 phone", "BYE 2 phone", "save Wish"]);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::MediaRefused), true);
        assert!(rig.media.is_empty(), "{body}");
    }
}
