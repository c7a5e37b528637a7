//! Promise 10: no credential in any log, and no whole telephone number above DEBUG.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ews::PhoneCallState;

use crate::peer::{Peer, sdp};
use crate::program::Program;
use crate::scene::{House, PASSWORD, Plan};

const NUMBER: &str = "4711237";
const TRUNK_PASSWORD: &str = "pass-of-the-trunk";

/// The log of a server over a whole call with challenges to REGISTER, INVITE and BYE, refused numbers, and a peer that says
/// the number wherever it can.
async fn log_of_a_call(log: &'static str) -> String {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let plan = Plan {
        trunk: "keepalive = \"0s\"\nregister = true\nusername = \"onhook\"\npassword = \"pass-of-the-trunk\"",
        log,
        ..Plan::to(peer.uri())
    };
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n";
    let register = peer.expect("REGISTER").await;
    peer.reply_with(&register, 401, challenge).await;
    let register = peer.expect("REGISTER").await;
    assert!(register.header("Authorization").contains("response="));
    peer.reply_with(&register, 200, "Expires: 3600\r\n").await;

    for refused in ["09001234567", "4711237x", "sip:4711237@elsewhere.example"] {
        anna.try_play(refused).await.unwrap_err();
    }
    let id = anna.play(NUMBER).await;
    let invite = peer.expect("INVITE").await;
    peer.reply_with(&invite, 401, challenge).await;
    peer.expect("ACK").await;
    let invite = peer.expect("INVITE").await;
    let contact = peer.uri().replace("sip:", &format!("sip:{NUMBER}@"));
    let ringing = invite.answered(180, &contact, "").replace("Scripted 180", NUMBER);
    peer.send(&ringing, invite.from).await;
    // Not to be found, and the log says so.
    let nowhere = format!("sip:{NUMBER}@nowhere.invalid");
    peer.send(&invite.answered(200, &nowhere, &sdp(peer.rtp())), invite.from)
        .await;
    peer.expect("ACK").await;
    assert!(invite.header("Authorization").contains("response="));
    anna.reaches(&id, PhoneCallState::Connected).await;
    let (hanging_up, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { hanging_up.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply_with(&bye, 401, challenge).await;
    let bye = peer.expect("BYE").await;
    assert!(bye.header("Authorization").contains("response="));
    peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();
    for (status, phrase) in [(404, "4711237 is nobody here"), (302, "4711237 has moved")] {
        let id = anna.play(NUMBER).await;
        let invite = peer.expect("INVITE").await;
        let refusal = invite.answered(status, &contact, "Warning: 399 pbx \"4711237 says no\"\r\n");
        let refusal = refusal.replace(&format!("Scripted {status}"), phrase);
        peer.send(&refusal, invite.from).await;
        peer.expect("ACK").await;
        anna.ended(&id).await;
    }
    let farewell = tokio::spawn(async move {
        let withdrawn = peer.expect("REGISTER").await;
        peer.reply(&withdrawn, 200).await;
    });
    let (status, log) = program.terminate().await;
    assert!(status.success());
    farewell.await.unwrap();
    assert!(
        log.contains("call ended") && log.contains("a call's requests go to its trunk"),
        "{log}"
    );
    for message in [register, invite, bye] {
        let (_, response) = message.text.split_once("response=\"").unwrap();
        let response = response.split('"').next().unwrap();
        assert!(!log.contains(response), "a digest response is in the log");
    }
    let basic = BASE64_STANDARD.encode(format!("anna:{PASSWORD}"));
    for secret in [
        PASSWORD,
        TRUNK_PASSWORD,
        basic.as_str(),
        "response=",
        "$argon2",
        id.0.as_str(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn at_info_there_is_no_secret_and_no_number() {
    let log = log_of_a_call("level = \"info\"").await;
    assert!(!log.contains(NUMBER), "{log}");
    assert!(!log.contains("09001234567"), "{log}");
    assert!(log.contains("*****37"), "{log}");
    assert!(
        !log.contains("GetPhoneCallInformation"),
        "polls would fill the log: {log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_there_is_no_secret() {
    log_of_a_call("level = \"trace\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_there_is_no_secret() {
    log_of_a_call("level = \"trace\"\nformat = \"json\"").await;
}
