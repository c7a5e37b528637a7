//! Promise 3: what must be on the disk before something else may happen. Another connection holds the store's write
//! lock, as a busy disk would.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::peer::Peer;
use crate::scene::{Lock, Plan, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_leaves_when_its_intent_is_durable_and_not_before() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let lock = Lock::take(&scene.house);
    let placing = tokio::spawn(async move { anna.try_play("4711").await });
    // The call is under way: it counts. Its INVITE waits.
    while scene.server.live_calls() == 0 {
        tokio::task::yield_now().await;
    }
    peer.nothing_new(scene.sip()).await;
    assert!(!placing.is_finished());
    lock.release();
    peer.expect("INVITE").await;
    assert_eq!(scene.house.count("SELECT count(*) FROM call"), 1);
    placing.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_durable_intent_there_is_no_call() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let lock = Lock::take(&scene.house);
    let refused = anna.try_play("4711").await;
    assert_eq!(refused.unwrap_err(), "ErrorInternalServerTransientError");
    lock.release();
    peer.nothing_new(scene.sip()).await;
    assert_eq!(scene.server.live_calls(), 0);

    // It has passed, and so have its effects.
    anna.play("4711").await;
    peer.expect("INVITE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_is_sent_at_once_and_promised_when_it_is_durable() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "disconnect_wait = \"50ms\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let lock = Lock::take(&scene.house);
    let asked = Instant::now();
    let hanging_up = tokio::spawn(async move { anna.disconnect(&id).await });
    let bye = peer.expect("BYE").await;
    // The BYE's repetition comes long after disconnect_wait.
    peer.repeated(&bye).await;
    assert!(asked.elapsed().as_millis() > 50);
    assert!(!hanging_up.is_finished(), "no answer before the wish is durable");
    assert_eq!(scene.house.count("SELECT count(*) FROM call_state WHERE wish"), 0);
    lock.release();
    hanging_up.await.unwrap().unwrap();
    assert_eq!(scene.house.count("SELECT count(*) FROM call_state WHERE wish"), 1);
    peer.reply(&bye, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_that_cannot_be_made_durable_is_not_promised() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "disconnect_wait = \"50ms\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let lock = Lock::take(&scene.house);
    let refused = anna.disconnect(&id).await;
    assert_eq!(refused.unwrap_err(), "ErrorInternalServerTransientError");
    // It was tried all the same; and once the phone has confirmed there is nothing left to promise.
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    anna.ended(&id).await;
    lock.release();
    anna.disconnect(&id).await.unwrap();
}

/// That the phone is down is no reason to hurry: a crash now would leave a call that seems to be up.
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_hang_up_waits_for_the_disk_too() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let lock = Lock::take(&scene.house);
    let (user, asked) = (anna.clone(), id.clone());
    let hanging_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    anna.ended(&id).await;
    assert!(!hanging_up.is_finished());
    lock.release();
    hanging_up.await.unwrap().unwrap();
    let durable = "SELECT (SELECT count(*) FROM call_state WHERE wish) + (SELECT count(*) FROM cdr)";
    assert_eq!(scene.house.count(durable), 1);
}

/// A crash between 200 and ACK must leave a phone that still asks for its ACK.
#[tokio::test(flavor = "multi_thread")]
async fn an_ack_leaves_when_the_answer_is_durable() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let lock = Lock::take(&scene.house);
    peer.answer(&invite).await;
    peer.nothing_new(scene.sip()).await;
    lock.release();
    peer.expect("ACK").await;
    assert_eq!(scene.house.count("SELECT count(*) FROM call_state"), 1);
}

/// And so must the phone of another fork.
#[tokio::test(flavor = "multi_thread")]
async fn the_ack_of_another_fork_leaves_when_its_dialog_is_durable() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    anna.play("4711").await;
    let invite = peer.take_call().await;
    let lock = Lock::take(&scene.house);
    peer.answer_as("other", &invite).await;
    peer.nothing_new(scene.sip()).await;
    lock.release();
    peer.expect("ACK").await;
    peer.expect("BYE").await;
    let named = "SELECT count(*) FROM call_state WHERE instr(dialog, '\"remote_tag\":\"other\"')";
    assert_eq!(scene.house.count(named), 1);
}

/// A call that has ended is not forgotten before its end is durable, however long that takes: a hang-up waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_waits_for_a_disk_that_takes_longer_than_a_transaction() {
    let mut peer = Peer::bind().await;
    let t1 = Duration::from_millis(10);
    let plan = Plan {
        sip: "[sip.timers]\nt1 = \"10ms\"".to_owned(),
        ..Plan::to(peer.uri())
    };
    let scene = Scene::open(plan).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let lock = Lock::take(&scene.house);
    let mut hanging_up = tokio::spawn(async move { anna.disconnect(&id).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    let too_soon = timeout(t1 * 64 * 2, &mut hanging_up).await;
    assert!(too_soon.is_err());
    lock.release();
    hanging_up.await.unwrap().unwrap();
}
