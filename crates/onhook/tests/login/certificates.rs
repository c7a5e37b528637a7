//! Client certificates.

use std::fs;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, OtherNameValue, SanType};

use tempfile::TempDir;

use crate::authority::{Authority, Identity};
use crate::house::{House, PASSWORD, ask, basic};
use crate::program::Program;

fn email(address: &str) -> Vec<SanType> {
    vec![SanType::Rfc822Name(address.try_into().unwrap())]
}

fn upn(name: &str) -> Vec<SanType> {
    let oid = vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
    vec![SanType::OtherName((oid, OtherNameValue::Utf8String(name.to_owned())))]
}

/// A house that asks for certificates of an authority; the folder is where that one keeps its files.
async fn start(toml: &str) -> (House, Authority, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clients = Authority::new(folder.path(), "clients-ca");
    let ca = clients.ca();
    let house = House::tls(&format!("client_ca = {ca:?}\n{toml}")).await;
    (house, clients, folder)
}

async fn who(house: &House, own: &Identity, headers: &str) -> Result<String, u16> {
    house.who_by(Some(house.authority.trust(Some(own))), headers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_the_certificate_is_the_user() {
    let (house, clients, _folder) =
        start("login = [\"certificate\"]\n[login]\ndomains = [\"example.com\"]\n[login.certificate]\nuser = [\"upn\", \"email\", \"dns\"]\n").await;
    let carol = clients.client("carol", email("Carol@example.com"));
    assert_eq!(who(&house, &carol, "").await.as_deref(), Ok("carol"));
    let dave = clients.client("dave", upn("dave@EXAMPLE.com"));
    assert_eq!(who(&house, &dave, "").await.as_deref(), Ok("dave"));
    let elsewhere = clients.client("elsewhere", email("carol@elsewhere.example"));
    assert_eq!(
        who(&house, &elsewhere, "").await.as_deref(),
        Ok("carol@elsewhere.example")
    );
    let machine = clients.client("machine", vec![SanType::DnsName("bob".try_into().unwrap())]);
    assert_eq!(who(&house, &machine, "").await.as_deref(), Ok("bob"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_in_particular_is_nobody_s() {
    let (house, clients, _folder) = start("login = [\"certificate\"]\n").await;
    let two = clients.client("two", [email("alice"), email("bob")].concat());
    let none = clients.client("none", vec![]);
    let machine = clients.client("machine", vec![SanType::DnsName("alice".try_into().unwrap())]);
    for identity in [two, none, machine] {
        assert_eq!(who(&house, &identity, "").await, Err(403));
    }
    // No certificate, and nothing else that would do: there is nothing to ask for.
    let answer = house.ask(&basic("alice", PASSWORD), "").await;
    assert_eq!((answer.status, answer.headers("www-authenticate").len()), (403, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_listener_s_own_authority_vouches_for_clients() {
    let (house, clients, _folder) = start("login = [\"certificate\"]\n").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = Authority::new(elsewhere.path(), "stranger-ca");
    for (what, identity) in [
        ("a stranger's", stranger.client("alice", email("alice"))),
        (
            "the server's own authority",
            house.authority.client("alice", email("alice")),
        ),
        ("for servers", {
            let mut params = CertificateParams::default();
            params.subject_alt_names = email("alice");
            clients.sign("server", params, ExtendedKeyUsagePurpose::ServerAuth)
        }),
        ("expired", {
            let mut params = CertificateParams::default();
            params.subject_alt_names = email("alice");
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
            clients.sign("expired", params, ExtendedKeyUsagePurpose::ClientAuth)
        }),
    ] {
        assert_eq!(who(&house, &identity, "").await, Err(0), "{what}: no handshake");
    }
    let good = clients.client("alice", email("alice"));
    assert_eq!(who(&house, &good, "").await.as_deref(), Ok("alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_passwords_a_certificate_is_optional_and_a_header_goes_before_it() {
    let (house, clients, _folder) = start("login = [\"users\", \"certificate\"]\n").await;
    let carol = clients.client("carol", email("carol"));
    assert_eq!(who(&house, &carol, "").await.as_deref(), Ok("carol"));
    assert_eq!(
        who(&house, &carol, &basic("alice", PASSWORD)).await.as_deref(),
        Ok("alice")
    );
    assert_eq!(who(&house, &carol, &basic("alice", "wrong")).await, Err(401));
    assert_eq!(house.login("alice", PASSWORD).await.as_deref(), Ok("alice"));
    assert_eq!(house.who("").await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_why_a_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [own, clients, strangers] =
        ["server-ca", "clients-ca", "strangers-ca"].map(|name| Authority::new(folder.path(), name));
    let crl = folder.path().join("clients.crl");
    fs::write(
        &crl,
        clients.revocation_list(&[], SystemTime::now() - Duration::from_secs(60)),
    )
    .unwrap();
    let server = own.server();
    let toml = format!(
        "listen = []\n[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\nclient_ca = {:?}\nclient_crl = {crl:?}\n\
         login = [\"certificate\"]\n",
        server.cert,
        server.key,
        clients.ca()
    );
    let program = Program::serve("info", &toml, &[]).await;
    for identity in [
        clients.client("alice", email("alice")),
        strangers.client("alice", email("alice")),
    ] {
        let refused = ask(program.https[0], Some(own.trust(Some(&identity))), "", "").await;
        assert!(refused.is_err());
    }
    let log = program.stop().await;
    for (word, reason) in [
        ("WARN", "a revocation list has expired"),
        ("not let in: ", "certificate revocation list expired"),
        ("not let in: ", "UnknownIssuer"),
    ] {
        let mut lines = log.lines();
        assert!(lines.any(|line| line.contains(word) && line.contains(reason)), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn required_a_certificate_is_asked_for_beside_the_password() {
    let (house, clients, _folder) = start("login = [\"users\"]\nclient_certificate = \"required\"\n").await;
    let carol = clients.client("carol", email("carol"));
    assert_eq!(house.login("alice", PASSWORD).await, Err(0), "no handshake without one");
    assert_eq!(
        who(&house, &carol, &basic("alice", PASSWORD)).await.as_deref(),
        Ok("alice")
    );
    // It opens the door here, and is no login.
    assert_eq!(who(&house, &carol, "").await, Err(401));
}
