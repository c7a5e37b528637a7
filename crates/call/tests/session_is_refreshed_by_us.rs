//! Our turn to refresh the session, and what may come back (RFC 4028 §7.4, §10).

mod rig;

use std::time::Duration;

use call::{EndCause, Silence, Timer, Wish};
use rig::{ANSWER, MAX_DURATION, MD5, Rig, SESSION_EXPIRES, TRANSACTION, www};
use sip::Method;

const BYE: [&str; 3] = ["media stop", "BYE 3 phone", "save Wish"];

#[test]
fn half_the_interval_later_an_update_leaves() {
    for expires in ["300;refresher=uac", "300"] {
        let mut rig = Rig::in_session(expires, true);
        assert_eq!(
            rig.call.poll_timeout(),
            Some((rig.now + SESSION_EXPIRES / 2, Timer::Refresh))
        );
        rig.pass(SESSION_EXPIRES / 2).gives(["UPDATE 2 phone", "save Answer"]);
        let update = rig.last("UPDATE");
        assert_eq!(update.request_uri, "sip:phone@192.0.2.9:5070");
        assert_eq!(update.header("Session-Expires"), "300;refresher=uac");
        assert_eq!(update.header("Min-SE"), "90");
        assert_eq!(update.header("Supported"), "timer");
        assert_eq!(update.header("Contact"), "<sip:onhook@192.0.2.1:5060>");
        assert_eq!(update.body, "", "the session itself stays as it is");
    }
}

#[test]
fn a_call_that_is_refreshed_lives_on() {
    let mut rig = Rig::in_session("300;refresher=uac", true);
    let mut passed = Duration::ZERO;
    while passed + SESSION_EXPIRES / 2 < MAX_DURATION {
        rig.pass(SESSION_EXPIRES / 2);
        passed += SESSION_EXPIRES / 2;
        assert_eq!(rig.drain().len(), 2, "UPDATE and save");
        let mut response = rig.last("UPDATE").response(200, None);
        response.session = rig::session("300;refresher=uac");
        rig.deliver(&response).gives([]);
    }
    assert_eq!(rig.count("UPDATE"), 11);
    // The record knows how far the CSeq has got: a BYE after a crash comes after them all.
    assert_eq!(rig.call.record().dialog.local_cseq, 12);
    rig.pass(SESSION_EXPIRES / 2)
        .gives(["media stop", "BYE 13 phone", "save Wish"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::MaxDuration), true);
}

/// A peer without UPDATE: the same description again, under the same version (RFC 3264 §8).
#[test]
fn without_update_a_reinvite_repeats_the_session() {
    let mut rig = Rig::refreshing(false);
    assert_eq!(rig.sent.first().unwrap().body, rig.last("INVITE").body);
    assert_eq!(rig.last("INVITE").header("Session-Expires"), "300;refresher=uac");
    let answer = rig.answer_of("phone");
    rig.deliver(&answer).gives(["ACK 2 phone"]);
    // Its ACK was lost.
    rig.deliver(&answer).gives(["ACK 2 phone"]);
    rig.pass(SESSION_EXPIRES / 2).gives(["INVITE 3 phone", "save Answer"]);
}

#[test]
fn a_reinvite_repeats_what_was_answered_last() {
    let mut rig = Rig::in_session("300;refresher=uac", false);
    let hold = ANSWER.to_owned() + "a=sendonly\r\n";
    rig.peer(Method::Invite, &hold).gives(["media change", "reply 200"]);
    let (_, said) = rig.replies.last().unwrap().body.clone().unwrap();
    rig.pass(SESSION_EXPIRES / 2).gives(["INVITE 2 phone", "save Answer"]);
    assert_eq!(rig.last("INVITE").body, said);
    assert!(said.contains("a=recvonly"));
}

#[test]
fn the_answer_to_a_reinvite_may_move_the_stream() {
    let mut rig = Rig::refreshing(false);
    let mut answer = rig.answer_of("phone");
    answer.body = ANSWER.replace("4000", "4002").into_bytes();
    answer.contact = Some("sip:moved@192.0.2.10".to_owned());
    rig.deliver(&answer)
        .gives(["save Answer", "ACK 2 phone", "media change"]);
    assert_eq!(rig.last("ACK").request_uri, "sip:moved@192.0.2.10");
    rig.disconnect().gives(BYE);
    assert_eq!(rig.last("BYE").request_uri, "sip:moved@192.0.2.10");
}

#[test]
fn a_peer_that_lists_update_and_has_none_gets_a_reinvite() {
    for status in [405, 501] {
        let mut rig = Rig::refreshing(true);
        rig.response_to("UPDATE", status)
            .gives(["INVITE 3 phone", "save Answer"]);
        rig.answer("phone").gives(["ACK 3 phone"]);
        rig.pass(SESSION_EXPIRES / 2).gives(["INVITE 4 phone", "save Answer"]);
    }
}

/// RFC 4028 §7.2: whoever alone wants the session timers refreshes alone.
#[test]
fn a_2xx_without_an_interval_leaves_us_refreshing() {
    let mut rig = Rig::refreshing(true);
    rig.response_to("UPDATE", 200).gives([]);
    rig.pass(SESSION_EXPIRES / 2).gives(["UPDATE 3 phone", "save Answer"]);
}

#[test]
fn the_2xx_may_change_interval_and_refresher() {
    let mut rig = Rig::refreshing(true);
    let mut response = rig.last("UPDATE").response(200, None);
    response.session = rig::session("120;refresher=uas");
    rig.deliver(&response).gives([]);
    assert_eq!(
        rig.call.poll_timeout(),
        Some((rig.now + Duration::from_secs(120 - 32), Timer::SessionExpires))
    );
}

#[test]
fn a_challenge_is_answered_once() {
    let mut rig = Rig::refreshing(true);
    rig.challenge("UPDATE", 407, &[rig::proxy(MD5)])
        .gives(["UPDATE 3 phone", "save Answer"]);
    let update = rig.last("UPDATE");
    assert!(
        update
            .header("Proxy-Authorization")
            .contains(r#"uri="sip:phone@192.0.2.9:5070""#)
    );
    rig.challenge("UPDATE", 407, &[rig::proxy(MD5)]).gives([]);
    rig.pass(SESSION_EXPIRES / 10).gives(["UPDATE 4 phone", "save Answer"]);
}

/// RFC 3261 §22.1: the ACK carries what the re-INVITE carried.
#[test]
fn the_ack_of_a_challenged_reinvite_carries_its_credentials() {
    let mut rig = Rig::refreshing(false);
    rig.challenge("INVITE", 401, &[www(MD5)])
        .gives(["INVITE 3 phone", "save Answer"]);
    rig.answer("phone").gives(["ACK 3 phone"]);
    let invite = rig.last("INVITE").header("Authorization").to_owned();
    assert_eq!(rig.last("ACK").header("Authorization"), invite);
}

/// RFC 4028 §10, RFC 5057 §5.1.
#[test]
fn a_dialog_that_the_phone_no_longer_knows_is_ended() {
    for status in [408, 481] {
        for (update, method) in [(true, "UPDATE"), (false, "INVITE")] {
            let mut rig = Rig::refreshing(update);
            rig.response_to(method, status).gives(BYE);
            rig.response_to("BYE", 481).gives(["save End"]);
            rig.ends(EndCause::Wished(Wish::SessionExpired), true);
        }
    }
}

#[test]
fn a_phone_that_has_vanished_is_byed() {
    for (update, method) in [(true, "UPDATE"), (false, "INVITE")] {
        let mut rig = Rig::refreshing(update);
        rig.silence(method, Silence::TimedOut).gives(BYE);
        rig.pass(TRANSACTION * 5);
        rig.drain();
        rig.ends(EndCause::Wished(Wish::SessionExpired), false);
    }
}

#[test]
fn a_refusal_is_tried_again_until_the_session_expires() {
    for status in [302, 488, 500, 503, 603] {
        let mut rig = Rig::refreshing(true);
        for update in ["UPDATE 3 phone", "UPDATE 4 phone", "UPDATE 5 phone"] {
            rig.response_to("UPDATE", status).gives([]);
            rig.pass(SESSION_EXPIRES / 10).gives([update, "save Answer"]);
        }
        rig.response_to("UPDATE", status).gives([]);
        rig.pass(SESSION_EXPIRES / 10)
            .gives(["media stop", "BYE 6 phone", "save Wish"]);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::SessionExpired), true);
    }
}

#[test]
fn a_refresh_that_cannot_be_sent_is_tried_again() {
    let mut rig = Rig::refreshing(true);
    rig.silence("UPDATE", Silence::Unreachable).gives([]);
    rig.pass(SESSION_EXPIRES / 10).gives(["UPDATE 3 phone", "save Answer"]);
}

#[test]
fn the_peer_says_when_to_try_again() {
    let mut rig = Rig::refreshing(true);
    let mut response = rig.last("UPDATE").response(503, None);
    response.retry_after = Some(60);
    rig.deliver(&response).gives([]);
    rig.pass(Duration::from_secs(59)).gives([]);
    rig.pass(Duration::from_secs(1))
        .gives(["UPDATE 3 phone", "save Answer"]);
}

/// RFC 3261 §14.1: 2.1 to 4 s, since the Call-ID is ours.
#[test]
fn after_a_491_it_waits_a_moment() {
    let mut rig = Rig::refreshing(false);
    rig.response_to("INVITE", 491).gives([]);
    rig.pass(Duration::from_millis(2099)).gives([]);
    rig.pass(Duration::from_millis(1901))
        .gives(["INVITE 3 phone", "save Answer"]);
}

/// RFC 3261 §14.1: one INVITE at a time; §14.2: and one offer.
#[test]
fn it_waits_for_the_ack_of_the_phones_own_reinvite() {
    let mut rig = Rig::in_session("300;refresher=uac", false);
    rig.pass(SESSION_EXPIRES / 2 - Duration::from_secs(1));
    rig.peer(Method::Invite, "").gives(["reply 200"]);
    assert_eq!(rig.call.poll_timeout().map(|(_, timer)| timer), Some(Timer::Refresh));
    rig.pass(SESSION_EXPIRES / 2 + Duration::from_secs(1)).gives([]);
    let ack = rig.peer_request(Method::Ack, ANSWER);
    rig.call.handle_ack(&ack);
    rig.pass(Duration::from_secs(4))
        .gives(["INVITE 2 phone", "save Answer"]);
    rig.peer(Method::Invite, ANSWER).gives(["reply 491"]);
    rig.peer(Method::Update, ANSWER).gives(["reply 491"]);
    rig.peer(Method::Update, "").gives(["reply 200"]);
}

/// Promise 4.
#[test]
fn a_hang_up_does_not_wait_for_the_refresh() {
    for (update, method, stop) in [(true, "UPDATE", "stop UPDATE"), (false, "INVITE", "stop INVITE")] {
        let mut rig = Rig::refreshing(update);
        rig.disconnect().gives(BYE);
        rig.response_to("BYE", 200).gives([stop, "save End"]);

        let mut rig = Rig::refreshing(update);
        rig.disconnect().gives(BYE);
        rig.response_to(method, 487).gives([]);
        rig.pass(Duration::from_secs(30)).gives([]);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Hangup), true);
    }
}

/// RFC 3261 §13.2.2.4 holds for a re-INVITE, too.
#[test]
fn a_2xx_that_crosses_the_bye_is_acked() {
    let mut rig = Rig::refreshing(false);
    rig.disconnect().gives(BYE);
    let answer = rig.answer_of("phone");
    rig.deliver(&answer).gives(["ACK 2 phone"]);
    rig.response_to("BYE", 200).gives(["save End"]);
    rig.deliver(&answer).gives(["ACK 2 phone"]);
}

/// Promise 2: what a crash leaves is ended with a CSeq number that the phone has not seen.
#[test]
fn a_bye_after_a_crash_comes_after_every_refresh() {
    let mut rig = Rig::in_session("90;refresher=uac", true);
    for _ in 0..30 {
        rig.pass(Duration::from_secs(45));
        rig.drain();
        rig.response_to("UPDATE", 200).gives([]);
    }
    let record = rig.call.record().clone();
    let last = rig.last("UPDATE").cseq();
    let mut next = call::Call::take_up(record, 1, rig::surroundings(), rig.now);
    let byes: Vec<_> = std::iter::from_fn(|| next.poll_output())
        .filter_map(|output| match output {
            call::Output::Send(outgoing) => Some(rig::Sent::new(outgoing)),
            _ => None,
        })
        .filter(|sent| sent.method == "BYE")
        .collect();
    assert!(byes[0].cseq() > last);
    assert_eq!(next.poll_timeout().map(|(_, timer)| timer), Some(Timer::AnotherBye));
}
