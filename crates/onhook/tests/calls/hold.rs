//! A call that is answered on hold, taken off and put on hold again, against the built server.

use std::time::Duration;

use ews::PhoneCallState;

use crate::peer::{Peer, sdp};
use crate::program::Program;
use crate::scene::{House, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_answered_on_hold_is_silent_until_it_is_taken_off() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let program = Program::serve(&house, &Plan::to(peer.uri())).await;
    let anna = program.anna(&house);

    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let description = sdp(peer.rtp());
    peer.reply_with(&invite, 200, &description.replace("sendrecv", "inactive"))
        .await;
    peer.expect("ACK").await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    peer.change(
        &invite,
        1,
        &description.replace("sendrecv", "sendonly").replace("1 1 IN", "1 2 IN"),
    )
    .await;
    assert!(!peer.has_heard(), "on hold, one way and the other");
    peer.change(&invite, 2, &description.replace("1 1 IN", "1 3 IN")).await;
    // Not with its next report, which comes 2.5 s after the answer at the earliest.
    tokio::time::timeout(Duration::from_secs(2), peer.hears())
        .await
        .expect("sound");
}
