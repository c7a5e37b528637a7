//! re-INVITE and UPDATE of the phone: hold, resume, another codec, another place (RFC 3261 §14, RFC 3311, RFC 3264 §8).

mod rig;

use std::time::Duration;

use call::{EndCause, MediaCommand, Save, Wish};
use rig::{ANSWER, Rig};
use sip::{
    Method,
    sdp::{Agreed, Codec, Direction},
};

fn description(port: u16, formats: &str, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\na={direction}\r\n"
    )
}

fn agreed(rig: &Rig) -> Agreed {
    match rig.media.last() {
        Some(MediaCommand::Start(agreed) | MediaCommand::Change(agreed)) => *agreed,
        Some(MediaCommand::Stop) | None => panic!("there is no sound"),
    }
}

fn answered_with(rig: &Rig) -> &str {
    let body = rig.replies.last().and_then(|reply| reply.body.as_ref());
    body.map_or_else(|| panic!("no session description"), |(_, body)| body)
}

#[test]
fn hold_and_resume() {
    for method in [Method::Invite, Method::Update] {
        for (hold, ours) in [("sendonly", "recvonly"), ("inactive", "inactive")] {
            let mut rig = Rig::confirmed();
            rig.peer(method.clone(), &description(4000, "8", hold))
                .gives(["media change", "reply 200"]);
            assert!(!agreed(&rig).direction.sends());
            assert!(answered_with(&rig).contains(&format!("a={ours}\r\n")));
            rig.peer(method.clone(), &description(4000, "8", "sendrecv"))
                .gives(["media change", "reply 200"]);
            assert_eq!(agreed(&rig).direction, Direction::SendRecv);
        }
    }
}

/// Hold as RFC 2543 did it: an unspecified address (RFC 3264 §8.4).
#[test]
fn hold_by_an_unspecified_address() {
    let mut rig = Rig::confirmed();
    let hold = description(4000, "8", "sendrecv").replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0");
    rig.peer(Method::Invite, &hold).gives(["media change", "reply 200"]);
    assert!(!agreed(&rig).direction.sends());
}

#[test]
fn the_stream_moves_and_the_codec_changes() {
    let mut rig = Rig::confirmed();
    assert_eq!(rig.call.codec(), Some(Codec::Pcma));
    rig.peer(Method::Invite, &description(4444, "0 8", "sendrecv"))
        .gives(["media change", "reply 200"]);
    assert_eq!(
        rig.call.codec(),
        Some(Codec::Pcma),
        "what is in use stays while it is offered"
    );
    assert_eq!(agreed(&rig).remote.port(), 4444);
    rig.peer(Method::Invite, &description(4444, "0", "sendrecv"))
        .gives(["media change", "reply 200"]);
    assert_eq!(rig.call.codec(), Some(Codec::Pcmu));
}

#[test]
fn the_same_session_again_changes_nothing() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Update, ANSWER).gives(["reply 200"]);
    rig.peer(Method::Update, "").gives(["reply 200"]);
    assert_eq!(rig.replies[1].body, None);
}

/// RFC 3264 §8: one more with every description, and none skipped by a refused one.
#[test]
fn the_version_of_our_description_rises_by_one() {
    let mut rig = Rig::confirmed();
    let mut versions = Vec::new();
    for offer in [ANSWER, "nonsense", ANSWER, ""] {
        rig.peer(Method::Invite, offer);
        rig.drain();
        if let Some((_, body)) = &rig.replies.last().unwrap().body {
            versions.push(body.lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned());
        }
    }
    assert_eq!(versions, ["2", "3", "4"]);
}

/// RFC 3261 §14.2: the session stays as it was.
#[test]
fn an_offer_that_cannot_be_accepted_gets_488() {
    for offer in [
        description(4000, "18", "sendrecv"),
        description(0, "8", "sendrecv"),
        "v=0".to_owned(),
        "\0\u{fffd}".to_owned(),
    ] {
        let mut rig = Rig::confirmed();
        let mut request = rig.peer_request(Method::Invite, &offer);
        request.contact = Some("sip:moved@192.0.2.10".to_owned());
        rig.receive(&request).gives(["reply 488"]);
        assert_eq!(rig.call.codec(), Some(Codec::Pcma));
        rig.disconnect();
        rig.drain();
        assert_eq!(rig.last("BYE").request_uri, "sip:phone@192.0.2.9:5070");
    }
}

#[test]
fn a_reinvite_without_offer_is_answered_in_its_ack() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Invite, "").gives(["reply 200"]);
    assert!(answered_with(&rig).contains("m=audio 30000 RTP/AVP 9 8 0 101"));
    let mut ack = rig.peer_request(Method::Ack, &description(5000, "0", "sendrecv"));
    ack.cseq.number = 1;
    rig.call.handle_ack(&ack);
    rig.gives(["media change"]);
    assert_eq!(agreed(&rig).remote.port(), 5000);
    // The same ACK once more answers nothing.
    ack.body = description(6000, "0", "sendrecv").into_bytes();
    rig.call.handle_ack(&ack);
    rig.gives([]);
}

#[test]
fn an_unusable_answer_in_the_ack_leaves_the_session_as_it_was() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Invite, "").gives(["reply 200"]);
    let ack = rig.peer_request(Method::Ack, "nonsense");
    rig.call.handle_ack(&ack);
    rig.gives([]);
    assert_eq!(rig.call.codec(), Some(Codec::Pcma));
}

/// One offer at a time (RFC 3261 §14.2, RFC 3311 §5.2).
#[test]
fn an_offer_that_meets_ours_gets_491() {
    let mut rig = Rig::answered();
    rig.peer(Method::Invite, ANSWER).gives(["reply 491"]);

    let mut rig = Rig::confirmed();
    rig.peer(Method::Invite, "").gives(["reply 200"]);
    rig.peer(Method::Update, ANSWER).gives(["reply 491"]);
    let ack = rig.peer_request(Method::Ack, ANSWER);
    rig.call.handle_ack(&ack);
    rig.peer(Method::Update, ANSWER).gives(["reply 200"]);
}

/// RFC 5407 §3.2.2: a re-INVITE crossing BYE.
#[test]
fn after_our_bye_nothing_is_negotiated() {
    for mut rig in [Rig::terminating(), Rig::ended()] {
        rig.peer(Method::Invite, ANSWER).gives(["reply 481"]);
        rig.peer(Method::Update, ANSWER).gives(["reply 481"]);
    }
}

#[test]
fn a_request_out_of_order_gets_500() {
    let mut rig = Rig::confirmed();
    let mut old = rig.peer_request(Method::Update, ANSWER);
    old.cseq.number = 5;
    rig.receive(&old).gives(["reply 200"]);
    old.cseq.number = 4;
    rig.receive(&old).gives(["reply 500"]);
    old.cseq.number = 1_000_000;
    rig.receive(&old).gives(["reply 200"]);
}

/// RFC 3261 §12.2.2. Promise 2: the BYE after a crash finds the peer where it is now.
#[test]
fn a_moved_target_is_journaled_and_byed() {
    let mut rig = Rig::confirmed();
    let mut request = rig.peer_request(Method::Update, "");
    request.contact = Some("sip:moved@192.0.2.10".to_owned());
    rig.receive(&request).gives(["save Answer", "reply 200"]);
    rig.saved(Save::Answer).gives([]);
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    assert_eq!(rig.last("BYE").request_uri, "sip:moved@192.0.2.10");
}

#[test]
fn what_else_the_phone_may_ask_for() {
    let mut rig = Rig::confirmed();
    rig.peer(Method::Options, "").gives(["reply 200"]);
    assert!(rig.replies[0].headers.iter().any(|(name, _)| *name == "Allow"));
    rig.peer(Method::Info, "").gives(["reply 200"]);
    rig.peer(Method::Notify, "").gives(["reply 481"]);
    rig.peer(Method::Other("MESSAGE".to_owned()), "").gives(["reply 405"]);
    rig.peer(Method::Register, "").gives(["reply 405"]);
    rig.peer(Method::Ack, "").gives([]);
    rig.peer(Method::Cancel, "").gives([]);
    assert!(rig.call.end().is_none());
    rig.pass(Duration::from_secs(60)).gives([]);
}

#[test]
fn the_answers_last_word_in_media_is_stop() {
    let mut rig = Rig::confirmed();
    rig.call.media_finished(rig.now);
    rig.gives(["media stop", "BYE 2 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Finished), true);
    assert_eq!(rig.media.last(), Some(&MediaCommand::Stop));
}
