//! A malicious answer makes us attack nobody, and its phone gets its BYE all the same.

use ews::PhoneCallState;

use crate::peer::{Message, Peer, sdp};
use crate::scene::{Plan, Scene, User};

/// Hangs up a call that has been taken, and holds that the trunk is told.
async fn hung_up(anna: &User, id: &crate::scene::PhoneCallId, peer: &mut Peer) -> Message {
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();
    assert_eq!(anna.state(id).await, PhoneCallState::Disconnected);
    bye
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_is_no_host_leaves_ack_and_bye_to_the_trunk() {
    for contact in ["sip:phone@224.0.0.9", "sip:phone@no-such-host.invalid", "tel:4711"] {
        let mut peer = Peer::bind().await;
        let scene = Scene::open(Plan::to(peer.uri())).await;
        let anna = scene.anna();
        let id = anna.play("4711").await;
        let invite = peer.expect("INVITE").await;
        peer.send(&invite.answered(200, contact, &sdp(peer.rtp())), invite.from)
            .await;
        let ack = peer.expect("ACK").await;
        assert!(ack.text.starts_with(&format!("ACK {contact} ")), "{}", ack.text);
        let bye = hung_up(&anna, &id, &mut peer).await;
        assert!(bye.text.starts_with(&format!("BYE {contact} ")), "{}", bye.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_list_of_hosts_only_these_are_sent_to() {
    let (mut peer, phone) = (Peer::bind().await, Peer::bind_at("127.0.0.9:0").await);
    let scene = Scene::open(Plan {
        trunk: "keepalive = \"0s\"\nallowed_hosts = [\"192.0.2.0/24\"]",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let contact = phone.uri().replace("sip:", "sip:phone@");
    peer.send(&invite.answered(200, &contact, &sdp(peer.rtp())), invite.from)
        .await;
    peer.expect("ACK").await;
    hung_up(&anna, &id, &mut peer).await;
    phone.heard_nothing();
}

/// Its proxy has recorded no route, so it is a party to the call at an address of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_beside_its_trunk_hangs_up_by_itself() {
    let (mut peer, mut phone) = (Peer::bind().await, Peer::bind_at("127.0.0.9:0").await);
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let contact = phone.uri().replace("sip:", "sip:phone@");
    peer.send(&invite.answered(200, &contact, &sdp(peer.rtp())), invite.from)
        .await;
    phone.expect("ACK").await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    phone.hang_up(&invite).await;
    assert_eq!(phone.next().await.status(), Some(200));
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_route_without_end_the_nearest_hops_are_kept() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan::to(peer.uri())).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let nearest = format!("<{};lr>", peer.uri());
    let route: String = (0..150)
        .map(|hop| format!("Record-Route: <sip:p{hop}.invalid;lr>\r\n"))
        .collect();
    let answer = invite.answered(200, "sip:phone@127.0.0.1", &sdp(peer.rtp()));
    let answer = answer.replacen("From:", &format!("{route}Record-Route: {nearest}\r\nFrom:"), 1);
    peer.send(&answer, invite.from).await;
    let ack = peer.expect("ACK").await;
    let hops: Vec<_> = ack.text.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!((hops.len(), hops[0]), (32, format!("Route: {nearest}").as_str()));
    hung_up(&anna, &id, &mut peer).await;
}
