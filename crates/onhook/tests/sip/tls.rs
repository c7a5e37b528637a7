//! TLS: who is vouched for and who is not, what the operator is told of it, and certificates that change while we run.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use onhook::sip::{NoResponse, Timers, TlsClient, TlsServer, Transport, Trunk};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use sip::{CallIdHeader, Method, Reply};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

use crate::support::{Room, StreamPeer, UdpPeer, listen, outgoing, request};

/// A certificate authority with one certificate, in files.
struct Authority {
    folder: TempDir,
    config: ServerConfig,
    roots: Arc<RootCertStore>,
}

impl Authority {
    fn vouching_for(names: &[&str]) -> Self {
        Self::signing(&params(names))
    }

    fn signing(params: &CertificateParams) -> Self {
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &ca).unwrap();

        let folder = TempDir::new().unwrap();
        for (name, pem) in [
            ("ca.pem", ca.pem()),
            ("cert.pem", cert.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self {
            folder,
            config,
            roots: Arc::new(roots),
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config.clone()))
    }

    /// A server that asks for a certificate that `clients` vouches for.
    fn acceptor_for(&self, clients: &Self) -> TlsAcceptor {
        let key = PrivateKeyDer::from_pem_file(self.folder.path().join("key.pem")).unwrap();
        let chain = CertificateDer::pem_file_iter(self.folder.path().join("cert.pem")).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots.clone(), provider());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
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

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
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
    let mut peer = StreamPeer::new(authority.acceptor().accept(stream).await.unwrap(), from);
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
async fn who_is_not_vouched_for_gets_no_request_and_the_operator_is_told_why() {
    let (authority, other) = (
        Authority::vouching_for(&["127.0.0.1"]),
        Authority::vouching_for(&["127.0.0.1"]),
    );
    let expired = Authority::signing(&{
        let mut params = params(&["127.0.0.1"]);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        params
    });
    let misnamed = Authority::vouching_for(&["pbx.example"]);
    for (shown, tls, reason) in [
        (&authority, other.client(), "signed by no authority that is trusted"),
        (&misnamed, misnamed.client(), "is for somebody else"),
        (&expired, expired.client(), "has expired"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut room = tls_room(address, tls).await;
        invite_by_trunk(&room, address);
        let (stream, _) = listener.accept().await.unwrap();
        assert!(shown.acceptor().accept(stream).await.is_err());
        let (_, _, why) = room.no_response().await;
        let NoResponse::Unreachable(why) = why else {
            panic!("{why}")
        };
        assert!(why.contains(reason) && why.contains("called as 127.0.0.1"), "{why}");
    }
}

/// SNI and the certificate go by the trunk's host, not by the address that it was found at.
#[tokio::test]
async fn the_name_of_the_trunk_is_asked_for_and_verified() {
    for (vouched, is_trusted) in [("localhost", true), ("127.0.0.1", false)] {
        let authority = Authority::vouching_for(&[vouched]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let next_hop = format!("sip:localhost:{port};transport=tls");
        let mut listen = listen(&["udp:127.0.0.1:0"]);
        listen.stream_limit = Duration::from_secs(1);
        let mut trunk = Trunk::new("secure", &next_hop);
        trunk.tls = authority.client();
        let mut room = Room::open(listen, vec![trunk]).await;
        let local = room.sip.local("secure").unwrap();
        let invite = outgoing(Method::Invite, "secure", 1, &next_hop, &local);
        room.sip.send(&CallIdHeader::new("secure"), vec![invite]);
        let (stream, from) = listener.accept().await.unwrap();
        match authority.acceptor().accept(stream).await {
            Ok(stream) => {
                assert_eq!(stream.get_ref().1.server_name(), Some("localhost"));
                assert!(is_trusted && StreamPeer::new(stream, from).next().await.is("INVITE"));
            }
            Err(error) => {
                assert!(!is_trusted, "{error}");
                room.no_response().await;
            }
        }
    }
}

#[tokio::test]
async fn a_peer_that_asks_for_our_certificate_gets_it() {
    let (authority, ours) = (
        Authority::vouching_for(&["127.0.0.1"]),
        Authority::vouching_for(&["onhook.example"]),
    );
    for identity in [Some(ours.server()), None] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = identity.is_some();
        let tls = TlsClient {
            identity,
            ..authority.client()
        };
        let room = tls_room(address, tls).await;
        invite_by_trunk(&room, address);
        let (stream, from) = listener.accept().await.unwrap();
        match authority.acceptor_for(&ours).accept(stream).await {
            Ok(stream) => assert!(shown && StreamPeer::new(stream, from).next().await.is("INVITE")),
            Err(error) => assert!(!shown, "{error}"),
        }
    }
}

/// In TLS 1.3 the refusal comes after our side of the handshake; nothing here waits for a timer.
#[tokio::test]
async fn a_peer_that_refuses_our_certificate_is_told_at_once_and_in_words() {
    let (authority, trusted, other) = (
        Authority::vouching_for(&["127.0.0.1"]),
        Authority::vouching_for(&["onhook.example"]),
        Authority::vouching_for(&["onhook.example"]),
    );
    for (identity, said) in [
        (None, "wants a certificate of ours, and there is none"),
        (Some(other.server()), "does not take our certificate"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = TlsClient {
            identity,
            ..authority.client()
        };
        let mut room = tls_room(address, tls).await;
        room.sip.begin(&CallIdHeader::new("secure"), "secure");
        invite_by_trunk(&room, address);
        let (stream, _) = listener.accept().await.unwrap();
        assert!(authority.acceptor_for(&trusted).accept(stream).await.is_err());
        let (_, _, why) = room.no_response().await;
        let why = why.to_string();
        assert!(why.contains("trunk secure") && why.contains(said), "{why}");
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
    let mut peer = StreamPeer::new(authority.acceptor().accept(stream).await.unwrap(), from);
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

/// Virtual time: whoever connects and does not shake hands is gone in seconds, not in minutes.
#[tokio::test]
async fn a_handshake_that_is_never_begun_ends_its_connection() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let mut listen = listen(&["tls:127.0.0.1:0"]);
    listen.tls = Some(authority.server());
    listen.tls_client = authority.client();
    let room = Room::open(listen, Vec::new()).await;
    let mut silent = TcpStream::connect(room.address()).await.unwrap();
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_tls_listener_takes_requests() {
    let authority = Authority::vouching_for(&["127.0.0.1"]);
    let mut listen = listen(&["tls:127.0.0.1:0"]);
    listen.tls = Some(authority.server());
    listen.tls_client = authority.client();
    let mut room = Room::open(listen, Vec::new()).await;

    let config = rustls::ClientConfig::builder_with_provider(provider())
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
