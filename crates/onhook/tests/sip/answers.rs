//! What comes back to a request of ours, and what only looks like it.

use onhook::sip::{NoResponse, SipLoad};
use sip::{CallIdHeader, Method};

use crate::support::{Room, UdpPeer, listen, outgoing, request, soon, timers};

/// A call in which the peer has our INVITE.
async fn invited(room: &Room, peer: &UdpPeer, call_id: &str) -> crate::support::Message {
    let local = room
        .sip
        .local_for(onhook::sip::Transport::Udp, peer.address().ip())
        .unwrap();
    let invite = outgoing(Method::Invite, call_id, 1, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new(call_id), vec![invite]);
    let invite = peer.receive().await;
    assert!(invite.is("INVITE"));
    invite
}

#[tokio::test]
async fn a_late_2xx_after_a_refusal_is_an_answer_and_is_left_to_be_acked() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = invited(&room, &peer, "late").await;
    peer.answer(&invite, 486, "one", "").await;
    assert_eq!(room.response().await.status, 486);
    assert!(peer.receive_but(|message| message.is("INVITE")).await.is("ACK"));

    peer.answer(&invite, 200, "two", "").await;
    let answer = room.answer().await;
    assert_eq!((answer.status, answer.to_tag.unwrap().as_str()), (200, "two"));
    room.fence(&peer).await;
}

#[tokio::test]
async fn every_2xx_is_an_answer_repeated_or_of_another_fork() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = invited(&room, &peer, "fork").await;
    peer.answer(&invite, 180, "one", "").await;
    assert_eq!(room.response().await.status, 180);
    for tag in ["one", "two", "two"] {
        peer.answer(&invite, 200, tag, "").await;
        assert_eq!(room.answer().await.to_tag.unwrap().as_str(), tag);
    }
    room.fence(&peer).await;
}

#[tokio::test]
async fn a_2xx_with_a_branch_that_is_not_ours_is_no_answer() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let forged = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKforged\r\nFrom: <sip:a@h>;tag=f\r\n\
        To: <sip:b@h>;tag=t\r\nCall-ID: never\r\nCSeq: 1 INVITE\r\nContact: <sip:victim@h>\r\nContent-Length: 0\r\n\r\n";
    peer.send(forged, room.address()).await;
    room.fence(&peer).await;

    // Our own branch on another Call-ID is no better.
    let invite = invited(&room, &peer, "mine").await;
    let stolen = invite.answered(200, "t", "").replace("Call-ID: mine", "Call-ID: other");
    peer.send(&stolen, room.address()).await;
    peer.answer(&invite, 486, "t", "").await;
    assert_eq!(room.response().await.status, 486);
}

#[tokio::test]
async fn silence_is_no_response_and_a_peers_408_is_one() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    invited(&room, &peer, "silent").await;
    let (call_id, tx, why) = room.no_response().await;
    assert_eq!(
        (call_id.as_str(), tx.method, why),
        ("silent", Method::Invite, NoResponse::TimedOut)
    );

    for (call_id, status, extra) in [
        ("real-408", 408, ""),
        ("real-503", 503, ""),
        // A peer that knows how the room marks what nobody sent.
        ("forged-408", 408, "X-Onhook-Made-Up: \r\n"),
    ] {
        let local = room
            .sip
            .local_for(onhook::sip::Transport::Udp, peer.address().ip())
            .unwrap();
        let invite = outgoing(Method::Invite, call_id, 1, &peer.uri(), &local);
        room.sip.send(&CallIdHeader::new(call_id), vec![invite]);
        let invite = peer.receive_but(|message| message.header("Call-ID") != call_id).await;
        peer.answer(&invite, status, "t", extra).await;
        let response = room.response().await;
        assert_eq!((response.call_id.as_str(), response.status), (call_id, status));
    }
}

#[tokio::test]
async fn a_bye_nobody_answers_is_told_after_timer_f() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let local = room
        .sip
        .local_for(onhook::sip::Transport::Udp, peer.address().ip())
        .unwrap();
    let bye = outgoing(Method::Bye, "lost", 2, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new("lost"), vec![bye.clone()]);
    assert_eq!(
        room.no_response().await,
        (CallIdHeader::new("lost"), bye.tx, NoResponse::TimedOut)
    );
}

#[tokio::test]
async fn a_stopped_transaction_tells_nothing_more() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = invited(&room, &peer, "stuck").await;
    peer.answer(&invite, 180, "t", "").await;
    let ringing = room.response().await;
    room.sip.stop(&CallIdHeader::new("stuck"), &ringing.tx());
    peer.answer(&invite, 486, "t", "").await;
    peer.send(&request("OPTIONS", "after", 1, ""), room.address()).await;
    assert_eq!(room.request().await.request.call_id.as_str(), "after");
}

#[tokio::test]
async fn an_invite_of_before_a_restart_is_resumed_without_being_sent() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let local = room
        .sip
        .local_for(onhook::sip::Transport::Udp, peer.address().ip())
        .unwrap();
    let call_id = CallIdHeader::new("resumed");
    let invite = outgoing(Method::Invite, "resumed", 1, &peer.uri(), &local);
    let cancel = outgoing(Method::Cancel, "resumed", 1, &peer.uri(), &local);
    room.sip.resume(&call_id, invite.clone());
    room.sip.send(&call_id, vec![cancel]);

    let cancel = peer.receive().await;
    assert!(cancel.is("CANCEL"), "{}", cancel.text);
    peer.answer(&cancel, 200, "t", "").await;
    assert_eq!(room.response().await.cseq.method, Method::Cancel);
    let refused = cancel.answered(487, "t", "").replace("1 CANCEL", "1 INVITE");
    peer.send(&refused, room.address()).await;
    let response = room.response().await;
    assert_eq!((response.status, response.tx()), (487, invite.tx));
    assert!(peer.receive().await.is("ACK"));
}

#[tokio::test]
async fn a_message_that_does_not_parse_is_told_and_holds_up_nothing() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let local = room
        .sip
        .local_for(onhook::sip::Transport::Udp, peer.address().ip())
        .unwrap();
    let mut broken = outgoing(Method::Invite, "broken", 1, &peer.uri(), &local);
    broken.text = "nonsense".to_owned();
    let mut nowhere = outgoing(Method::Invite, "broken", 2, &peer.uri(), &local);
    nowhere.destination = "tel:100".to_owned();
    let good = outgoing(Method::Bye, "broken", 3, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new("broken"), vec![broken, nowhere, good]);
    for _ in 0..2 {
        assert!(matches!(room.no_response().await.2, NoResponse::Unreachable(_)));
    }
    assert!(peer.receive().await.is("BYE"));
}

#[tokio::test]
async fn nothing_is_kept_of_requests_that_were_answered() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    for (number, status) in [200, 486, 603].into_iter().enumerate() {
        let invite = invited(&room, &peer, &format!("ended-{number}")).await;
        assert_eq!(room.sip.load().client_transactions, 1);
        peer.answer(&invite, status, "t", "").await;
        room.event().await;
        soon("nothing to be kept", async {
            while room.sip.load() != SipLoad::default() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        if status != 200 {
            assert!(peer.receive_but(|message| message.is("INVITE")).await.is("ACK"));
        }
    }
}

#[tokio::test]
async fn answers_beyond_the_bound_are_dropped_until_somebody_reads() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let invite = invited(&room, &peer, "flood").await;
    soon("the bound", async {
        while room.sip.load().answers_dropped == 0 {
            peer.answer(&invite, 200, "t", "").await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    while room.events.try_recv().is_ok() {}
    peer.answer(&invite, 200, "last", "").await;
    while room.answer().await.to_tag.unwrap().as_str() != "last" {}
}

#[tokio::test]
async fn a_request_given_twice_is_sent_once() {
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.timers = timers(5_000); // no repetitions here
    let (mut room, peer) = (Room::open(listen, Vec::new()).await, UdpPeer::bind().await);
    let invite = invited(&room, &peer, "twice").await;
    let local = room
        .sip
        .local_for(onhook::sip::Transport::Udp, peer.address().ip())
        .unwrap();
    let again = outgoing(Method::Invite, "twice", 1, &peer.uri(), &local);
    let fence = outgoing(Method::Bye, "twice", 2, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new("twice"), vec![again, fence]);
    let bye = peer.receive().await;
    assert!(bye.is("BYE"), "{}", bye.text);
    peer.answer(&invite, 486, "t", "").await;
    assert_eq!(room.response().await.status, 486);
}
