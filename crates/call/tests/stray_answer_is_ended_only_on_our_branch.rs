//! A 2xx of a call that nobody remembers: ACK and BYE from the response alone, if its branch is verifiably ours.

mod rig;

use call::{Branch, BranchKey, CallIdHeader, Method, end_stray};
use rig::{Rig, Sent, key, surroundings};

#[test]
fn the_phone_is_acked_and_byed() {
    let rig = Rig::early();
    let mut answer = rig.answer_of("stray");
    answer.record_route = vec!["<sip:p2.example;lr>".to_owned(), "<sip:p1.example;lr>".to_owned()];
    let [ack, bye] = end_stray(&answer, &surroundings().local, &key())
        .unwrap()
        .map(Sent::new);
    for sent in [&ack, &bye] {
        assert_eq!(sent.request_uri, "sip:stray@192.0.2.9:5070");
        assert_eq!(sent.all("Route"), ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
        assert_eq!(sent.destination, "sip:p1.example;lr");
        assert_eq!(sent.header("From"), rig.last("INVITE").header("From"));
        assert_eq!(sent.header("To"), answer.to);
    }
    assert_eq!((ack.method.as_str(), ack.cseq()), ("ACK", 1));
    assert_eq!(bye.method, "BYE");
    assert!(bye.cseq() > ack.cseq());
}

/// Promise 2: what a crash leaves behind is ended by the same requests as ever.
#[test]
fn its_ack_is_the_one_the_call_would_have_sent() {
    let mut rig = Rig::answered();
    let answer = rig.answer_of("phone");
    let [ack, _] = end_stray(&answer, &surroundings().local, &key()).unwrap();
    rig.saved(call::Save::Answer);
    rig.drain();
    assert_eq!(rig.last("ACK").text, ack.text);
}

#[test]
fn a_forged_200_makes_us_send_nothing() {
    let answer = Rig::early().answer_of("forger");
    let local = surroundings().local;
    let refused = |tamper: fn(&mut call::Response)| {
        let mut forged = answer.clone();
        tamper(&mut forged);
        end_stray(&forged, &local, &key()).is_none()
    };
    assert!(refused(|forged| forged.branch = Branch::new("z9hG4bKguess")));
    assert!(refused(|forged| forged.call_id = CallIdHeader::new("another@onhook")));
    assert!(refused(|forged| forged.cseq.number = 2));
    assert!(refused(|forged| forged.cseq.method = Method::Bye));
    assert!(refused(|forged| forged.to_tag = None));
    assert!(refused(|forged| forged.from = "<sip:onhook@example.org>".to_owned()));
    assert!(end_stray(&answer, &local, &BranchKey::new([8; 32])).is_none());
}
