//! A BYE that is asked for credentials: answered once, and not taken for done (promise 4).

mod rig;

use call::{EndCause, Wish};
use rig::{MD5, Rig, SHA256, proxy, www};
use sip::Method;

#[test]
fn the_bye_is_sent_again_with_credentials() {
    for (status, challenge, header) in [
        (401, www(SHA256), "Authorization"),
        (407, proxy(MD5), "Proxy-Authorization"),
    ] {
        let mut rig = Rig::terminating();
        let first = rig.last("BYE").branch();
        rig.challenge("BYE", status, &[challenge]).gives(["BYE 3 phone"]);
        let bye = rig.last("BYE");
        assert!(bye.header(header).contains(r#"uri="sip:phone@192.0.2.9:5070""#));
        assert_ne!(bye.branch(), first);
        rig.response_to("BYE", 200).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::Hangup), true);
    }
}

/// The digest is computed over BYE, not over INVITE: a server would refuse it otherwise.
#[test]
fn the_credentials_are_of_the_bye() {
    let mut rig = Rig::terminating();
    rig.challenge("BYE", 401, &[www(r#"Digest realm="pbx", nonce="n1""#)])
        .gives(["BYE 3 phone"]);
    let mut expected = digest_auth::parse(r#"Digest realm="pbx", nonce="n1""#).unwrap();
    let context = digest_auth::AuthContext::new_with_method(
        "onhook",
        "secret",
        "sip:phone@192.0.2.9:5070",
        None::<&[u8]>,
        digest_auth::HttpMethod::from("BYE"),
    );
    let response = expected.respond(&context).unwrap().response;
    assert!(rig.last("BYE").header("Authorization").contains(&response));
}

#[test]
fn refused_credentials_end_the_call_unconfirmed() {
    let mut rig = Rig::terminating();
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["BYE 3 phone"]);
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

#[test]
fn a_challenge_that_cannot_be_answered_ends_the_call_unconfirmed() {
    let mut rig = Rig::terminating();
    rig.challenge("BYE", 401, &[]).gives(["save End"]);
    rig.ends(EndCause::Wished(Wish::Hangup), false);
}

/// A late answer to the first BYE does not decide about the second.
#[test]
fn a_response_to_the_first_bye_is_passed_over() {
    let mut rig = Rig::terminating();
    let late = rig.last("BYE").response(500, None);
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["BYE 3 phone"]);
    rig.deliver(&late).gives([]);
    rig.pass(rig::T1 * 20).gives([]);
}

#[test]
fn the_phone_hangs_up_while_its_challenge_is_answered() {
    let mut rig = Rig::terminating();
    rig.challenge("BYE", 401, &[www(MD5)]).gives(["BYE 3 phone"]);
    rig.peer(Method::Bye, "").gives(["save End", "reply 200"]);
    rig.response_to("BYE", 481).gives([]);
    assert!(rig.call.is_drained());
}
