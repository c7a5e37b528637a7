//! Who is listened to: trunks, listed peers, and the places of live calls; and what a flood of anything costs.

use std::time::Duration;

use onhook::reach::Reach;
use onhook::sip::{Listen, SipEvent, Timers, Transport, Trunk};
use sip::{CallIdHeader, Method, Reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::support::{Message, Room, StreamPeer, UdpPeer, key, listen, outgoing, request, soon};

/// Another host than the one at 127.0.0.1.
const STRANGER: &str = "127.0.0.9:0";

/// A room that listens to its one trunk, which is at 127.0.0.1, and to nobody else.
async fn room(trunk: &UdpPeer, allowed: Option<&[&str]>) -> Room {
    let listeners = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"].map(|text| text.parse().unwrap());
    let mut listen = Listen::new(listeners.into(), key());
    listen.timers = crate::support::timers(10);
    listen.requests_per_second = Some(100);
    let mut only = Trunk::new("only", format!("sip:{}", trunk.address()));
    only.reach = Reach::new(allowed.map(|list| list.iter().map(|text| text.parse().unwrap()).collect()));
    Room::open(listen, vec![only]).await
}

/// What the trunk asks is answered, and nothing was heard of anybody before it.
async fn only_the_trunk_is_heard(room: &mut Room, trunk: &UdpPeer) {
    // Another one each time: a repetition is answered below us.
    let call_id = format!("trunk-{}", room.sip.load().turned_away);
    trunk.send(&request("OPTIONS", &call_id, 1, ""), room.address()).await;
    let asked = room.request().await;
    assert_eq!(asked.source, trunk.address());
    asked.reply(None, &Reply::status(200));
    assert!(trunk.receive().await.is_response_to("OPTIONS"));
}

#[tokio::test]
async fn a_scanner_gets_no_answer_whatever_it_sends() {
    let trunk = UdpPeer::bind().await;
    let (mut room, scanner) = (room(&trunk, None).await, UdpPeer::bind_at(STRANGER).await);
    for text in [
        request("OPTIONS", "scan", 1, ""),
        request("INVITE", "scan", 2, ""),
        request("REGISTER", "scan", 3, "").replace("Call-ID: scan\r\n", ""),
        "\r\n\r\n".to_owned(),
        "HELP".to_owned(),
    ] {
        scanner.send(&text, room.address()).await;
    }
    only_the_trunk_is_heard(&mut room, &trunk).await;
    scanner.heard_nothing();
    assert_eq!(room.sip.load().turned_away, 5);
}

#[tokio::test]
async fn a_strangers_connection_is_closed_and_a_peers_is_not() {
    let trunk = UdpPeer::bind().await;
    let mut room = room(&trunk, None).await;
    let tcp = room.sip.listening()[1].address;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(STRANGER.parse().unwrap()).unwrap();
    let mut stranger = StreamPeer::new(socket.connect(tcp).await.unwrap(), tcp);
    assert!(stranger.receive().await.is_none());

    let mut peer = StreamPeer::new(TcpStream::connect(tcp).await.unwrap(), tcp);
    peer.send(&request("OPTIONS", "peer", 1, "")).await;
    room.request().await.reply(None, &Reply::status(200));
    assert_eq!(peer.next().await.status(), Some(200));
}

/// Whoever can forge the trunk's address makes us send it one answer for each INVITE, and not a dozen.
#[tokio::test]
async fn an_invite_of_which_no_call_can_come_is_answered_once_each_time_it_comes() {
    let peer = UdpPeer::bind().await;
    let mut room = Room::open(
        Listen {
            takes_calls: false,
            ..listen(&["udp:127.0.0.1:0"])
        },
        Vec::new(),
    )
    .await;
    let invite = request("INVITE", "nobody", 1, "");
    let lost = invite.replace("\r\nCall-ID", ";tag=lost\r\nCall-ID");
    assert_ne!(lost, invite);
    for (text, status) in [(&invite, 480), (&invite, 480), (&lost, 481)] {
        peer.send(text, room.address()).await;
        let answer = peer.receive().await;
        assert_eq!(answer.status(), Some(status), "and no 100 before it");
        assert_eq!(room.sip.load().server_transactions, 0);
        peer.send(&text.replace("INVITE", "ACK"), room.address()).await;
    }
    // Nor is there an answer to the ACKs.
    room.fence(&peer).await;
}

/// A call that the trunk has taken and whose phone is elsewhere: the request that it then gets.
async fn call_of(room: &mut Room, trunk: &UdpPeer, destination: &str) -> Message {
    let local = room.sip.local("only").unwrap();
    let call_id = CallIdHeader::new("live");
    room.sip.begin(&call_id, "only");
    let invite = outgoing(Method::Invite, "live", 1, &format!("sip:{}", trunk.address()), &local);
    room.sip.send(&call_id, vec![invite]);
    let invite = trunk.receive().await;
    trunk.answer(&invite, 200, "t", "").await;
    room.answer().await;
    let bye = outgoing(Method::Bye, "live", 2, destination, &local);
    room.sip.send(&call_id, vec![bye]);
    invite
}

#[tokio::test]
async fn a_phone_that_we_have_sent_to_is_listened_to_until_its_call_is_over() {
    let (trunk, phone) = (UdpPeer::bind().await, UdpPeer::bind_at(STRANGER).await);
    let mut room = room(&trunk, None).await;
    call_of(&mut room, &trunk, &format!("sip:phone@{}", phone.address())).await;
    let bye = phone.receive().await;
    assert!(bye.is("BYE"));
    phone.answer(&bye, 200, "t", "").await;
    assert_eq!(room.response().await.status, 200);

    phone.send(&request("OPTIONS", "now", 1, ""), room.address()).await;
    room.request().await.reply(None, &Reply::status(200));
    assert_eq!(phone.receive().await.status(), Some(200));
    room.sip.end(&CallIdHeader::new("live"));
    phone.send(&request("OPTIONS", "later", 2, ""), room.address()).await;
    only_the_trunk_is_heard(&mut room, &trunk).await;
    phone.heard_nothing();
}

/// Behind NAT it comes from a place that nobody has named.
#[tokio::test]
async fn whoever_knows_the_call_id_may_hang_up() {
    let (trunk, stranger) = (UdpPeer::bind().await, UdpPeer::bind_at(STRANGER).await);
    let mut room = room(&trunk, None).await;
    room.sip.begin(&CallIdHeader::new("live"), "only");
    stranger.send(&request("BYE", "another", 1, ""), room.address()).await;
    stranger.send(&request("BYE", "live", 1, ""), room.address()).await;
    let bye = room.request().await;
    assert_eq!(bye.request.call_id.as_str(), "live");
    bye.reply(None, &Reply::status(200));
    assert_eq!(stranger.receive().await.status(), Some(200));
}

#[tokio::test]
async fn out_of_reach_a_phone_gets_its_bye_by_the_trunk() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refusing = silent.local_addr().unwrap();
    drop(silent);
    for (destination, allowed) in [
        ("sip:phone@127.0.0.9:5999".to_owned(), Some(&["192.0.2.0/24"][..])),
        ("sip:phone@224.0.0.1".to_owned(), None),
        ("sip:phone@255.255.255.255".to_owned(), None),
        ("sip:phone@no-such-host.invalid".to_owned(), None),
        ("tel:+4930123".to_owned(), None),
        (format!("sip:phone@{refusing};transport=tcp"), None),
    ] {
        let trunk = UdpPeer::bind().await;
        let mut room = room(&trunk, allowed).await;
        call_of(&mut room, &trunk, &destination).await;
        let bye = trunk.receive_but(|message| message.is("INVITE")).await;
        let asked = bye.text.lines().next().unwrap().to_lowercase();
        assert_eq!(asked, format!("bye {destination} sip/2.0"));
        trunk.answer(&bye, 200, "t", "").await;
        assert_eq!(room.response().await.status, 200, "{destination}");
    }
}

#[tokio::test]
async fn a_flood_of_requests_is_answered_up_to_the_allowance_and_calls_go_on() {
    let trunk = UdpPeer::bind().await;
    let mut room = room(&trunk, None).await;
    room.sip.begin(&CallIdHeader::new("live"), "only");
    let flood = UdpPeer::bind().await;
    let address = room.address();
    let mut answered = 0;
    for number in 0..2000 {
        let method = if number % 2 == 0 { "OPTIONS" } else { "INVITE" };
        flood
            .send(&request(method, &format!("flood-{number}"), 1, ""), address)
            .await;
        if number % 20 == 19 {
            // What belongs to a call passes; behind it all that came before has been seen.
            trunk.send(&request("INFO", "live", number, ""), address).await;
            loop {
                let SipEvent::Request(asked) = room.event().await else {
                    panic!("no request")
                };
                let of_call = asked.request.call_id.as_str() == "live";
                asked.reply(None, &Reply::status(486));
                answered += usize::from(!of_call);
                if of_call {
                    break;
                }
            }
        }
    }
    // Two seconds' worth at once, and what was earned meanwhile.
    assert!((200..1200).contains(&answered), "{answered} of 2000");
    assert!(room.sip.load().turned_away >= 800);
    assert!(room.sip.load().server_transactions <= 4096);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_dropped_and_its_stream_closed() {
    let trunk = UdpPeer::bind().await;
    let mut room = room(&trunk, None).await;
    let padded =
        |call_id: &str, length: usize| request("OPTIONS", call_id, 1, &format!("Subject: {}\r\n", "x".repeat(length)));
    for length in [8_000, 17_000, 60_000] {
        trunk.send(&padded("long", length), room.address()).await;
    }
    only_the_trunk_is_heard(&mut room, &trunk).await;

    let tcp = room.sip.listening()[1].address;
    let mut peer = StreamPeer::new(TcpStream::connect(tcp).await.unwrap(), tcp);
    peer.send(&padded("fits", 15_000)).await;
    room.request().await.reply(None, &Reply::status(200));
    assert_eq!(peer.next().await.status(), Some(200));
    peer.send(&padded("long", 17_000)).await;
    assert!(peer.receive().await.is_none());
    only_the_trunk_is_heard(&mut room, &trunk).await;
}

/// A connection whose first message never ends, or says that it has a length that it cannot have.
#[tokio::test]
async fn a_stream_without_an_end_is_closed() {
    let trunk = UdpPeer::bind().await;
    let mut room = room(&trunk, None).await;
    let tcp = room.sip.listening()[1].address;
    // What no message may have is told by its head; the most of these would end a sum of 64 bits.
    let lengths = [
        "-1",
        "16384",
        "2147483648",
        "18446744073709551615",
        "99999999999999999999",
        "many",
    ];
    let heads = lengths.map(|length| padded_with_length(length, 0));
    for text in [vec!["x".repeat(20_000)], heads.into()].concat() {
        let stream = TcpStream::connect(tcp).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        // It may be closed before all is written.
        let _ = write.write_all(text.as_bytes()).await;
        let mut buffer = Vec::new();
        let _ = soon("the end", read.read_to_end(&mut buffer)).await;
        assert!(buffer.is_empty());
    }
    only_the_trunk_is_heard(&mut room, &trunk).await;
    assert_eq!(room.sip.load().connections, 0);
}

/// Virtual time: nothing comes but a byte a second.
#[tokio::test]
async fn a_message_that_comes_byte_by_byte_ends_its_stream() {
    let trunk = UdpPeer::bind().await;
    let room = room(&trunk, None).await;
    let (mut read, mut write) = TcpStream::connect(room.sip.listening()[1].address)
        .await
        .unwrap()
        .into_split();
    let text = request("OPTIONS", "slow", 1, "");
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for byte in text.bytes() {
        seconds.tick().await;
        if write.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let mut buffer = Vec::new();
    let _ = read.read_to_end(&mut buffer).await;
    assert!(buffer.is_empty());
}

/// Virtual time: five minutes of silence.
#[tokio::test]
async fn a_connection_that_says_nothing_is_not_kept() {
    let trunk = UdpPeer::bind().await;
    let room = room(&trunk, None).await;
    let mut silent = TcpStream::connect(room.sip.listening()[1].address).await.unwrap();
    soon("the connection", async {
        while room.sip.load().connections == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(started.elapsed() < Duration::from_secs(400), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_another_has_its_own() {
    let mut listen = listen(&["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]);
    listen.timers = Timers::default();
    let mut room = Room::open(listen, Vec::new()).await;
    let tcp = room.sip.listening()[1].address;
    let mut held = Vec::new();
    for _ in 0..64 {
        held.push(TcpStream::connect(tcp).await.unwrap());
    }
    let mut one_too_many = StreamPeer::new(TcpStream::connect(tcp).await.unwrap(), tcp);
    assert!(one_too_many.receive().await.is_none());

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(STRANGER.parse().unwrap()).unwrap();
    let mut other = StreamPeer::new(socket.connect(tcp).await.unwrap(), tcp);
    other.send(&request("OPTIONS", "other", 1, "")).await;
    room.request().await.reply(None, &Reply::status(200));
    assert_eq!(other.next().await.status(), Some(200));

    held.pop();
    soon("a place", async {
        while room.sip.load().connections > 64 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut next = StreamPeer::new(TcpStream::connect(tcp).await.unwrap(), tcp);
    next.send(&request("OPTIONS", "next", 1, "")).await;
    room.request().await.reply(None, &Reply::status(200));
    assert_eq!(next.next().await.status(), Some(200));
}

fn padded_with_length(claimed: &str, length: usize) -> String {
    let text = request("OPTIONS", "endless", 1, "");
    text.replace("Content-Length: 0", &format!("Content-Length: {claimed}")) + &"x".repeat(length)
}

/// Of a TLS trunk nothing goes out in clear, wherever an answer says that its phone is.
#[tokio::test]
async fn a_call_over_tls_is_never_sent_in_clear() {
    let (in_clear, secure) = (UdpPeer::bind().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.stream_limit = Duration::from_secs(1);
    let address = secure.local_addr().unwrap();
    let room = Room::open(listen, vec![Trunk::new("only", format!("sip:{address};transport=tls"))]).await;
    let local = room
        .sip
        .local_for(Transport::Udp, "127.0.0.1".parse().unwrap())
        .unwrap();
    let call_id = CallIdHeader::new("live");
    room.sip.begin(&call_id, "only");
    let bye = outgoing(
        Method::Bye,
        "live",
        2,
        &format!("{};transport=udp", in_clear.uri()),
        &local,
    );
    room.sip.send(&call_id, vec![bye]);
    soon("a connection", secure.accept()).await.unwrap();
    in_clear.heard_nothing();
}
