//! Promise 4 at its edges: a 200 that comes twice, from another phone, or when the call is long over. Whoever is off-hook
//! because of us is hung up; nobody else can make us send.

use ews::PhoneCallState;

use crate::peer::{Message, Peer};
use crate::scene::{Plan, Scene, soon};

async fn scene(peer: &Peer) -> Scene {
    Scene::open(Plan {
        calls: "ended_retention = \"1s\"",
        sip: "[sip.timers]\nt1 = \"20ms\"".to_owned(),
        ..Plan::to(peer.uri())
    })
    .await
}

/// ACK and BYE for the dialog with this tag, and the peer's 200 to the latter.
async fn assert_hung_up(peer: &mut Peer, invite: &Message, tag: &str) {
    for method in ["ACK", "BYE"] {
        let request = peer.expect(method).await;
        assert!(request.header("To").ends_with(tag), "{}", request.text);
        assert_eq!(request.header("Call-ID"), invite.header("Call-ID"));
        if method == "BYE" {
            peer.reply(&request, 200).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_phone_that_answers_too_is_hung_up_and_the_call_goes_on() {
    let mut peer = Peer::bind().await;
    let scene = scene(&peer).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.take_call().await;
    peer.answer_as("other", &invite).await;
    assert_hung_up(&mut peer, &invite, ";tag=other").await;
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    peer.nothing_new(scene.sip()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_answer_is_acked_again() {
    let mut peer = Peer::bind().await;
    let scene = scene(&peer).await;
    scene.anna().play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.answer(&invite).await;
    let ack = peer.expect("ACK").await;
    peer.answer(&invite).await;
    peer.repeated(&ack).await;
    peer.nothing_new(scene.sip()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_after_the_end_is_hung_up_and_changes_nothing() {
    let mut peer = Peer::bind().await;
    let scene = scene(&peer).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, 486).await;
    peer.expect("ACK").await;
    let before = anna.ended(&id).await;
    peer.answer_as("late", &invite).await;
    assert_hung_up(&mut peer, &invite, ";tag=late").await;
    assert_eq!(anna.information(&id).await.unwrap(), before);
}

/// A place is for a phone: also for one of another fork, and for one that answers when the call has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_keeps_its_place_until_the_phones_of_all_forks_are_on_hook() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "max_live = 1",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.take_call().await;
    for tag in ["other", "late"] {
        peer.answer_as(tag, &invite).await;
        peer.expect("ACK").await;
        let bye = peer.expect("BYE").await;
        if tag == "other" {
            peer.hang_up(&invite).await;
            assert_eq!(peer.next().await.status(), Some(200));
        }
        anna.ended(&id).await;
        assert_eq!(anna.try_play("4712").await.unwrap_err(), "ErrorServerBusy", "{tag}");
        peer.reply(&bye, 200).await;
        let free = async { while scene.server.live_calls() > 0 {} };
        soon("the place to be free", free).await;
    }
    anna.play("4713").await;
    peer.take_call().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_call_that_is_forgotten_is_hung_up() {
    let mut peer = Peer::bind().await;
    let scene = scene(&peer).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.reply(&invite, 486).await;
    peer.expect("ACK").await;
    let forgotten = async { while anna.information(&id).await.is_ok() {} };
    soon("the call to be forgotten", forgotten).await;
    peer.answer_as("late", &invite).await;
    assert_hung_up(&mut peer, &invite, ";tag=late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_answer_makes_us_send_nothing() {
    let mut peer = Peer::bind().await;
    let scene = scene(&peer).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.take_call().await;
    for forged in [
        // Another call, and another request of this one: the branch vouches for neither.
        invite.text.replace(invite.header("Call-ID"), "forged"),
        invite.text.replace("1 INVITE", "7 INVITE"),
        invite.text.replace(invite.branch(), "z9hG4bKforged"),
    ] {
        let forged = Message {
            text: forged,
            from: invite.from,
        };
        peer.answer_as("forger", &forged).await;
    }
    peer.nothing_new(scene.sip()).await;
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
}
