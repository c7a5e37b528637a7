//! Client certificates that were good and are so no longer: on resumed sessions, and on connections that stay.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ews::ServerVersion;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Identity};
use crate::house::{Answer, House, PASSWORD, PATIENCE, basic, play, request};

const CERTIFICATE: &str = "login = [\"certificate\"]\n";

/// A house, the authority of its clients, and what it says is revoked.
struct Surroundings {
    house: House,
    clients: Authority,
    crl: PathBuf,
    _folder: TempDir,
}

impl Surroundings {
    async fn new(toml: &str) -> Self {
        Self::build(toml, None).await
    }

    /// With a revocation list on which nobody is.
    async fn with_list(toml: &str) -> Self {
        Self::build(toml, Some(in_an_hour())).await
    }

    async fn build(toml: &str, next_update: Option<SystemTime>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clients = Authority::new(folder.path(), "clients-ca");
        let crl = folder.path().join("clients.crl");
        let mut keys = format!("client_ca = {:?}\n", clients.ca());
        if let Some(next_update) = next_update {
            fs::write(&crl, clients.revocation_list(&[], next_update)).unwrap();
            keys += &format!("client_crl = {crl:?}\n");
        }
        Self {
            house: House::tls(&(keys + toml)).await,
            clients,
            crl,
            _folder: folder,
        }
    }

    /// Alice's certificate, and how she connects.
    fn alice(&self) -> (Identity, Arc<ClientConfig>) {
        let alice = self.clients.client("alice", email("alice"));
        let tls = self.house.authority.trust(Some(&alice));
        (alice, tls)
    }

    /// Alice's certificate, which is good for some seconds.
    fn alice_for_a_moment(&self) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = email("alice");
        params.not_after = in_a_moment().into();
        self.clients.sign("moment", params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    async fn who(&self, tls: &Arc<ClientConfig>) -> Result<String, u16> {
        self.house.who_by(Some(Arc::clone(tls)), "").await
    }

    /// Waits until a handshake with this certificate is refused. Not often enough for a session to be forgotten over it.
    async fn has_expired(&self, own: &Identity) {
        let mut again = interval(Duration::from_millis(100));
        let expired = async {
            while self.who(&self.house.authority.trust(Some(own))).await != Err(0) {
                again.tick().await;
            }
        };
        timeout(PATIENCE, expired).await.unwrap();
    }

    async fn connect(&self, tls: &Arc<ClientConfig>) -> Conversation {
        Conversation::begin(&self.house, tls).await
    }

    fn document(&self) -> String {
        play(self.house.item("alice")).encode(ServerVersion::EXCHANGE_2013)
    }
}

/// A connection that stays open.
struct Conversation(BufStream<TlsStream<TcpStream>>);

impl Conversation {
    async fn begin(house: &House, tls: &Arc<ClientConfig>) -> Self {
        let stream = TcpStream::connect(house.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.unwrap();
        Self(BufStream::new(stream))
    }

    async fn ask(&mut self, headers: &str, document: &str) -> Answer {
        self.0.write_all(request(headers, document).as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.unwrap().unwrap());
        }
        let mut answer = Answer {
            status: std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap(),
            head: String::from_utf8(head).unwrap(),
            body: String::new(),
        };
        let mut body = vec![0; answer.headers("content-length")[0].parse().unwrap()];
        timeout(PATIENCE, self.0.read_exact(&mut body)).await.unwrap().unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// The answer is the one to a certificate that is not good any more, and nothing follows.
    async fn is_refused(&mut self, answer: &Answer) {
        assert_eq!((answer.status, answer.body.as_str()), (403, ""), "{}", answer.head);
        assert_eq!(answer.headers("connection"), ["close"]);
        assert_eq!(answer.headers("www-authenticate").len(), 0);
        let mut rest = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.unwrap().unwrap();
        assert_eq!(rest, b"");
    }
}

fn email(address: &str) -> Vec<SanType> {
    vec![SanType::Rfc822Name(address.try_into().unwrap())]
}

fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3_600)
}

/// Long enough for a handshake on a busy machine; certificates count in whole seconds.
fn in_a_moment() -> SystemTime {
    SystemTime::now() + Duration::from_secs(4)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_not_good_on_a_resumed_session_either() {
    for version in [&TLS12, &TLS13] {
        let around = Surroundings::new(CERTIFICATE).await;
        let alice = around.alice_for_a_moment();
        let tls = around.house.authority.trust_by(&[version], Some(&alice));
        assert_eq!(around.who(&tls).await.as_deref(), Ok("alice"), "{version:?}");
        around.has_expired(&alice).await;
        assert_eq!(around.who(&tls).await, Err(0), "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_clients_show_certificates_no_session_is_resumed() {
    let around = Surroundings::new(CERTIFICATE).await;
    let alice = around.alice().0;
    let by_password = House::tls("login = [\"users\"]\n").await;
    for (house, own, second) in [
        (&around.house, Some(&alice), HandshakeKind::Full),
        // So that it can be seen here.
        (&by_password, None, HandshakeKind::Resumed),
    ] {
        for version in [&TLS12, &TLS13] {
            let tls = house.authority.trust_by(&[version], own);
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let mut conversation = Conversation::begin(house, &tls).await;
                // Tickets come with the first answer.
                conversation.ask(&basic("alice", PASSWORD), "").await;
                kinds.extend(conversation.0.get_ref().get_ref().1.handshake_kind());
            }
            assert_eq!(kinds, [HandshakeKind::Full, second], "{version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_refused_at_the_next_request_after_its_certificate_has_expired() {
    for version in [&TLS12, &TLS13] {
        let around = Surroundings::new(CERTIFICATE).await;
        let alice = around.alice_for_a_moment();
        let tls = around.house.authority.trust_by(&[version], Some(&alice));
        let mut conversation = around.connect(&tls).await;
        let answer = conversation.ask("", &around.document()).await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        around.has_expired(&alice).await;
        let answer = conversation.ask("", &around.document()).await;
        conversation.is_refused(&answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_refused_when_one_who_vouches_for_its_certificate_has_expired() {
    let around = Surroundings::new(CERTIFICATE).await;
    let between = around.clients.intermediate("between-ca", in_a_moment());
    let alice = between.client("alice", email("alice"));
    let mut conversation = around.connect(&around.house.authority.trust(Some(&alice))).await;
    assert_eq!(conversation.ask("", &around.document()).await.status, 200);
    around.has_expired(&alice).await;
    let answer = conversation.ask("", &around.document()).await;
    conversation.is_refused(&answer).await;
}

/// A new handshake would be refused as well, whatever else is presented.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_does_not_make_good_for_a_certificate_that_has_expired() {
    for toml in [
        "login = [\"users\"]\nclient_certificate = \"required\"\n",
        "login = [\"users\", \"certificate\"]\n",
    ] {
        let around = Surroundings::new(toml).await;
        let alice = around.alice_for_a_moment();
        let mut conversation = around.connect(&around.house.authority.trust(Some(&alice))).await;
        let password = basic("alice", PASSWORD);
        assert_eq!(conversation.ask(&password, &around.document()).await.status, 200);
        around.has_expired(&alice).await;
        let answer = conversation.ask(&password, &around.document()).await;
        conversation.is_refused(&answer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_taken_out_vouches_for_no_connection_any_more() {
    let around = Surroundings::new(CERTIFICATE).await;
    let (_, tls) = around.alice();
    let mut conversation = around.connect(&tls).await;
    assert_eq!(conversation.ask("", &around.document()).await.status, 200);

    let elsewhere = tempfile::tempdir().unwrap();
    let successor = Authority::new(elsewhere.path(), "clients-ca");
    fs::copy(successor.ca(), around.clients.ca()).unwrap();
    assert_eq!(
        conversation.ask("", &around.document()).await.status,
        200,
        "not read yet"
    );
    around.house.server.reload_certificates();
    let answer = conversation.ask("", &around.document()).await;
    conversation.is_refused(&answer).await;
    assert_eq!(around.who(&tls).await, Err(0));
    let alice = successor.client("alice", email("alice"));
    let tls = around.house.authority.trust(Some(&alice));
    assert_eq!(around.who(&tls).await.as_deref(), Ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused_on_connections_new_and_old() {
    let around = Surroundings::with_list(CERTIFICATE).await;
    let (alice, tls) = around.alice();
    let bob = around
        .house
        .authority
        .trust(Some(&around.clients.client("bob", email("bob"))));
    let mut conversation = around.connect(&tls).await;
    assert_eq!(conversation.ask("", &around.document()).await.status, 200);

    fs::write(&around.crl, "no list").unwrap();
    around.house.server.reload_certificates();
    assert_eq!(
        conversation.ask("", &around.document()).await.status,
        200,
        "what was read before counts"
    );

    fs::write(&around.crl, around.clients.revocation_list(&[&alice], in_an_hour())).unwrap();
    around.house.server.reload_certificates();
    let answer = conversation.ask("", &around.document()).await;
    conversation.is_refused(&answer).await;
    assert_eq!(around.who(&tls).await, Err(0));
    assert_eq!(around.who(&bob).await.as_deref(), Ok("bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_on_no_list_that_counts_is_as_good_as_revoked() {
    let around = Surroundings::with_list(CERTIFICATE).await;
    let (_, tls) = around.alice();
    let between = around.clients.intermediate("between-ca", in_an_hour());
    let through = around
        .house
        .authority
        .trust(Some(&between.client("alice", email("alice"))));
    assert_eq!(around.who(&tls).await.as_deref(), Ok("alice"));
    assert_eq!(around.who(&through).await, Err(0), "no list of the one between");

    let lists = around.clients.revocation_list(&[], in_an_hour()) + &between.revocation_list(&[], in_an_hour());
    fs::write(&around.crl, lists).unwrap();
    around.house.server.reload_certificates();
    assert_eq!(around.who(&through).await.as_deref(), Ok("alice"));

    let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    fs::write(&around.crl, around.clients.revocation_list(&[], an_hour_ago)).unwrap();
    around.house.server.reload_certificates();
    assert_eq!(around.who(&tls).await, Err(0), "a list that has expired");
}
