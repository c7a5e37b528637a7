//! Opening and closing: ports are taken and given back, and junk disturbs nothing.

use onhook::sip::{Sip, SipError, Transport, Trunk};
use sip::{CallIdHeader, Method};
use tokio::net::{TcpListener, UdpSocket};

use crate::support::{Room, UdpPeer, listen, outgoing, request, soon};

#[tokio::test]
async fn closing_frees_the_ports_also_with_calls_up() {
    let (room, peer) = (
        Room::open(listen(&["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]), Vec::new()).await,
        UdpPeer::bind().await,
    );
    let [udp, tcp] = room.sip.listening()[..] else {
        panic!("two listeners")
    };
    let local = room.sip.local_for(Transport::Udp, peer.address().ip()).unwrap();
    room.sip.send(
        &CallIdHeader::new("up"),
        vec![outgoing(Method::Invite, "up", 1, &peer.uri(), &local)],
    );
    peer.receive().await;
    peer.send(&request("INVITE", "in", 1, ""), udp.address).await;
    let Room { sip, mut events } = room;
    let incoming = soon("the INVITE", events.recv()).await;

    let _held = sip.clone();
    soon("the end", sip.shutdown()).await;
    UdpSocket::bind(udp.address).await.unwrap();
    TcpListener::bind(tcp.address).await.unwrap();
    drop(incoming);
}

#[tokio::test]
async fn a_room_opens_again_where_it_was() {
    let room = Room::udp().await;
    let at = room.sip.listening()[0].to_string();
    room.sip.shutdown().await;
    let mut room = Room::open(listen(&[&at]), Vec::new()).await;
    assert_eq!(room.sip.listening()[0].to_string(), at);
    room.fence(&UdpPeer::bind().await).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_and_no_other_is_kept() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let tcp = format!("tcp:{}", taken.local_addr().unwrap());
    let opened = Sip::start(listen(&[&format!("udp:{free}"), &tcp]), Vec::new()).await;
    let error = opened.err().unwrap();
    assert!(
        error.to_string().starts_with(&format!("{tcp} cannot be opened")),
        "{error}"
    );
    UdpSocket::bind(free).await.unwrap();
}

#[tokio::test]
async fn a_trunk_needs_a_uri_and_a_listener_of_its_transport() {
    for (next_hop, transport) in [("tel:100", None), ("sip:127.0.0.1;transport=tcp", Some(Transport::Tcp))] {
        let opened = Sip::start(listen(&["udp:127.0.0.1:0"]), vec![Trunk::new("pbx", next_hop)]).await;
        match (opened.err().unwrap(), transport) {
            (SipError::Trunk(trunk), None) => assert_eq!(trunk, "pbx"),
            (SipError::TrunkTransport { trunk, transport }, Some(wanted)) => {
                assert_eq!((trunk.as_str(), transport), ("pbx", wanted));
            }
            (error, _) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn the_external_address_is_what_peers_are_told() {
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    listen.external_address = Some("192.0.2.7".to_owned());
    let room = Room::open(listen, vec![Trunk::new("pbx", "sip:127.0.0.1")]).await;
    let local = room.sip.local("pbx").unwrap();
    let port = room.address().port();
    assert_eq!(local.via, format!("SIP/2.0/UDP 192.0.2.7:{port}"));
    assert_eq!(local.contact, format!("sip:onhook@192.0.2.7:{port}"));
    assert!(matches!(room.sip.local("other"), Err(SipError::UnknownTrunk(_))));
}

#[tokio::test]
async fn a_wildcard_listener_tells_the_address_that_reaches_the_peer() {
    let room = Room::open(listen(&["udp:0.0.0.0:0"]), vec![Trunk::new("pbx", "sip:127.0.0.1")]).await;
    let port = room.address().port();
    assert_eq!(
        room.sip.local("pbx").unwrap().via,
        format!("SIP/2.0/UDP 127.0.0.1:{port}")
    );
}

#[tokio::test]
async fn junk_disturbs_nothing() {
    let (mut room, peer) = (Room::udp().await, UdpPeer::bind().await);
    let good = request("INVITE", "junk", 1, "");
    let mut junk: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\r\n\r\n\r\n".to_vec(),
        vec![0; 512],
        (0..=255).collect(),
        vec![0xff; 9000],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        good.replace("SIP/2.0\r\n", "SIP/9.9\r\n").into_bytes(),
        good.replace("1 INVITE", "99999999999999999999 INVITE").into_bytes(),
        good.replace("INVITE sip:onhook@127.0.0.1", "FOO sip:[").into_bytes(),
        good.replace(";tag=peer", "").into_bytes(),
        good.as_bytes()[..good.len() / 2].to_vec(),
    ];
    for header in ["Via", "Call-ID", "CSeq", "From", "To"] {
        let lines = good.split_inclusive("\r\n").filter(|line| !line.starts_with(header));
        junk.push(lines.collect::<String>().into_bytes());
    }
    for datagram in &junk {
        peer.send_bytes(datagram, room.address()).await;
    }
    // Some of it may come close enough to be delivered or answered; none of it may stop what follows.
    peer.send(&request("OPTIONS", "after", 1, ""), room.address()).await;
    while room.request().await.request.call_id.as_str() != "after" {}
}
