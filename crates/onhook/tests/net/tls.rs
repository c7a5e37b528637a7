//! TLS: who is vouched for, what is shown and asked for, and certificates that change while we run.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use onhook::net::{Connect, StreamSettings, TlsClient, TlsOf, TlsServer};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ALL_VERSIONS, ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use sip::Transport;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, rustls, server};

use crate::rig::{Rig, connect, is_closed, message, pass, receive, send, settings, soon};

/// A certificate authority with one certificate, in files.
struct Authority {
    folder: TempDir,
    roots: Arc<RootCertStore>,
}

impl Authority {
    fn vouching_for(name: &str) -> Self {
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.der().clone()).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &ca)
            .unwrap();
        let folder = TempDir::new().unwrap();
        for (file, pem) in [
            ("ca.pem", ca.pem()),
            ("cert.pem", cert.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            fs::write(folder.path().join(file), pem).unwrap();
        }
        Self {
            folder,
            roots: Arc::new(roots),
        }
    }

    /// Puts its files in the place of another's.
    fn replaces(&self, other: &Self) {
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            fs::copy(self.folder.path().join(file), other.folder.path().join(file)).unwrap();
        }
    }

    fn files(&self) -> TlsServer {
        TlsServer {
            cert: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
        }
    }

    /// Settings of ours that trust it.
    fn trusted(&self) -> TlsClient {
        TlsClient {
            ca_file: Some(self.folder.path().join("ca.pem")),
            ..TlsClient::default()
        }
    }

    /// A peer's server; it wants a certificate when `clients` are to be vouched for.
    fn acceptor(&self, clients: Option<&Self>) -> TlsAcceptor {
        self.acceptor_of(clients, ALL_VERSIONS)
    }

    /// The same, which speaks these versions of TLS alone.
    fn acceptor_of(&self, clients: Option<&Self>, versions: &[&'static SupportedProtocolVersion]) -> TlsAcceptor {
        let files = self.files();
        let chain = CertificateDer::pem_file_iter(files.cert)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let key = PrivateKeyDer::from_pem_file(files.key).unwrap();
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match clients {
            Some(clients) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots.clone(), provider());
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
    }

    /// A peer that trusts it opens a connection.
    async fn client(&self, address: SocketAddr) -> std::io::Result<client::TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("onhook.test").unwrap();
        soon(
            "a handshake",
            TlsConnector::from(Arc::new(config)).connect(name, stream),
        )
        .await
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn secure(others: TlsClient) -> StreamSettings {
    StreamSettings {
        others: Some(others),
        ..settings(&[])
    }
}

/// A peer that waits for a connection.
struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Server {
    async fn of(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor }
    }

    fn wanted(&self, id: u64, server_name: &str) -> Connect {
        connect(id, Transport::Tls, self.listener.local_addr().unwrap(), server_name)
    }

    async fn accept(&self) -> std::io::Result<server::TlsStream<TcpStream>> {
        let (stream, _) = soon("a connection", self.listener.accept()).await.unwrap();
        soon("a handshake", self.acceptor.accept(stream)).await
    }
}

#[tokio::test]
async fn a_peer_opens_a_secure_connection_and_messages_go_both_ways() {
    let ours = Authority::vouching_for("onhook.test");
    let mut settings = settings(&["tls:127.0.0.1:0"]);
    settings.tls = Some(ours.files());
    let mut rig = Rig::start(settings);
    let mut peer = ours.client(rig.address()).await.unwrap();
    let path = rig.connected(None).await;
    assert_eq!((path.transport, path.local), (Transport::Tls, rig.address()));
    for byte in message("slow").as_bytes() {
        send(&mut peer, str::from_utf8(&[*byte]).unwrap()).await;
    }
    assert_eq!(rig.message().await, (path, message("slow")));
    rig.streams.send(&path, b"answer".to_vec()).unwrap();
    assert_eq!(receive(&mut peer, 6).await, "answer");
    peer.shutdown().await.unwrap();
    assert_eq!(rig.closed().await.0, path);
}

#[tokio::test]
async fn who_is_called_by_its_name_is_asked_for_by_it_and_vouched_for() {
    let authority = Authority::vouching_for("pbx.test");
    let server = Server::of(authority.acceptor(None)).await;
    let mut rig = Rig::start(secure(authority.trusted()));
    rig.streams.connect(server.wanted(1, "pbx.test"));
    let mut peer = server.accept().await.unwrap();
    assert_eq!(peer.get_ref().1.server_name(), Some("pbx.test"));
    let path = rig.connected(Some(1)).await;
    assert_eq!(path.transport, Transport::Tls);
    rig.streams.send(&path, b"ask".to_vec()).unwrap();
    assert_eq!(receive(&mut peer, 3).await, "ask");
    send(&mut peer, &message("answer")).await;
    assert_eq!(rig.message().await, (path, message("answer")));
}

#[tokio::test]
async fn who_is_not_vouched_for_is_refused_and_it_is_said_why() {
    let (authority, other) = (Authority::vouching_for("pbx.test"), Authority::vouching_for("pbx.test"));
    let server = Server::of(authority.acceptor(None)).await;
    let mut settings = secure(other.trusted());
    let named = TlsClient {
        server_name: Some("pbx.test".to_owned()),
        ..authority.trusted()
    };
    settings.trunks = vec![authority.trusted(), named];
    let mut rig = Rig::start(settings);

    let trunk = |id, name, place| Connect {
        tls: TlsOf::Trunk(place),
        ..server.wanted(id, name)
    };
    rig.streams.connect(trunk(1, "another.test", 0));
    assert!(server.accept().await.is_err());
    let why = rig.connect_failed(1).await;
    assert!(
        why.contains("called as another.test: its certificate is for somebody else"),
        "{why}"
    );

    rig.streams.connect(server.wanted(2, "pbx.test"));
    assert!(server.accept().await.is_err());
    let why = rig.connect_failed(2).await;
    assert!(
        why.contains("signed by no authority"),
        "one trunk's roots vouch for nobody else: {why}"
    );

    rig.streams.connect(trunk(3, "another.test", 1));
    let named = server.accept().await.unwrap();
    assert_eq!(
        named.get_ref().1.server_name(),
        Some("pbx.test"),
        "the name of the settings goes before"
    );
    rig.connected(Some(3)).await;

    rig.streams.connect(trunk(4, "pbx.test", 9));
    assert!(
        rig.connect_failed(4).await.contains("no certificates"),
        "there are no such settings"
    );
}

#[tokio::test]
async fn our_certificate_is_shown_to_who_asks_for_it() {
    let (authority, ours) = (
        Authority::vouching_for("pbx.test"),
        Authority::vouching_for("onhook.test"),
    );
    let server = Server::of(authority.acceptor(Some(&ours))).await;
    let mut rig = Rig::start(secure(TlsClient {
        identity: Some(ours.files()),
        ..authority.trusted()
    }));
    rig.streams.connect(server.wanted(1, "pbx.test"));
    let mut peer = server.accept().await.unwrap();
    assert_eq!(peer.get_ref().1.peer_certificates().unwrap().len(), 1);
    // Speaking first it cuts the wait for its objection short.
    send(&mut peer, &message("hello")).await;
    let path = rig.connected(Some(1)).await;
    assert_eq!(rig.message().await, (path, message("hello")));

    let mut rig = Rig::start(secure(authority.trusted()));
    rig.streams.connect(server.wanted(2, "pbx.test"));
    assert!(server.accept().await.is_err());
    let why = rig.connect_failed(2).await;
    assert!(why.contains("it wants a certificate of ours"), "{why}");
}

/// In TLS 1.3 the peer says so after the handshake is over for us.
#[tokio::test]
async fn a_peer_that_refuses_our_certificate_is_told_of_in_words() {
    let (authority, ours) = (
        Authority::vouching_for("pbx.test"),
        Authority::vouching_for("onhook.test"),
    );
    let trusted = Authority::vouching_for("onhook.test");
    let mut rig = Rig::start(secure(TlsClient {
        identity: Some(ours.files()),
        ..authority.trusted()
    }));
    for (id, version) in [(1, &TLS12), (2, &TLS13)] {
        let server = Server::of(authority.acceptor_of(Some(&trusted), &[version])).await;
        rig.streams.connect(server.wanted(id, "pbx.test"));
        assert!(server.accept().await.is_err());
        let why = rig.connect_failed(id).await;
        let remote = server.listener.local_addr().unwrap();
        let words = "it does not take our certificate ([sip.tls] cert; ";
        assert!(
            why.starts_with(&format!("{remote}: called as pbx.test: {words}")),
            "{version:?}: {why}"
        );
    }
}

#[tokio::test]
async fn certificates_are_read_again_and_what_is_broken_changes_nothing() {
    let (first, second) = (
        Authority::vouching_for("onhook.test"),
        Authority::vouching_for("onhook.test"),
    );
    let peer = Authority::vouching_for("pbx.test");
    let server = Server::of(peer.acceptor(None)).await;
    let trusted = Authority::vouching_for("pbx.test");
    let mut settings = settings(&["tls:127.0.0.1:0"]);
    (settings.tls, settings.others) = (Some(first.files()), Some(trusted.trusted()));
    let mut rig = Rig::start(settings);

    let opened = first.client(rig.address()).await.unwrap();
    let path = rig.connected(None).await;
    rig.streams.connect(server.wanted(1, "pbx.test"));
    assert!(server.accept().await.is_err());
    rig.connect_failed(1).await;

    second.replaces(&first);
    peer.replaces(&trusted);
    rig.streams.reload().unwrap();
    assert!(first.client(rig.address()).await.is_err());
    let _again = second.client(rig.address()).await.unwrap();
    rig.connected(None).await;
    rig.streams.connect(server.wanted(2, "pbx.test"));
    let _accepted = server.accept().await.unwrap();
    rig.connected(Some(2)).await;
    // What was open stays.
    let mut opened = opened;
    send(&mut opened, &message("still here")).await;
    assert_eq!(rig.message().await, (path, message("still here")));

    for broken in [&first, &trusted] {
        let file = broken.folder.path().join(if std::ptr::eq(broken, &first) {
            "cert.pem"
        } else {
            "ca.pem"
        });
        let whole = fs::read(&file).unwrap();
        fs::write(&file, "nothing").unwrap();
        assert!(rig.streams.reload().is_err());
        fs::write(&file, whole).unwrap();
    }
    let _again = second.client(rig.address()).await.unwrap();
    rig.connected(None).await;
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_on_both_sides() {
    let ours = Authority::vouching_for("onhook.test");
    let mut settings = settings(&["tls:127.0.0.1:0"]);
    (settings.tls, settings.others) = (Some(ours.files()), Some(ours.trusted()));
    let mut rig = Rig::start(settings);

    let mut silent = TcpStream::connect(rig.address()).await.unwrap();
    // When this one is through, the one before has been accepted.
    let _fence = ours.client(rig.address()).await.unwrap();
    rig.connected(None).await;
    pass(Duration::from_secs(5)).await;
    assert!(is_closed(&mut silent).await);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    rig.streams.connect(connect(1, Transport::Tls, remote, "onhook.test"));
    let _silent = soon("a connection", listener.accept()).await.unwrap();
    pass(Duration::from_secs(5)).await;
    let why = rig.connect_failed(1).await;
    assert_eq!(why, format!("{remote}: nothing was reached within 4s"));
}

#[tokio::test]
async fn a_secure_listener_needs_a_certificate() {
    let (_udp, wake) = onhook::net::Udp::bind(&[]).unwrap();
    let (events, _received) = onhook::net::Events::new(wake);
    let why = onhook::net::Streams::start(settings(&["tls:127.0.0.1:0"]), events)
        .err()
        .unwrap();
    assert_eq!(why.to_string(), "tls:127.0.0.1:0 needs a certificate and a key");
}
