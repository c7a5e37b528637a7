//! Certificates change while the server runs: SIGHUP, and what it leaves alone.

use std::fs;
use std::sync::Arc;

use ews::PhoneCallState;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::peer::sdp;
use crate::program::Program;
use crate::scene::{House, Plan, post_by, sip_address};
use crate::tls_peer::{Authority, TlsPeer};

/// A client that trusts both authorities.
async fn connect(address: &str, authorities: [&Authority; 2]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.roots.extend(authority.roots.roots.iter().cloned());
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

async fn shown(address: &str, authorities: [&Authority; 2]) -> CertificateDer<'static> {
    let stream = connect(address, authorities).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

fn certificate(authority: &Authority) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(authority.file("cert.pem")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_after_sighup_and_a_broken_one_is_not() {
    let (old, new) = (Authority::found(), Authority::found());
    let served = Authority::found();
    let put = |authority: &Authority| {
        for name in ["cert.pem", "key.pem", "ca.pem"] {
            fs::copy(authority.file(name), served.file(name)).unwrap();
        }
    };
    put(&old);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::build();
    let (cert, key) = (served.file("cert.pem"), served.file("key.pem"));
    let plan = Plan {
        sip_listen: "tls:127.0.0.1:0".to_owned(),
        sip: format!(
            "[sip.tls]\ncert = {cert:?}\nkey = {key:?}\nca = {:?}",
            served.file("ca.pem")
        ),
        more: format!("[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}\n"),
        ..Plan::to(format!("sip:{};transport=tls", listener.local_addr().unwrap()))
    };
    let program = Program::serve(&house, &plan).await;
    let places = [
        program.addresses.https[0].clone(),
        sip_address(&program.addresses.sip[0]).to_string(),
    ];
    for place in &places {
        assert_eq!(shown(place, [&old, &new]).await, certificate(&old));
    }

    // A call and a connection that are up when it happens.
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    let mut peer = TlsPeer::accept(&listener, &old.acceptor).await;
    let invite = peer.expect("INVITE").await;
    let rtp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.reply(&invite, 200, &sdp(rtp.local_addr().unwrap())).await;
    peer.expect("ACK").await;
    let open = connect(&places[0], [&old, &new]).await;

    put(&new);
    program.hang_up().await;
    program.logs("SIP: certificates were read again").await;
    for place in &places {
        assert_eq!(shown(place, [&old, &new]).await, certificate(&new));
    }

    fs::write(&cert, "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n").unwrap();
    program.hang_up().await;
    program.logs("HTTPS: the certificate stays what it was").await;
    program.logs("SIP: certificates stay what they were").await;
    for place in &places {
        assert_eq!(shown(place, [&old, &new]).await, certificate(&new));
    }

    let answer = post_by(open, "anna", "<no EWS/>").await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert_eq!(anna.state(&id).await, PhoneCallState::Connected);
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200, "").await;
    hung_up.await.unwrap().unwrap();

    // The next call's trunk has a certificate of the new authority.
    drop(peer);
    anna.play("4712").await;
    let mut peer = TlsPeer::accept(&listener, &new.acceptor).await;
    peer.expect("INVITE").await;
}
