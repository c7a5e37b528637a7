//! Promise 6: every INVITE has a grant. What is refused has a code of its own, and no SIP peer hears of it.

use std::time::Duration;

use onhook::auth::Caller;
use onhook::store::{MessageFacts, NewMessage, Store};

use crate::peer::Peer;
use crate::scene::{Plan, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_number_has_its_code_and_no_invite() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    for (number, code) in [
        ("0900123456", "ErrorPhoneNumberNotDialable"),
        ("47", "ErrorPhoneNumberNotDialable"),
        ("+4711", "ErrorPhoneNumberNotDialable"),
        ("", "ErrorInvalidPhoneNumber"),
        (" ", "ErrorInvalidPhoneNumber"),
        ("4711 x", "ErrorInvalidPhoneNumber"),
        ("4711@evil.example", "ErrorInvalidPhoneNumber"),
        ("4711;phone-context=+1", "ErrorInvalidPhoneNumber"),
        ("4711\r\nRoute: <sip:evil.example>", "ErrorInvalidPhoneNumber"),
        ("sip:4711@evil.example", "ErrorInvalidSIPUri"),
        ("SIPS:4711@evil.example", "ErrorInvalidSIPUri"),
    ] {
        assert_eq!(anna.try_play(number).await.unwrap_err(), code, "{number:?}");
    }
    let endless = "1".repeat(10_000);
    assert_eq!(anna.try_play(&endless).await.unwrap_err(), "ErrorInvalidPhoneNumber");
    peer.nothing_new(scene.sip()).await;
    assert_eq!(scene.server.live_calls(), 0);

    anna.play(" 4711 ").await;
    assert_eq!(peer.expect("INVITE").await.number(), "4711");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_played_has_its_code_and_no_invite() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let (anna, berta) = (scene.anna(), scene.berta());
    let no_sound = NewMessage {
        owner: &Caller::named(&"anna".parse().unwrap()).key,
        mailbox: "anna",
        name: "letter.txt",
        facts: MessageFacts {
            format: "WAV".into(),
            duration: Duration::from_secs(1),
            rate: 8000,
            channels: 1,
        },
        audio: b"Dear Anna",
    };
    let no_sound = Store::open(&scene.house.store())
        .unwrap()
        .add_message(&no_sound)
        .unwrap();
    for (item_id, code) in [
        ("", "ErrorInvalidIdEmpty"),
        ("AAMkAD=", "ErrorInvalidIdMalformed"),
        ("AAAAAAAAAAAAAAAAAAAAAA", "ErrorItemNotFound"),
        (berta.long.as_str(), "ErrorItemNotFound"),
        (no_sound.to_string().as_str(), "ErrorUnifiedMessagingRequestFailed"),
    ] {
        let refused = anna.play_message(item_id, "4711").await;
        assert_eq!(refused.unwrap_err(), code, "{item_id:?}");
    }
    peer.nothing_new(scene.sip()).await;
    assert_eq!(scene.server.live_calls(), 0);
}
