//! TCP: one connection a peer, refusals told at once; and IPv6.

use std::time::{Duration, Instant};

use onhook::sip::{NoResponse, SipEvent, Timers, Transport};
use sip::{CallIdHeader, Method, Reply};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Room, StreamPeer, UdpPeer, listen, outgoing, request, soon};

async fn tcp_room() -> Room {
    let mut listen = listen(&["tcp:127.0.0.1:0"]);
    // Whatever is told soon is not told by a timer.
    listen.timers = Timers::default();
    Room::open(listen, Vec::new()).await
}

fn invite_all(room: &Room, transport: Transport, names: &[String], destination: &str) {
    let local = room.sip.local_for(transport, "127.0.0.1".parse().unwrap()).unwrap();
    for name in names {
        let invite = outgoing(Method::Invite, name, 1, destination, &local);
        room.sip.send(&CallIdHeader::new(name), vec![invite]);
    }
}

#[tokio::test]
async fn a_refused_connection_is_told_at_once() {
    let mut room = tcp_room().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    invite_all(
        &room,
        Transport::Tcp,
        &["refused".into()],
        &format!("sip:{gone};transport=tcp"),
    );
    let (call_id, _, why) = room.no_response().await;
    assert_eq!(call_id.as_str(), "refused");
    assert!(
        matches!(&why, NoResponse::Unreachable(why) if why.contains("refused")),
        "{why}"
    );
}

#[tokio::test]
async fn many_calls_to_one_peer_open_one_connection() {
    let room = tcp_room().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let names: Vec<_> = (0..20).map(|number| format!("call-{number}")).collect();
    let destination = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    invite_all(&room, Transport::Tcp, &names, &destination);

    let (stream, from) = listener.accept().await.unwrap();
    let mut peer = StreamPeer::new(stream, from);
    for _ in &names {
        assert!(peer.next().await.is("INVITE"));
    }
}

#[tokio::test]
async fn a_connection_that_the_peer_closed_is_opened_anew() {
    let mut room = tcp_room().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    for name in ["first", "second"] {
        invite_all(&room, Transport::Tcp, &[name.into()], &destination);
        let (stream, from) = soon("a connection", listener.accept()).await.unwrap();
        let mut peer = StreamPeer::new(stream, from);
        let invite = peer.next().await;
        assert_eq!(invite.header("Call-ID"), name);
        peer.send(&invite.answered(486, "t", "")).await;
        assert_eq!(room.response().await.status, 486);
        assert!(peer.next().await.is("ACK"));
        // The room has seen the end when it has closed its side too.
        let mut stream = peer.close_write().await;
        assert!(stream.receive().await.is_none());
    }
}

#[tokio::test]
async fn a_request_by_tcp_is_answered_on_its_connection() {
    let mut room = tcp_room().await;
    let stream = TcpStream::connect(room.address()).await.unwrap();
    let from = room.address();
    let mut peer = StreamPeer::new(stream, from);
    peer.send(&request("OPTIONS", "in", 1, "")).await;
    let asked = room.request().await;
    assert_eq!(asked.transport, Transport::Tcp);
    asked.reply(None, &Reply::status(200));
    assert_eq!(peer.next().await.status(), Some(200));
}

#[tokio::test]
async fn an_ack_and_what_follows_it_leave_without_delay() {
    let room = tcp_room().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    let local = room
        .sip
        .local_for(Transport::Tcp, "127.0.0.1".parse().unwrap())
        .unwrap();
    let mut peer = None;
    let mut waited = Vec::new();
    for number in 0..40 {
        let name = format!("call-{number}");
        let messages = [Method::Ack, Method::Bye].map(|method| outgoing(method, &name, 1, &destination, &local));
        let started = Instant::now();
        room.sip.send(&CallIdHeader::new(&name), messages.into());
        if peer.is_none() {
            let (stream, from) = listener.accept().await.unwrap();
            peer = Some(StreamPeer::new(stream, from));
        }
        let peer = peer.as_mut().unwrap();
        assert!(peer.next().await.is("ACK"));
        let bye = peer.next().await;
        waited.push(started.elapsed());
        // A peer that speaks too delays its acknowledgements, and for them Nagle's algorithm would hold the BYEs back.
        peer.send(&bye.answered(200, "t", "")).await;
    }
    // A busy machine may be slow now and then, but not each time.
    waited.sort();
    assert!(waited[10].as_millis() < 30, "{waited:?}");
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up_and_dialled_anew() {
    let mut listen = listen(&["tcp:127.0.0.1:0"]);
    (listen.timers, listen.stream_limit) = (Timers::default(), Duration::from_millis(300));
    let mut room = Room::open(listen, Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let destination = format!("sip:{};transport=tcp", listener.local_addr().unwrap());
    let local = room
        .sip
        .local_for(Transport::Tcp, "127.0.0.1".parse().unwrap())
        .unwrap();
    let body = "x".repeat(60_000);
    let send = |name: &str| {
        let mut bye = outgoing(Method::Bye, name, 1, &destination, &local);
        let with_body = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        bye.text = bye.text.replace("Content-Length: 0\r\n\r\n", &with_body);
        room.sip.send(&CallIdHeader::new(name), vec![bye]);
    };
    send("first");
    let _mute = listener.accept().await.unwrap();
    // More than both kernels hold between them.
    for number in 0..200 {
        send(&format!("call-{number}"));
    }
    let why = soon("the limit", async {
        match room.events.recv().await.unwrap() {
            SipEvent::NoResponse { why, .. } => why,
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert!(
        matches!(&why, NoResponse::Unreachable(why) if why.contains("took nothing")),
        "{why}"
    );
    send("last");
    soon("a second connection", listener.accept()).await.unwrap();
}

#[tokio::test]
async fn ipv6_works_both_ways() {
    let mut room = Room::open(listen(&["udp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0"]), Vec::new()).await;
    let peer = UdpPeer::bind_at("[::1]:0").await;
    let local = room.sip.local_for(Transport::Udp, "::1".parse().unwrap()).unwrap();
    let ours = room.sip.listening()[1].address;
    assert_eq!(local.contact, format!("sip:onhook@{ours}"));
    let invite = outgoing(Method::Invite, "six", 1, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new("six"), vec![invite]);
    let invite = peer.receive().await;
    peer.answer(&invite, 486, "t", "").await;
    assert_eq!(room.response().await.status, 486);
    assert!(peer.receive_but(|message| message.is("INVITE")).await.is("ACK"));

    peer.send(&request("OPTIONS", "in", 1, ""), ours).await;
    let asked = room.request().await;
    assert_eq!(asked.source, peer.address());
    asked.reply(None, &Reply::status(200));
    assert_eq!(peer.receive().await.status(), Some(200));
}
