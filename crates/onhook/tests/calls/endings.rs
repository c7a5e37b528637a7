//! Promise 8 and the contract of GetPhoneCallInformation: a call's states over time, and why it ended.

use ews::{ConnectionFailureCause, PhoneCallInformation, PhoneCallState, SipResponse};
use tokio::net::TcpListener;

use crate::exchange::{self, AWAY, CURT, DEAD, PATIENT};
use crate::peer::Peer;
use crate::scene::{Plan, Scene};

fn disconnected(failure_cause: ConnectionFailureCause, sip: Option<(u16, &str)>) -> PhoneCallInformation {
    PhoneCallInformation {
        state: PhoneCallState::Disconnected,
        failure_cause,
        sip_response: sip.map(|(code, text)| SipResponse {
            code,
            text: text.to_owned(),
        }),
    }
}

fn ended_well() -> PhoneCallInformation {
    disconnected(ConnectionFailureCause::None, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_follows_the_call_and_never_runs_ahead_of_the_phone() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "disconnect_wait = \"10ms\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    assert_eq!(anna.state(&id).await, PhoneCallState::Connecting);
    peer.reply(&invite, 100).await;
    peer.reply(&invite, 183).await;
    anna.reaches(&id, PhoneCallState::Alerted).await;
    peer.answer(&invite).await;
    peer.expect("ACK").await;
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);

    // The wish is taken, the phone has not confirmed: it may still be off-hook, and that is what is said.
    anna.disconnect(&id).await.unwrap();
    let bye = peer.expect("BYE").await;
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    peer.reply(&bye, 200).await;
    assert_eq!(anna.ended(&id).await, ended_well());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_tells_the_peer_s_status_and_its_meaning() {
    use ConnectionFailureCause::{NoAnswer, Other, Unavailable, UserBusy};
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan::to(next_hop)).await;
    let anna = scene.anna();
    for (status, cause) in [
        (486, UserBusy),
        (600, UserBusy),
        (408, NoAnswer),
        (480, NoAnswer),
        (404, Unavailable),
        (410, Unavailable),
        (484, Unavailable),
        (503, Unavailable),
        (604, Unavailable),
        (603, Other),
        (403, Other),
        (500, Other),
        (488, Other),
        (302, Other),
        // A challenge to a trunk without credentials.
        (401, Other),
        (407, Other),
    ] {
        let id = anna.play(&status.to_string()).await;
        let text = format!("Scripted {status}");
        assert_eq!(anna.ended(&id).await, disconnected(cause, Some((status, &text))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_by_itself_when_its_message_has_played() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play_message(&anna.short, "4711").await.unwrap();
    peer.take_call().await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    assert_eq!(anna.ended(&id).await, ended_well());
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_s_hang_up_is_no_failure() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan::to(next_hop)).await;
    let anna = scene.anna();
    let id = anna.play(CURT).await;
    assert_eq!(anna.ended(&id).await, ended_well());
    for number in [PATIENT, AWAY] {
        let id = anna.play(number).await;
        anna.disconnect(&id).await.unwrap();
        assert_eq!(anna.information(&id).await.unwrap(), ended_well());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_rings_too_long_is_no_answer() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        calls: "ring_limit = \"300ms\"",
        ..Plan::to(next_hop)
    })
    .await;
    let anna = scene.anna();
    let id = anna.play(AWAY).await;
    let no_answer = disconnected(ConnectionFailureCause::NoAnswer, Some((408, "Request Timeout")));
    assert_eq!(anna.ended(&id).await, no_answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_lasts_too_long_is_ended() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        calls: "max_duration = \"300ms\"",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    peer.take_call().await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    assert_eq!(anna.ended(&id).await, ended_well());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_at_all_is_unavailable() {
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        sip: "[sip.timers]\nt1 = \"10ms\"".to_owned(),
        ..Plan::to(next_hop)
    })
    .await;
    let anna = scene.anna();
    let id = anna.play(DEAD).await;
    let timed_out = disconnected(ConnectionFailureCause::Unavailable, Some((408, "Request Timeout")));
    assert_eq!(anna.ended(&id).await, timed_out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_no_connection_is_unavailable_at_once() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let scene = Scene::open(Plan {
        sip_listen: "tcp:127.0.0.1:0".to_owned(),
        ..Plan::to(format!("sip:{gone};transport=tcp"))
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let unreachable = disconnected(ConnectionFailureCause::Unavailable, Some((503, "Service Unavailable")));
    assert_eq!(anna.ended(&id).await, unreachable);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_usable_description_is_hung_up_and_told() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.reply_with(&invite, 200, "v=0\r\nm=video 9 RTP/AVP 99\r\n").await;
    peer.expect("ACK").await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    let refused = disconnected(ConnectionFailureCause::Other, Some((488, "Not Acceptable Here")));
    assert_eq!(anna.ended(&id).await, refused);
}
