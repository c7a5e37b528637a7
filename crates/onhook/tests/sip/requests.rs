//! Requests of peers: delivered once, answered as told, and followed to their end.

use onhook::sip::{InviteProgress, Transport};
use sip::{Method, Reply, Tag};

use crate::support::{Message, Room, UdpPeer, listen, request, soon, timers};

/// A request of `peer` that belongs to the INVITE it sent.
fn following(method: &str, invite: &str, to_tag: &str) -> String {
    let text = invite
        .replace("INVITE sip:", &format!("{method} sip:"))
        .replace("1 INVITE", &format!("1 {method}"));
    if to_tag.is_empty() {
        text
    } else {
        text.replace(
            "To: <sip:onhook@127.0.0.1>",
            &format!("To: <sip:onhook@127.0.0.1>;tag={to_tag}"),
        )
    }
}

fn is_trying(message: &Message) -> bool {
    message.status() == Some(100)
}

#[tokio::test]
async fn a_cancelled_invite_is_told_and_refused_by_us() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = request("INVITE", "cancelled", 1, "");
    peer.send(&invite, room.address()).await;
    assert_eq!(peer.receive().await.status(), Some(100));
    let mut incoming = room.request().await;
    assert_eq!(
        (&incoming.request.method, incoming.transport),
        (&Method::Invite, Transport::Udp)
    );
    assert_eq!(incoming.source, peer.address());
    incoming.reply(None, &Reply::status(180));
    let ringing = peer.receive().await;
    assert_eq!(ringing.status(), Some(180));

    peer.send(&following("CANCEL", &invite, ""), room.address()).await;
    assert_eq!(soon("CANCEL", incoming.next()).await, Some(InviteProgress::Cancelled));
    let cancelled = peer.receive().await;
    assert!(cancelled.is_response_to("CANCEL") && cancelled.status() == Some(200));
    incoming.reply(None, &Reply::status(487));
    let refused = peer.receive().await;
    assert_eq!(refused.status(), Some(487));
    // One response, one tag: the early dialog of the 180 is the one that ended.
    assert_eq!(refused.header("To"), ringing.header("To"));
    let tag = refused.header("To").split_once("tag=").unwrap().1.to_owned();
    peer.send(&following("ACK", &invite, &tag), room.address()).await;
    assert!(matches!(
        soon("ACK", incoming.next()).await,
        Some(InviteProgress::Acked(_))
    ));
}

#[tokio::test]
async fn a_2xx_is_repeated_until_its_ack() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = request("INVITE", "answered", 1, "Record-Route: <sip:p1;lr>, <sip:p0;lr>\r\n");
    peer.send(&invite, room.address()).await;
    let mut incoming = room.request().await;
    let reply = Reply {
        body: Some((sip::APPLICATION_SDP, "v=0\r\n".to_owned())),
        ..Reply::status(200).with("Contact", "<sip:onhook@127.0.0.1>")
    };
    incoming.reply(Some(&Tag::new("ours")), &reply);
    let first = peer.receive_but(is_trying).await;
    assert_eq!(first.header("To"), "<sip:onhook@127.0.0.1>;tag=ours");
    assert_eq!(first.header("Record-Route"), "<sip:p1;lr>, <sip:p0;lr>");
    assert_eq!(first.header("Contact"), "<sip:onhook@127.0.0.1>");
    assert_eq!(first.header("Content-Type"), "application/sdp");
    assert!(first.header("Server").starts_with("onhook/") && first.text.ends_with("\r\n\r\nv=0\r\n"));
    assert_eq!(peer.receive().await.text, first.text);

    // The ACK of a 2xx has a branch of its own.
    let ack = following("ACK", &invite, "ours").replace("branch=z9hG4bK-answered-1", "branch=z9hG4bK-ack");
    peer.send(&ack, room.address()).await;
    let Some(InviteProgress::Acked(ack)) = soon("ACK", incoming.next()).await else {
        panic!("not acknowledged");
    };
    assert_eq!(ack.method, Method::Ack);
    assert_eq!(soon("the end", incoming.next()).await, None);
}

#[tokio::test]
async fn a_2xx_that_is_never_acked_is_told() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    peer.send(&request("INVITE", "unacked", 1, ""), room.address()).await;
    let mut incoming = room.request().await;
    incoming.reply(Some(&Tag::new("ours")), &Reply::status(200));
    assert_eq!(soon("the end", incoming.next()).await, Some(InviteProgress::NeverAcked));
    assert_eq!(soon("the end", incoming.next()).await, None);
}

#[tokio::test]
async fn a_request_nobody_cares_for_is_refused() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    for (method, call_id) in [("INVITE", "dropped-1"), ("MESSAGE", "dropped-2")] {
        peer.send(&request(method, call_id, 1, ""), room.address()).await;
        drop(room.request().await);
        let refused = peer
            .receive_but(|message| is_trying(message) || !message.is_response_to(method))
            .await;
        assert_eq!(refused.status(), Some(500));
    }
}

#[tokio::test]
async fn a_repeated_request_is_delivered_once_and_answered_twice() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let options = request("OPTIONS", "twice", 1, "");
    peer.send(&options, room.address()).await;
    let asked = room.request().await;
    asked.reply(None, &Reply::status(200));
    let first = peer.receive().await;
    peer.send(&options, room.address()).await;
    assert_eq!(peer.receive().await.text, first.text);
    room.fence(&peer).await;
}

#[tokio::test]
async fn nothing_leaves_after_a_final_reply() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    peer.send(&request("OPTIONS", "once", 1, ""), room.address()).await;
    let asked = room.request().await;
    asked.reply(None, &Reply::status(405).with("Allow", sip::ALLOW));
    asked.reply(None, &Reply::status(200));
    drop(asked);
    let refused = peer.receive().await;
    assert_eq!((refused.status(), refused.header("Allow")), (Some(405), sip::ALLOW));
    room.fence(&peer).await;
}

#[tokio::test]
async fn an_invite_has_one_final_response() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    peer.send(&request("INVITE", "one-final", 1, ""), room.address()).await;
    let incoming = room.request().await;
    for contact in ["<sip:first@127.0.0.1>", "<sip:second@127.0.0.1>"] {
        incoming.reply(Some(&Tag::new("ours")), &Reply::status(200).with("Contact", contact));
    }
    for _ in 0..3 {
        let accepted = peer.receive_but(is_trying).await;
        assert_eq!(accepted.header("Contact"), "<sip:first@127.0.0.1>");
    }
}

#[tokio::test]
async fn requests_beyond_the_bound_are_left_to_be_repeated() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let mut held = Vec::new();
    for number in 0..4096 {
        let call_id = format!("held-{number}");
        peer.send(&request("OPTIONS", &call_id, 1, ""), room.address()).await;
        held.push(room.request().await);
    }
    peer.send(&request("OPTIONS", "too-many", 1, ""), room.address()).await;
    // A request within a transaction that is there still gets through: this CANCEL is answered, behind the one above.
    peer.send(
        &following("CANCEL", &request("INVITE", "none", 1, ""), ""),
        room.address(),
    )
    .await;
    assert_eq!(peer.receive().await.status(), Some(481));
    held.pop().unwrap().reply(None, &Reply::status(200));
    assert_eq!(peer.receive().await.status(), Some(200));
    soon("room", async {
        while room.sip.load().server_transactions == 4096 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    peer.send(&request("OPTIONS", "after", 1, ""), room.address()).await;
    assert_eq!(room.request().await.request.call_id.as_str(), "after");
}

#[tokio::test]
async fn what_nobody_could_serve_is_refused_and_not_told() {
    // Refusals are not repeated while this runs.
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.timers = timers(500);
    let (mut room, peer) = (Room::open(listen, Vec::new()).await, UdpPeer::bind().await);
    let sound = request("INVITE", "unsound", 1, "");
    let unsound = [
        (";tag=peer", "", 400), // no transaction without it
        ("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", 400),
        (" SIP/2.0\r\n", " SIP/3.0\r\n", 505),
        ("sip:onhook@127.0.0.1 SIP", "tel:+4930123 SIP", 416),
        ("Contact:", "Require: 100rel\r\nContact:", 420),
    ];
    for (number, (part, instead, status)) in unsound.into_iter().enumerate() {
        let text = sound
            .replacen(part, instead, 1)
            .replace("unsound", &format!("unsound-{number}"));
        peer.send(&text, room.address()).await;
        let refused = peer.receive_but(is_trying).await;
        assert_eq!(refused.status(), Some(status), "{text}");
        assert!(refused.header("To").contains(";tag="));
        let tag = refused.header("To").split_once("tag=").unwrap().1;
        peer.send(&following("ACK", &text, tag), room.address()).await;
    }
    room.fence(&peer).await;
}
