//! Promises 4 and 5 on the wire: what a hang-up sends in every phase, and that no INVITE follows it.

use std::time::Instant;

use ews::{ConnectionFailureCause, PhoneCallState};

use crate::peer::{Message, Peer};
use crate::scene::{PhoneCallId, Plan, Scene, User, soon};

struct Set {
    peer: Peer,
    scene: Scene,
    anna: User,
}

async fn set(trunk: &'static str) -> Set {
    let peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        trunk,
        calls: "disconnect_wait = \"300ms\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    Set { peer, scene, anna }
}

const PLAIN: &str = "keepalive = \"0s\"";
const WITH_ACCOUNT: &str = "keepalive = \"0s\"\nusername = \"onhook\"\npassword = \"pass-of-the-trunk\"";

impl Set {
    async fn ended_well(mut self, id: &PhoneCallId) {
        let information = self.anna.ended(id).await;
        assert_eq!(information.failure_cause, ConnectionFailureCause::None);
        self.anna.disconnect(id).await.unwrap();
        self.peer.nothing_new(self.scene.sip()).await;
        assert_eq!(self.scene.server.live_calls(), 0);
    }
}

fn hang_up(user: &User, id: &PhoneCallId) -> tokio::task::JoinHandle<Result<(), String>> {
    let (user, id) = (user.clone(), id.clone());
    tokio::spawn(async move { user.disconnect(&id).await })
}

/// A CANCEL repeats its INVITE (RFC 3261 §9.1).
fn assert_cancels(cancel: &Message, invite: &Message) {
    for header in ["Via", "From", "To", "Call-ID"] {
        assert_eq!(cancel.header(header), invite.header(header));
    }
    assert_eq!(cancel.header("CSeq"), invite.header("CSeq").replace("INVITE", "CANCEL"));
    let uri = |message: &Message| message.text.split(' ').nth(1).map(str::to_owned);
    assert_eq!(uri(cancel), uri(invite));
}

#[tokio::test(flavor = "multi_thread")]
async fn before_any_provisional_the_cancel_is_held_and_the_answer_is_not() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    let asked = Instant::now();
    set.anna.disconnect(&id).await.unwrap();
    assert!(asked.elapsed().as_millis() >= 300, "nothing had confirmed it");
    assert_eq!(set.anna.state(&id).await, PhoneCallState::Connecting);
    set.peer.repeated(&invite).await;
    set.peer.nothing_new(set.scene.sip()).await;

    set.peer.reply(&invite, 100).await;
    let cancel = set.peer.expect("CANCEL").await;
    assert_cancels(&cancel, &invite);
    set.peer.reply(&cancel, 200).await;
    set.peer.reply(&invite, 487).await;
    assert_eq!(set.peer.expect("ACK").await.branch(), invite.branch());
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_rings_a_cancel_leaves_at_once() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    set.peer.reply(&invite, 180).await;
    set.anna.reaches(&id, PhoneCallState::Alerted).await;
    let hung_up = hang_up(&set.anna, &id);
    let cancel = set.peer.expect("CANCEL").await;
    assert_cancels(&cancel, &invite);
    set.peer.reply(&cancel, 200).await;
    set.peer.reply(&invite, 487).await;
    set.peer.expect("ACK").await;
    hung_up.await.unwrap().unwrap();
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_crosses_the_cancel_is_acked_and_byed() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    set.peer.reply(&invite, 180).await;
    set.anna.reaches(&id, PhoneCallState::Alerted).await;
    let hung_up = hang_up(&set.anna, &id);
    let cancel = set.peer.expect("CANCEL").await;
    set.peer.answer(&invite).await;
    set.peer.reply(&cancel, 481).await;
    set.peer.expect("ACK").await;
    let bye = set.peer.expect("BYE").await;
    assert!(bye.header("To").ends_with(";tag=phone"));
    set.peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_crosses_a_held_cancel_is_acked_and_byed() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    set.anna.disconnect(&id).await.unwrap();
    set.peer.answer(&invite).await;
    set.peer.expect("ACK").await;
    let bye = set.peer.expect("BYE").await;
    set.peer.reply(&bye, 200).await;
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_hang_ups_at_once_are_one_bye_and_all_succeed() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    set.peer.take_call().await;
    let all: Vec<_> = (0..100).map(|_| hang_up(&set.anna, &id)).collect();
    let bye = set.peer.expect("BYE").await;
    set.peer.reply(&bye, 200).await;
    for hung_up in all {
        hung_up.await.unwrap().unwrap();
    }
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hang_ups_while_it_rings_are_one_cancel() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    set.peer.reply(&invite, 180).await;
    set.anna.reaches(&id, PhoneCallState::Alerted).await;
    let both = [hang_up(&set.anna, &id), hang_up(&set.anna, &id)];
    let cancel = set.peer.expect("CANCEL").await;
    set.peer.reply(&cancel, 200).await;
    set.peer.reply(&invite, 487).await;
    set.peer.expect("ACK").await;
    for hung_up in both {
        hung_up.await.unwrap().unwrap();
    }
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_far_end_has_hung_up_there_is_nothing_to_send() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.take_call().await;
    set.peer.hang_up(&invite).await;
    let answer = set.peer.next().await;
    assert_eq!((answer.status(), answer.header("CSeq")), (Some(200), "1 BYE"));
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn byes_that_cross_one_another_end_the_call() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.take_call().await;
    let hung_up = hang_up(&set.anna, &id);
    let bye = set.peer.expect("BYE").await;
    set.peer.hang_up(&invite).await;
    assert_eq!(set.peer.next().await.status(), Some(200));
    hung_up.await.unwrap().unwrap();
    set.peer.reply(&bye, 481).await;
    set.ended_well(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_bye_is_sent_again_while_the_client_has_its_answer() {
    let mut set = set(PLAIN).await;
    let id = set.anna.play("4711").await;
    set.peer.take_call().await;
    soon("the answer", set.anna.disconnect(&id)).await.unwrap();
    let bye = set.peer.expect("BYE").await;
    set.peer.repeated(&bye).await;
    assert_eq!(set.anna.state(&id).await, PhoneCallState::Connected);
    set.peer.reply(&bye, 200).await;
    set.ended_well(&id).await;
}

/// Promise 5: with credentials at hand, a challenge after the hang-up brings no INVITE.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_after_the_hang_up_is_not_answered() {
    let mut set = set(WITH_ACCOUNT).await;
    let id = set.anna.play("4711").await;
    let invite = set.peer.expect("INVITE").await;
    set.anna.disconnect(&id).await.unwrap();
    let challenge = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n";
    set.peer.reply_with(&invite, 401, challenge).await;
    set.peer.expect("ACK").await;
    set.ended_well(&id).await;
}

/// Promise 5: no redirect, and no second trunk.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_after_the_hang_up_moves_the_call_nowhere() {
    let (mut peer, mut other) = (Peer::bind().await, Peer::bind().await);
    let scene = Scene::open(Plan {
        next_hops: vec![peer.uri(), other.uri()],
        calls: "disconnect_wait = \"100ms\"",
        ..Plan::to("")
    })
    .await;
    let anna = scene.anna();
    for (status, more) in [
        (302, format!("Contact: <{}>\r\n", other.uri())),
        (503, "Retry-After: 0\r\n".to_owned()),
        (408, String::new()),
    ] {
        let id = anna.play("4711").await;
        let invite = peer.expect("INVITE").await;
        anna.disconnect(&id).await.unwrap();
        peer.reply_with(&invite, status, &more).await;
        peer.expect("ACK").await;
        let information = anna.ended(&id).await;
        assert_eq!(information.failure_cause, ConnectionFailureCause::None);
    }
    peer.nothing_new(scene.sip()).await;
    other.nothing_new(scene.sip()).await;
}
