//! TCP and TLS: one connection a peer, refusals told at once, certificates verified; and IPv6.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use call::{CallIdHeader, Method, Reply};
use onhook::sip::{NoResponse, SipEvent, Timers, TlsClient, TlsServer, Transport, Trunk};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

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

/// A certificate authority with one server certificate, in files.
struct Authority {
    folder: TempDir,
    acceptor: TlsAcceptor,
    roots: rustls::RootCertStore,
}

impl Authority {
    fn vouching_for(names: &[&str]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let cert = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();

        let folder = TempDir::new().unwrap();
        for (name, pem) in [
            ("ca.pem", ca.pem()),
            ("cert.pem", cert.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        Self {
            folder,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            roots,
        }
    }

    fn client(&self) -> TlsClient {
        TlsClient {
            ca_file: Some(self.folder.path().join("ca.pem")),
            ..TlsClient::default()
        }
    }

    fn server(&self) -> TlsServer {
        TlsServer {
            cert: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
        }
    }
}

/// A room with one TLS trunk at `address`.
async fn tls_room(address: SocketAddr, tls: TlsClient) -> Room {
    let mut listen = listen(&["udp:127.0.0.1:0"]);
    (listen.timers, listen.stream_limit) = (Timers::default(), Duration::from_secs(1));
    let mut trunk = Trunk::new("secure", format!("sip:{address};transport=tls"));
    trunk.tls = tls;
    Room::open(listen, vec![trunk]).await
}

fn invite_by_trunk(room: &Room, address: SocketAddr) {
    let local = room.sip.local("secure").unwrap();
    let invite = outgoing(
        Method::Invite,
        "secure",
        1,
        &format!("sip:{address};transport=tls"),
        &local,
    );
    room.sip.send(&CallIdHeader::new("secure"), vec![invite]);
}

#[tokio::test]
async fn a_private_authority_is_enough_for_its_trunk() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut room = tls_room(address, authority.client()).await;
    invite_by_trunk(&room, address);

    let (stream, from) = listener.accept().await.unwrap();
    let mut peer = StreamPeer::new(authority.acceptor.accept(stream).await.unwrap(), from);
    let invite = peer.next().await;
    assert!(
        invite.header("Via").starts_with("SIP/2.0/TLS 127.0.0.1;"),
        "{}",
        invite.text
    );
    assert_eq!(invite.header("Contact"), "<sip:onhook@127.0.0.1;transport=tls>");
    peer.send(&invite.answered(200, "t", "")).await;
    assert_eq!(room.answer().await.status, 200);
}

#[tokio::test]
async fn another_authority_or_name_is_refused_and_told() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let stranger = Authority::vouching_for(&["127.0.0.1"]);
    let misnamed = TlsClient {
        server_name: Some("pbx.example".to_owned()),
        ..authority.client()
    };
    for (tls, reason) in [
        (stranger.client(), "invalid peer certificate"),
        (misnamed, "not valid for name"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut room = tls_room(address, tls).await;
        invite_by_trunk(&room, address);
        let (stream, _) = listener.accept().await.unwrap();
        assert!(authority.acceptor.accept(stream).await.is_err());
        let (_, _, why) = room.no_response().await;
        assert!(
            matches!(&why, NoResponse::Unreachable(why) if why.contains(reason)),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_certificate_by_name_is_verified_by_the_configured_name() {
    let authority = Authority::vouching_for(&["pbx.example"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = TlsClient {
        server_name: Some("pbx.example".to_owned()),
        ..authority.client()
    };
    let room = tls_room(address, tls).await;
    invite_by_trunk(&room, address);
    let (stream, from) = listener.accept().await.unwrap();
    let mut peer = StreamPeer::new(authority.acceptor.accept(stream).await.unwrap(), from);
    assert!(peer.next().await.is("INVITE"));
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_no_other_call_and_is_told() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let stuck = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = stuck.local_addr().unwrap();
    let (mut room, peer) = (tls_room(address, authority.client()).await, UdpPeer::bind().await);
    invite_by_trunk(&room, address);
    let _silent = stuck.accept().await.unwrap();
    let local = room
        .sip
        .local_for(Transport::Udp, "127.0.0.1".parse().unwrap())
        .unwrap();
    let bye = outgoing(Method::Bye, "free", 1, &peer.uri(), &local);
    room.sip.send(&CallIdHeader::new("free"), vec![bye]);
    let bye = peer.receive().await;
    assert_eq!(bye.header("Call-ID"), "free");
    peer.answer(&bye, 200, "t", "").await;
    assert_eq!(room.response().await.call_id.as_str(), "free");

    let (call_id, _, why) = room.no_response().await;
    assert_eq!(call_id.as_str(), "secure");
    assert!(
        matches!(&why, NoResponse::Unreachable(why) if why.contains("nothing was reached")),
        "{why}"
    );
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
async fn a_tls_listener_takes_requests() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let mut listen = listen(&["tls:127.0.0.1:0"]);
    listen.tls = Some(authority.server());
    listen.tls_client = authority.client();
    let mut room = Room::open(listen, Vec::new()).await;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots.clone())
        .with_no_client_auth();
    let stream = TcpStream::connect(room.address()).await.unwrap();
    let name = "127.0.0.1".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let from = room.address();
    let mut peer = StreamPeer::new(stream, from);
    peer.send(&request("OPTIONS", "in", 1, "")).await;
    let asked = room.request().await;
    assert_eq!(asked.transport, Transport::Tls);
    asked.reply(None, &Reply::status(200));
    assert_eq!(peer.next().await.status(), Some(200));
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
