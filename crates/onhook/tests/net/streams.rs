//! Connections in clear: whole messages whatever the pieces, bounds on what waits and who may come, and ends that are told.

use std::{net::IpAddr, sync::Arc, time::Duration};

use onhook::net::{LONGEST_MESSAGE, NetEvent, SendError};
use sip::Transport;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[cfg(target_os = "linux")]
use crate::rig::holds_small_pieces_back;
use crate::rig::{Rig, connect, is_closed, message, pass, receive, send, settings, soon};

#[tokio::test]
async fn a_message_may_come_in_two_pieces_cut_anywhere() {
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    let (mut fence, beside) = rig.peer().await;
    let whole = message("cut");
    for cut in 1..whole.len() {
        send(&mut peer, &whole[..cut]).await;
        // When this has come the first piece has been read.
        send(&mut fence, &message("fence")).await;
        assert_eq!(rig.message().await, (beside, message("fence")), "cut at {cut}");
        send(&mut peer, &whole[cut..]).await;
        assert_eq!(rig.message().await, (path, whole.clone()), "cut at {cut}");
    }
}

#[tokio::test]
async fn messages_that_come_together_are_told_apart_and_keep_alives_are_answered() {
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    send(
        &mut peer,
        &format!("{}\r\n\r\n{}\r\n{}", message("1"), message("2"), message("3")),
    )
    .await;
    for call_id in ["1", "2", "3"] {
        assert_eq!(rig.message().await, (path, message(call_id)));
    }
    assert_eq!(receive(&mut peer, 2).await, "\r\n", "one keep-alive, one answer");
    rig.streams.send(&path, b"answer".to_vec()).unwrap();
    assert_eq!(receive(&mut peer, 6).await, "answer");
}

#[tokio::test]
async fn what_is_wanted_is_connected_and_spoken_to_in_order() {
    let mut rig = Rig::tcp();
    let mut peers = Vec::new();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).await.unwrap();
        let remote = listener.local_addr().unwrap();
        rig.streams.connect(connect(7, Transport::Tcp, remote, "127.0.0.1"));
        let path = rig.connected(Some(7)).await;
        let (mut peer, from) = listener.accept().await.unwrap();
        assert_eq!(
            (path.transport, path.local, path.remote),
            (Transport::Tcp, from, remote)
        );
        let mut expected = String::new();
        for number in 0..1000 {
            rig.streams.send(&path, format!("{number};").into_bytes()).unwrap();
            expected += &format!("{number};");
        }
        assert_eq!(receive(&mut peer, expected.len()).await, expected);
        send(&mut peer, &message("back")).await;
        assert_eq!(rig.message().await, (path, message("back")));
        peers.push(peer);
    }
}

/// An ACK must not wait for the peer's word on what was written before it (RFC 896, RFC 1122 §4.2.3.4).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn small_messages_wait_for_nothing_on_connections_that_were_accepted_and_that_were_made() {
    let mut rig = Rig::tcp();
    let (_peer, accepted) = rig.peer().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    rig.streams.connect(connect(1, Transport::Tcp, remote, "127.0.0.1"));
    let made = rig.connected(Some(1)).await;
    let (other_end, _) = listener.accept().await.unwrap();
    let others = sip::Path {
        transport: Transport::Tcp,
        local: remote,
        remote: other_end.peer_addr().unwrap(),
    };
    assert!(holds_small_pieces_back(&others), "as the system has it");
    assert!(!holds_small_pieces_back(&accepted));
    assert!(!holds_small_pieces_back(&made));
}

#[tokio::test]
async fn what_cannot_be_connected_is_told_at_once() {
    let mut rig = Rig::tcp();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    rig.streams.connect(connect(1, Transport::Tcp, gone, "127.0.0.1"));
    let why = rig.connect_failed(1).await;
    assert!(why.starts_with(&gone.to_string()) && why.contains("refused"), "{why}");

    rig.streams.connect(connect(2, Transport::Udp, gone, "127.0.0.1"));
    assert!(rig.connect_failed(2).await.contains("udp"));
    rig.streams.connect(connect(3, Transport::Tls, gone, "127.0.0.1"));
    let why = rig.connect_failed(3).await;
    assert!(why.contains("no certificates to verify 127.0.0.1 with"), "{why}");
}

#[tokio::test]
async fn a_peer_that_stops_reading_loses_its_connection_and_keeps_nobody_waiting() {
    let mut rig = Rig::tcp();
    let (mut deaf, path) = rig.peer().await;
    let (mut other, beside) = rig.peer().await;
    let piece = vec![b'x'; LONGEST_MESSAGE];
    let mut sent = 0;
    while rig.streams.send(&path, piece.clone()).is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "somewhere it has to end");
    }
    assert_eq!(sent, 4 << 20);
    rig.streams.send(&beside, b"still here".to_vec()).unwrap();
    assert_eq!(receive(&mut other, 10).await, "still here");
    let (ended, why) = rig.closed().await;
    assert_eq!(ended, path);
    assert!(why.contains("does not take"), "{why}");
    assert!(matches!(rig.streams.send(&path, piece), Err(SendError::NoConnection(gone)) if gone == path));
    // It may read what had left before, and then the end.
    soon("the end", deaf.read_to_end(&mut Vec::new())).await.ok();
}

/// One peer's connections, or those of many, must not make the server grow by what each may have waiting (promise 9).
#[tokio::test]
async fn what_waits_on_all_connections_is_bounded_and_who_has_most_waiting_loses_its_own() {
    let mut rig = Rig::tcp();
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(rig.peer().await);
    }
    let (mut other, beside) = rig.peer().await;
    let piece = vec![b'x'; LONGEST_MESSAGE];
    // Less than one connection may have waiting, of 64 MiB for all of them.
    let each = (3 << 20) + (1 << 19);
    let mut sent = 0;
    for (_, path) in &deaf {
        for _ in 0..each / piece.len() {
            sent += rig.streams.send(path, piece.clone()).map_or(0, |()| piece.len());
        }
    }
    assert_eq!(sent, 20 * each, "there is room for who has little waiting");
    rig.streams.send(&beside, b"still here".to_vec()).unwrap();
    for _ in 0..2 {
        let (ended, why) = rig.closed().await;
        assert!(deaf.iter().any(|(_, path)| *path == ended));
        assert!(why.contains("does not take"), "{why}");
    }
    assert_eq!(receive(&mut other, 10).await, "still here");
    assert_eq!(rig.streams.open(), 19, "no more than had to");
    // What was given back can be had again.
    for (_, path) in &deaf {
        let _ = rig.streams.send(path, b"one more".to_vec());
    }
    assert_eq!(rig.streams.open(), 19);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up_after_a_while() {
    let mut rig = Rig::tcp();
    let (_deaf, path) = rig.peer().await;
    let (mut fence, _) = rig.peer().await;
    loop {
        // Less than what may wait, until the kernel takes no more for a peer that does not read.
        for _ in 0..64 {
            let _ = rig.streams.send(&path, vec![b'x'; LONGEST_MESSAGE]);
        }
        send(&mut fence, &message("fence")).await;
        match rig.event().await {
            NetEvent::Message { .. } => {}
            NetEvent::Closed { path: ended, why } => {
                assert_eq!((ended, why.as_str()), (path, "the peer took nothing for 10s"));
                return;
            }
            other => panic!("{other:?}"),
        }
        pass(Duration::from_secs(11)).await;
    }
}

#[tokio::test]
async fn a_peer_that_closes_its_half_gets_what_waits_for_it_and_its_end_is_told() {
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    send(&mut peer, &message("last")).await;
    rig.message().await;
    let last = "x".repeat(1 << 20);
    rig.streams.send(&path, last.clone().into_bytes()).unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(receive(&mut peer, last.len()).await, last);
    let (ended, why) = rig.closed().await;
    assert_eq!((ended, why.as_str()), (path, "it was closed by the peer"));
    assert!(is_closed(&mut peer).await);
    assert_eq!(rig.streams.open(), 0);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_told() {
    let mut rig = Rig::tcp();
    let (peer, path) = rig.peer().await;
    peer.set_zero_linger().unwrap();
    drop(peer);
    assert_eq!(rig.closed().await.0, path);
}

#[tokio::test]
async fn what_is_not_wanted_any_more_ends_when_what_waits_has_been_sent() {
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    let last = "x".repeat(1 << 20);
    rig.streams.send(&path, last.clone().into_bytes()).unwrap();
    rig.streams.close(&path);
    assert_eq!(receive(&mut peer, last.len()).await, last);
    assert!(is_closed(&mut peer).await);
    assert_eq!(rig.closed().await.0, path);
}

#[tokio::test]
async fn a_silent_stream_and_a_message_that_does_not_end_are_closed() {
    let mut rig = Rig::tcp();
    let (mut silent, path) = rig.peer().await;
    // A keep-alive counts.
    pass(Duration::from_secs(299)).await;
    send(&mut silent, "\r\n\r\n").await;
    receive(&mut silent, 2).await;
    pass(Duration::from_secs(299)).await;
    send(&mut silent, &message("there")).await;
    assert_eq!(rig.message().await.0, path);
    pass(Duration::from_secs(301)).await;
    let (ended, why) = rig.closed().await;
    assert_eq!((ended, why.as_str()), (path, "it was silent for 300s"));

    let (mut slow, path) = rig.peer().await;
    let (mut fence, _) = rig.peer().await;
    for piece in ["MESSAGE", " ", "sip:"] {
        send(&mut slow, piece).await;
        send(&mut fence, &message("fence")).await;
        rig.message().await;
        pass(Duration::from_secs(4)).await;
    }
    let (ended, why) = rig.closed().await;
    assert_eq!(ended, path);
    assert!(why.contains("longer than 10s"), "{why}");
}

#[tokio::test]
async fn a_stream_that_brings_no_messages_is_closed() {
    let mut rig = Rig::tcp();
    for (bytes, why) in [
        ("x".repeat(LONGEST_MESSAGE + 1), "too long"),
        ("MESSAGE a SIP/2.0\r\nCall-ID: c\r\n\r\n".to_owned(), "Content-Length"),
        ("MESSAGE a SIP/2.0\r\nl: 4294967295\r\n\r\n".to_owned(), "too long"),
    ] {
        let (mut peer, path) = rig.peer().await;
        send(&mut peer, &bytes).await;
        let (ended, told) = rig.closed().await;
        assert_eq!(ended, path);
        assert!(told.contains(why), "{told}");
        assert!(is_closed(&mut peer).await);
    }
}

#[tokio::test]
async fn strangers_and_who_has_too_many_are_closed_at_once() {
    let mut settings = settings(&["tcp:127.0.0.1:0"]);
    let stranger: IpAddr = "127.0.0.2".parse().unwrap();
    settings.admits = Arc::new(move |host| host != stranger);
    let mut rig = Rig::start(settings);

    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((stranger, 0).into()).unwrap();
    let mut turned_away = socket.connect(rig.address()).await.unwrap();
    assert!(is_closed(&mut turned_away).await);

    let mut peers = Vec::new();
    for _ in 0..64 {
        peers.push(rig.peer().await);
    }
    let mut too_many = TcpStream::connect(rig.address()).await.unwrap();
    assert!(is_closed(&mut too_many).await);
    assert_eq!((rig.streams.turned_away(), rig.streams.open()), (2, 64));

    let (peer, path) = peers.pop().unwrap();
    drop(peer);
    assert_eq!(rig.closed().await.0, path);
    // Its place is free when the next one finds it so.
    let again = async {
        loop {
            let mut peer = TcpStream::connect(rig.address()).await.unwrap();
            send(&mut peer, "\r\n\r\n").await;
            if !is_closed(&mut peer).await {
                return;
            }
        }
    };
    soon("a free place", again).await;
}

#[tokio::test]
async fn a_panic_over_one_connection_keeps_no_other_from_being_accepted() {
    let mut settings = settings(&["tcp:127.0.0.1:0"]);
    let stranger: IpAddr = "127.0.0.2".parse().unwrap();
    settings.admits = Arc::new(move |host| {
        assert_ne!(host, stranger, "as a test");
        true
    });
    let mut rig = Rig::start(settings);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((stranger, 0).into()).unwrap();
    let mut of_panic = socket.connect(rig.address()).await.unwrap();
    assert!(is_closed(&mut of_panic).await);
    rig.peer().await;
}

#[tokio::test]
async fn a_peer_that_sends_more_than_is_taken_waits_and_loses_nothing() {
    const MANY: usize = 3000;
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    let sending = tokio::spawn(async move {
        for number in 0..MANY {
            send(&mut peer, &message(&number.to_string())).await;
        }
        peer
    });
    // Nothing is taken before the queue is full.
    while rig.waiting() < 1024 {
        tokio::task::yield_now().await;
    }
    for number in 0..MANY {
        assert_eq!(rig.message().await, (path, message(&number.to_string())));
    }
    drop(sending.await);
}

#[tokio::test]
async fn stopping_sends_what_waits_and_frees_the_ports() {
    let mut rig = Rig::tcp();
    let (mut peer, path) = rig.peer().await;
    rig.streams.send(&path, b"bye".to_vec()).unwrap();
    soon("the end of all", rig.streams.stop()).await;
    assert_eq!(receive(&mut peer, 3).await, "bye");
    assert!(is_closed(&mut peer).await);
    assert!(TcpStream::connect(rig.address()).await.is_err());
}
