//! Promise 7: a call id of someone else is indistinguishable from one that never was.

use ews::{DisconnectPhoneCall, GetPhoneCallInformation, PhoneCallState, ServerVersion};
use proving::timing;

use crate::exchange::{self, PATIENT};
use crate::scene::{PhoneCallId, Plan, Scene, post, soon};

/// Both questions about an id, and the whole answers but for the lines that name the request and the time.
async fn answers(scene: &Scene, user: &str, id: &str) -> [String; 2] {
    let phone_call_id = PhoneCallId(id.to_owned());
    let information = GetPhoneCallInformation {
        phone_call_id: phone_call_id.clone(),
    };
    let disconnect = DisconnectPhoneCall { phone_call_id };
    let version = ServerVersion::EXCHANGE_2013;
    let same_for_all = |line: &&str| !line.starts_with("request-id:") && !line.starts_with("date:");
    let mut answers = [information.encode(version), disconnect.encode(version)];
    for question in &mut answers {
        let answer = post(scene.http(), user, question).await;
        *question = answer.split_inclusive("\r\n").filter(same_for_all).collect();
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_a_malformed_one_and_one_that_never_was_are_answered_alike() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan::to(next_hop)).await;
    let anna = scene.anna();
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;

    let foreign = answers(&scene, "berta", &id.0).await;
    for answer in &foreign {
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("ErrorInvalidPhoneCallId"), "{answer}");
    }
    let almost = id.0.to_lowercase() + "x";
    let long = "A".repeat(20_000);
    for id in [
        "AAAAAAAAAAAAAAAAAAAAAA",
        "x",
        "",
        "../..",
        "a b",
        "é",
        "<&>\"'",
        &almost,
        &long,
    ] {
        assert_eq!(answers(&scene, "berta", id).await, foreign, "{id:?}");
        assert_eq!(answers(&scene, "anna", id).await, foreign, "{id:?}");
    }

    // Nothing of it has touched the call; and once it has ended, it is still nobody else's.
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    anna.disconnect(&id).await.unwrap();
    assert_eq!(answers(&scene, "berta", &id.0).await, foreign);
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_id_and_one_that_never_was_take_the_same_time() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan::to(next_hop)).await;
    let anna = scene.anna();
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    // The first login is hashed.
    answers(&scene, "berta", &id.0).await;

    let ids = [id.0.as_str(), "AAAAAAAAAAAAAAAAAAAAAA"];
    timing::assert_alike("foreign and unknown", 0.2, async |which| {
        answers(&scene, "berta", ids[which]).await;
    })
    .await;
    anna.disconnect(&id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_call_is_forgotten_when_its_time_is_over_and_then_unknown() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "ended_retention = \"1s\"",
        sip: "[sip.timers]\nt1 = \"10ms\"".to_owned(),
        ..Plan::to(next_hop)
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("486").await;
    anna.ended(&id).await;

    let unknown = answers(&scene, "anna", "AAAAAAAAAAAAAAAAAAAAAA").await;
    let forgotten = async { while answers(&scene, "anna", &id.0).await != unknown {} };
    soon("the call to be forgotten", forgotten).await;
}
