//! The responses of RFC 4475, as answers to an INVITE of ours: what is odd is taken, what is broken does no harm.

use ews::{ConnectionFailureCause, PhoneCallState};

use crate::peer::{Message, Peer};
use crate::scene::{Plan, Scene};
use crate::torture_message::load;

/// What has to fit besides the Via.
const ALL: [&str; 3] = ["From", "Call-ID", "CSeq"];

/// The message, with these headers made to fit the INVITE.
fn fitting(name: &str, invite: &Message, headers: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut vias = 0;
    for line in load(name).split_inclusive(|byte| *byte == b'\n') {
        let is = |header: &str| line.starts_with(format!("{header}:").as_bytes());
        vias += usize::from(is("Via"));
        let own = match () {
            () if is("Via") && vias == 1 => Some("Via"),
            () => headers.iter().copied().find(|header| is(header)),
        };
        match own {
            Some(header) => bytes.extend(format!("{header}: {}\r\n", invite.header(header)).bytes()),
            None => bytes.extend(line),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_an_unusual_reason_is_an_answer() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let _id = scene.anna().play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.send_bytes(&fitting("rfc4475/unreason", &invite, &ALL), invite.from)
        .await;
    let ack = peer.expect("ACK").await;
    // It asks for a host whose name nobody knows: the trunk has to know the way.
    assert!(
        ack.text.starts_with("ACK sip:anna@host198.example.com "),
        "{}",
        ack.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provisional_without_a_reason_is_taken() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    peer.send_bytes(&fitting("rfc4475/noreason", &invite, &ALL), invite.from)
        .await;
    // Only after a provisional may a CANCEL leave (RFC 3261 §9.1).
    let hanging_up = tokio::spawn(async move { anna.disconnect(&id).await });
    let cancel = peer.expect("CANCEL").await;
    peer.reply(&cancel, 200).await;
    peer.reply(&invite, 487).await;
    peer.expect("ACK").await;
    hanging_up.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_discarded_and_the_call_goes_on() {
    for name in ["rfc4475/bigcode", "rfc4475/scalarlg", "rfc4475/bcast"] {
        let mut peer = Peer::bind().await;
        let scene = Scene::open(Plan::to(peer.uri())).await;
        let anna = scene.anna();
        let id = anna.play("4711").await;
        let invite = peer.expect("INVITE").await;
        peer.send_bytes(&fitting(name, &invite, &["From", "Call-ID"]), invite.from)
            .await;
        peer.reply(&invite, 486).await;
        peer.expect("ACK").await;
        let ended = anna.reaches(&id, PhoneCallState::Disconnected).await;
        assert_eq!(ended.failure_cause, ConnectionFailureCause::UserBusy, "after {name}");
    }
}
