//! An INVITE that is asked for credentials (RFC 3261 §22, RFC 7616).

mod rig;

use call::{EndCause, Phase, Save};
use rig::{MD5, Rig, SHA256, proxy, www};
use sip::Challenge;

/// Promise 3: the repeated INVITE is a new transaction, which a crash must be able to CANCEL.
#[test]
fn the_invite_with_credentials_waits_for_its_intent() {
    let mut rig = Rig::trying();
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    assert_eq!(rig.call.phase(), Phase::Placing);
    assert_eq!(rig.call.record().invite_cseq, 2);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    let (first, second) = (&rig.sent[0], &rig.sent[1]);
    assert_eq!(rig.call.record().invite_via, second.header("Via"));
    assert_ne!(first.branch(), second.branch());
    for name in ["From", "To", "Call-ID", "Contact"] {
        assert_eq!(first.header(name), second.header(name));
    }
    assert_eq!(first.body, second.body);
}

fn authorized(challenges: &[Challenge], status: u16) -> Rig {
    let mut rig = Rig::trying();
    rig.challenge("INVITE", status, challenges).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    rig
}

#[test]
fn md5_is_answered() {
    let rig = authorized(&[www(MD5)], 401);
    let value = rig.last("INVITE").header("Authorization");
    assert!(value.starts_with(r#"Digest username="onhook", realm="pbx", nonce="n1", uri="sip:4711@pbx.example", "#));
    assert!(value.contains("algorithm=MD5") && value.contains("qop=auth") && value.contains("nc=00000001"));
}

#[test]
fn sha_256_is_answered() {
    let rig = authorized(&[www(SHA256)], 401);
    assert!(rig.last("INVITE").header("Authorization").contains("algorithm=SHA-256"));
}

#[test]
fn of_both_the_stronger_is_answered_in_either_order() {
    for both in [[www(MD5), www(SHA256)], [www(SHA256), www(MD5)]] {
        let rig = authorized(&both, 401);
        let headers = rig.last("INVITE").all("Authorization");
        assert_eq!(headers.len(), 1);
        assert!(headers[0].contains("algorithm=SHA-256"));
    }
}

#[test]
fn an_unknown_algorithm_is_passed_over() {
    let unknown = www(r#"Digest realm="pbx", nonce="n", algorithm=FUTURE-1"#);
    let rig = authorized(&[unknown.clone(), www(MD5)], 401);
    assert!(rig.last("INVITE").header("Authorization").contains("algorithm=MD5"));

    let mut rig = Rig::trying();
    rig.challenge("INVITE", 401, &[unknown]).gives(["save End"]);
    assert!(matches!(
        rig.call.end().unwrap().cause,
        EndCause::Unauthorized { status: 401, .. }
    ));
}

#[test]
fn the_proxy_then_the_server_are_answered() {
    let mut rig = authorized(&[proxy(r#"Digest realm="edge", nonce="e", qop="auth""#)], 407);
    assert!(
        rig.last("INVITE")
            .header("Proxy-Authorization")
            .contains(r#"realm="edge""#)
    );
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 3"]);
    let invite = rig.last("INVITE");
    assert!(invite.header("Proxy-Authorization").contains("nc=00000002"));
    assert!(invite.header("Authorization").contains("nc=00000001"));
}

/// A forking proxy collects the challenges of its branches in one response (RFC 3261 §22.3).
#[test]
fn every_realm_of_one_response_is_answered() {
    let rig = authorized(&[www(MD5), www(r#"Digest realm="branch", nonce="b", qop="auth""#)], 401);
    assert_eq!(rig.last("INVITE").all("Authorization").len(), 2);
}

#[test]
fn an_old_nonce_is_replaced() {
    let mut rig = authorized(&[www(MD5)], 401);
    let stale = www(r#"Digest realm="pbx", nonce="fresh", qop="auth", stale=TRUE"#);
    rig.challenge("INVITE", 401, &[stale]).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 3"]);
    let value = rig.last("INVITE").header("Authorization");
    assert!(value.contains(r#"nonce="fresh""#) && value.contains("nc=00000001"));
}

/// Promise 9: a server that finds every nonce too old is not obeyed for ever.
#[test]
fn nonces_that_are_always_too_old_end_the_call() {
    let mut rig = authorized(&[www(MD5)], 401);
    let stale = [www(r#"Digest realm="pbx", nonce="x", stale=true"#)];
    for _ in 0..20 {
        rig.challenge("INVITE", 401, &stale);
        rig.drain();
        rig.saved(Save::Intent);
        rig.drain();
    }
    assert!(rig.call.end().is_some());
    assert!(rig.count("INVITE") < 10);
}

#[test]
fn a_wrong_password_ends_the_call() {
    let mut rig = authorized(&[www(MD5)], 401);
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save End"]);
    assert!(matches!(
        rig.call.end().unwrap().cause,
        EndCause::Unauthorized { status: 401, .. }
    ));
}

#[test]
fn a_challenge_without_credentials_ends_the_call() {
    let mut around = rig::surroundings();
    around.credentials = None;
    let mut rig = Rig::new(rig::placement(), around);
    rig.gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 1"]);
    rig.challenge("INVITE", 407, &[proxy(MD5)]).gives(["save End"]);
    assert!(matches!(
        rig.call.end().unwrap().cause,
        EndCause::Unauthorized { status: 407, .. }
    ));
}

/// RFC 3261 §22.1.
#[test]
fn the_ack_carries_the_credentials_of_its_invite() {
    let mut rig = authorized(&[www(MD5)], 401);
    rig.answer("phone").gives(["save Answer"]);
    rig.saved(Save::Answer).gives(["ACK 2 phone", "media start"]);
    assert_eq!(
        rig.last("ACK").header("Authorization"),
        rig.last("INVITE").header("Authorization")
    );
}

/// Promise 5.
#[test]
fn an_invite_with_credentials_never_leaves_after_a_hangup() {
    let mut rig = Rig::early();
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    rig.disconnect().gives(["save End"]);
    rig.saved(Save::Intent).gives([]);

    let mut rig = Rig::cancelling();
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save End"]);
    assert_eq!(rig.count("INVITE"), 1);
}

#[test]
fn the_cancel_is_of_the_invite_with_credentials() {
    let mut rig = authorized(&[www(MD5)], 401);
    rig.provisional(180).gives([]);
    rig.disconnect().gives(["CANCEL 2", "save Wish"]);
    assert_eq!(rig.last("CANCEL").branch(), rig.last("INVITE").branch());
}

/// What the first INVITE is still told does not touch the second: its CANCEL must wait for a provisional of its own.
#[test]
fn a_late_provisional_of_the_first_invite_is_passed_over() {
    let mut rig = Rig::trying();
    let late = rig.last("INVITE").response(180, Some("phone"));
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    rig.deliver(&late).gives([]);
    rig.disconnect().gives(["save Wish"]);
    rig.deliver(&late).gives([]);
    rig.provisional(100).gives(["CANCEL 2"]);
}

#[test]
fn credentials_do_not_buy_more_time_to_ring() {
    let mut rig = Rig::trying();
    rig.pass(rig::RING / 2).gives([]);
    rig.challenge("INVITE", 401, &[www(MD5)]).gives(["save Intent"]);
    rig.saved(Save::Intent).gives(["INVITE 2"]);
    rig.provisional(180).gives([]);
    rig.pass(rig::RING / 2).gives(["CANCEL 2", "save Wish"]);
}

/// Promise 10.
#[test]
fn no_password_is_printed() {
    let rig = authorized(&[www(MD5)], 401);
    assert!(!format!("{:?}", rig.call).contains("secret"));
    assert!(!rig.last("INVITE").text.contains("secret"));
    assert!(
        !serde_json::to_string(rig.call.record())
            .unwrap()
            .contains("onhook\",\"secret")
    );
}
