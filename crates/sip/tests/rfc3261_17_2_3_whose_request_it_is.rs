//! Which server transaction a request belongs to (RFC 3261 §17.2.3, §9.2).

mod transactions;

use sip::ForServer;
use transactions::{Request, Rig, over, request, sent, udp};

#[test]
fn nothing_is_remembered_of_a_request_that_nobody_accepts() {
    let mut rig = Rig::default();
    for _ in 0..2 {
        assert_eq!(rig.request(udp(), &request("INVITE", "a").text()), ForServer::New);
        assert_eq!(rig.request(udp(), &request("OPTIONS", "b").text()), ForServer::New);
        assert_eq!(
            rig.request(udp(), &request("CANCEL", "a").text()),
            ForServer::UnknownCancel
        );
        assert_eq!(rig.request(udp(), &request("ACK", "a").text()), ForServer::StrayAck);
    }
    rig.gives([]);
    rig.is_empty();
}

#[test]
fn branch_sent_by_and_method_make_a_transaction() {
    let mut rig = Rig::default();
    let bye = Request {
        sent_by: "phone.example:5060",
        ..request("BYE", "a")
    };
    rig.accept(udp(), &bye);
    for another in [
        request("BYE", "b"),
        Request {
            sent_by: "phone.example:5061",
            ..bye.clone()
        },
        Request {
            method: "INFO",
            ..bye.clone()
        },
        Request {
            method: "bye",
            ..bye.clone()
        },
    ] {
        assert_eq!(rig.request(udp(), &another.text()), ForServer::New, "{another:?}");
    }
    let shouted = Request {
        sent_by: "PHONE.example:5060",
        ..bye
    };
    assert_eq!(rig.request(udp(), &shouted.text()), ForServer::Absorbed);
}

#[test]
fn what_was_accepted_already_is_not_accepted_again_and_an_ack_never() {
    let mut rig = Rig::default();
    let invite = request("INVITE", "a");
    rig.accept(udp(), &invite);
    for text in [invite.text(), invite.ack("us")] {
        let message = sip::Message::parse(text.as_bytes()).unwrap();
        assert_eq!(rig.transactions.accept(rig.now, udp(), &message), None);
    }
}

/// RFC 3261 §9.2: the CANCEL is answered, and so is the INVITE.
#[test]
fn a_cancel_meets_its_invite_and_is_a_transaction_itself() {
    let mut rig = Rig::default();
    let (invite, cancel) = (request("INVITE", "a"), request("CANCEL", "a"));
    let called = rig.accept(udp(), &invite);
    assert_eq!(rig.request(udp(), &cancel.text()), ForServer::Cancelled(called));
    let cancelling = rig.accept(udp(), &cancel);
    rig.reply(cancelling, 200, &cancel.response(200, "us"));
    rig.reply(called, 487, &invite.response(487, "us"));
    rig.gives([
        sent(udp(), cancel.response(200, "us")),
        sent(udp(), invite.response(487, "us")),
    ]);
    assert_eq!(rig.request(udp(), &cancel.text()), ForServer::Absorbed);
    rig.gives([sent(udp(), cancel.response(200, "us"))]);
    assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::Absorbed);
    rig.gives([]);
}

/// RFC 3261 §9.2: it has no effect then, but is answered as well.
#[test]
fn a_cancel_of_an_answered_invite_still_finds_it() {
    let mut rig = Rig::default();
    let (invite, cancel) = (request("INVITE", "a"), request("CANCEL", "a"));
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 200, &invite.response(200, "us"));
    rig.gives([sent(udp(), invite.response(200, "us"))]);
    assert_eq!(rig.request(udp(), &cancel.text()), ForServer::Cancelled(id));
    rig.reply(id, 487, &invite.response(487, "us"));
    rig.gives([]);
}

#[test]
fn a_cancel_of_another_method_finds_nothing() {
    let mut rig = Rig::default();
    rig.accept(udp(), &request("OPTIONS", "a"));
    assert_eq!(
        rig.request(udp(), &request("CANCEL", "a").text()),
        ForServer::UnknownCancel
    );
}

/// A peer of RFC 2543, whose branch says nothing.
fn old(method: &'static str, cseq: u32) -> Request {
    Request {
        branch: "1".to_owned(),
        cseq,
        ..request(method, "")
    }
}

#[test]
fn without_the_cookie_call_id_tags_number_and_via_make_a_transaction() {
    let mut rig = Rig::default();
    let (invite, bye) = (old("INVITE", 1), old("BYE", 2));
    for request in [&invite, &bye] {
        rig.accept(udp(), request);
        assert_eq!(rig.request(udp(), &request.text()), ForServer::Absorbed);
    }
    for another in [
        old("INVITE", 2).text(),
        invite.text().replace("call@", "other@"),
        invite.text().replace("tag=from", "tag=other"),
        invite.text().replace("branch=1", "branch=2"),
        bye.text()
            .replace("<sip:100@192.0.2.2>", "<sip:100@192.0.2.2>;tag=other"),
    ] {
        assert_eq!(rig.request(udp(), &another), ForServer::New, "{another}");
    }
}

#[test]
fn without_the_cookie_the_ack_of_a_refusal_has_the_tag_of_our_response() {
    let mut rig = Rig::default();
    let invite = old("INVITE", 1);
    let id = rig.accept(udp(), &invite);
    rig.reply(id, 486, &invite.response(486, "us"));
    rig.gives([sent(udp(), invite.response(486, "us"))]);
    assert_eq!(rig.request(udp(), &invite.ack("them")), ForServer::StrayAck);
    assert_eq!(rig.request(udp(), &old("CANCEL", 1).text()), ForServer::Cancelled(id));
    assert_eq!(rig.request(udp(), &invite.ack("us")), ForServer::Absorbed);
    rig.fires("I", 5_000, [over(id)]);
}
