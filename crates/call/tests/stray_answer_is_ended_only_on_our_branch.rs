//! A 2xx of a call that nobody remembers: ACK and BYE from the response alone, if its branch is verifiably ours.

mod rig;

use call::{Call, EndCause, Save, Stray, Wish};
use rig::{MD5, Rig, surroundings, www};
use sip::{Branch, BranchKey, CallIdHeader, Method, Response};

fn stray(answer: &Response) -> Option<Rig> {
    let mut rig = Rig::placing();
    let stray = Stray::of(answer, &surroundings().key)?;
    rig.replace(Call::stray(stray, "pbx".to_owned(), surroundings()));
    Some(rig)
}

#[test]
fn the_phone_is_acked_and_byed() {
    let rig = Rig::early();
    let mut answer = rig.answer_of("stray");
    answer.record_route = vec!["<sip:p2.example;lr>".to_owned(), "<sip:p1.example;lr>".to_owned()];
    let mut ended = stray(&answer).unwrap();
    ended.gives(["save Answer"]);
    ended.saved(Save::Answer).gives(["ACK 1 stray", "BYE 1002 stray"]);
    let (ack, bye) = (ended.last("ACK"), ended.last("BYE"));
    for sent in [ack, bye] {
        assert_eq!(sent.request_uri, "sip:stray@192.0.2.9:5070");
        assert_eq!(sent.all("Route"), ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
        assert_eq!(sent.destination, "sip:p1.example;lr");
        assert_eq!(sent.header("From"), rig.last("INVITE").header("From"));
        assert_eq!(sent.header("To"), answer.to);
    }
}

/// It is followed like any call that is being ended: through challenges, silence and the answer's repetition.
#[test]
fn its_bye_is_followed() {
    let answer = Rig::early().answer_of("stray");
    let mut rig = stray(&answer).unwrap();
    rig.gives(["save Answer"]);
    rig.deliver(&answer).gives([]);
    rig.saved(Save::Answer).gives(["ACK 1 stray", "BYE 1002 stray"]);
    rig.deliver(&answer).gives(["ACK 1 stray"]);
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["BYE 1003 stray"]);
    rig.response_to("BYE", 503).gives([]);
    rig.pass(rig::T1 * 8).gives(["BYE 1004 stray"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Drain), true);
}

/// Nothing was sent, so the phone still asks for its ACK: the next process finds the record or the repeated 2xx.
#[test]
fn it_ends_also_when_the_journal_refuses() {
    let mut rig = stray(&Rig::early().answer_of("stray")).unwrap();
    rig.gives(["save Answer"]);
    rig.save_failed(Save::Answer).gives(["ACK 1 stray", "BYE 1002 stray"]);
}

/// Promise 2: what a crash leaves behind is ended by the same requests as ever.
#[test]
fn its_ack_is_the_one_the_call_would_have_sent() {
    let mut rig = Rig::answered();
    let answer = rig.answer_of("phone");
    let mut ended = stray(&answer).unwrap();
    for rig in [&mut rig, &mut ended] {
        rig.saved(Save::Answer);
        rig.drain();
    }
    assert_eq!(rig.last("ACK").text, ended.last("ACK").text);
}

#[test]
fn a_forged_200_makes_us_send_nothing() {
    let answer = Rig::early().answer_of("forger");
    let refused = |tamper: fn(&mut Response)| {
        let mut forged = answer.clone();
        tamper(&mut forged);
        stray(&forged).is_none()
    };
    assert!(refused(|forged| forged.branch = Branch::new("z9hG4bKguess")));
    assert!(refused(|forged| forged.call_id = CallIdHeader::new("another@onhook")));
    assert!(refused(|forged| forged.cseq.number = 2));
    assert!(refused(|forged| forged.cseq.method = Method::Bye));
    assert!(refused(|forged| forged.to_tag = None));
    assert!(refused(|forged| forged.from = "<sip:onhook@example.org>".to_owned()));
    assert!(Stray::of(&answer, &BranchKey::new([8; 32])).is_none());
}
