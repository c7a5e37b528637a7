//! The whole way over other transports: EWS by HTTPS, SIP by TCP and TLS.

use std::sync::Arc;

use ews::{GetPhoneCallInformation, PhoneCallState, ServerVersion};
use onhook::client::Trust;
use onhook::phone::{Ending, Phone, PhoneOptions, What};
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::ServerName;
use sip::Transport;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::exchange::{self, PATIENT};
use crate::peer::sdp;
use crate::program::Program;
use crate::scene::{House, Plan, Scene, post_by, soon};
use crate::tls_peer::{Authority, TlsPeer};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_followed_and_ended_over_https() {
    let authority = Authority::found();
    let (next_hop, _exchange) = exchange::open().await;
    let scene = Scene::open(Plan {
        more: format!(
            "[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\n",
            authority.file("cert.pem"),
            authority.file("key.pem")
        ),
        ..Plan::to(next_hop)
    })
    .await;
    let address = scene.server.addresses().https[0];
    let trust = Trust::File(authority.file("ca.pem"));
    let anna = scene
        .house
        .anna(&format!("https://{address}/EWS/Exchange.asmx"), &trust);
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;

    for version in [&TLS12, &TLS13] {
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(authority.roots.clone())
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let phone_call_id = id.clone();
        let question = GetPhoneCallInformation { phone_call_id }.encode(ServerVersion::EXCHANGE_2013);
        let answer = post_by(stream, "anna", &question).await;
        assert!(answer.contains("Connected"), "{version:?}: {answer}");
    }

    anna.disconnect(&id).await.unwrap();
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_over_tcp() {
    let (phone, mut events) = Phone::start(PhoneOptions::default()).unwrap();
    let scene = Scene::open(Plan {
        sip_listen: "tcp:127.0.0.1:0".to_owned(),
        ..Plan::to(format!("sip:{};transport=tcp", phone.address(Transport::Tcp).unwrap()))
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let mut by = None;
    loop {
        match soon("the ACK", events.recv()).await.unwrap().what {
            What::Invited { transport, .. } => by = Some(transport),
            What::Acked => break,
            _ => {}
        }
    }
    assert_eq!(by, Some(Transport::Tcp));
    anna.disconnect(&id).await.unwrap();
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
    loop {
        if let What::Ended { why, .. } = soon("the end", events.recv()).await.unwrap().what {
            assert_eq!(why, Ending::CallerHungUp);
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_over_tls_on_one_connection() {
    let authority = Authority::found();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scene = Scene::open(Plan {
        sip: format!("[sip.tls]\nca = {:?}", authority.file("ca.pem")),
        ..Plan::to(format!("sip:{};transport=tls", listener.local_addr().unwrap()))
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let mut peer = TlsPeer::accept(&listener, &authority.acceptor).await;
    let invite = peer.expect("INVITE").await;
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS "));
    peer.reply(&invite, 180, "").await;
    anna.reaches(&id, PhoneCallState::Alerted).await;
    let rtp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.reply(&invite, 200, &sdp(rtp.local_addr().unwrap())).await;
    peer.expect("ACK").await;
    let mut packet = [0; 2048];
    let (length, _) = soon("sound", rtp.recv_from(&mut packet)).await.unwrap();
    assert_eq!(length, 12 + 160, "20 ms of PCMU");

    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200, "").await;
    hung_up.await.unwrap().unwrap();
    assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_trunk_that_nobody_vouches_for_gets_no_call() {
    let (trusted, stranger) = (Authority::found(), Authority::found());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scene = Scene::open(Plan {
        sip: format!("[sip.tls]\nca = {:?}", trusted.file("ca.pem")),
        ..Plan::to(format!("sip:{};transport=tls", listener.local_addr().unwrap()))
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let (stream, _) = soon("a connection", listener.accept()).await.unwrap();
    assert!(soon("the handshake", stranger.acceptor.accept(stream)).await.is_err());
    let information = anna.ended(&id).await;
    assert_eq!(information.sip_response.unwrap().code, 503);
}

/// Whether or not the trunk is asked whether it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_refuses_our_certificate_gets_no_call_and_the_log_says_so_in_words() {
    let (trusted, stranger) = (Authority::found(), Authority::found());
    for trunk in ["keepalive = \"0s\"", "keepalive = \"30s\""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let house = House::build();
        let plan = Plan {
            sip: format!(
                "[sip.tls]\nca = {:?}\ncert = {:?}\nkey = {:?}",
                trusted.file("ca.pem"),
                stranger.file("cert.pem"),
                stranger.file("key.pem")
            ),
            trunk,
            ..Plan::to(format!("sip:{address};transport=tls"))
        };
        let acceptor = trusted.acceptor_for_clients();
        let refusing = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                assert!(acceptor.accept(stream).await.is_err());
            }
        });
        let program = Program::serve(&house, &plan).await;
        if trunk.contains("\"0s") {
            let anna = program.anna(&house);
            let id = anna.play("4711").await;
            assert_eq!(anna.ended(&id).await.sip_response.unwrap().code, 503);
        }
        program.logs("it does not take our certificate ([sip.tls] cert; ").await;
        let (_, log) = program.terminate().await;
        let line = log.lines().find(|line| line.contains("our certificate")).unwrap();
        assert!(line.contains(&address.to_string()) && line.contains("WARN"), "{line}");
        refusing.abort();
    }
}

/// RFC 5922 §7.2: what was verified for one name vouches for no other.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_trunks_at_one_address_each_is_verified_by_its_own_name() {
    let authority = Authority::found();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let house = House::build();
    let plan = Plan {
        next_hops: ["127.0.0.1", "localhost"]
            .map(|host| format!("sip:{host}:{port};transport=tls"))
            .into(),
        sip: format!("[sip.tls]\nca = {:?}", authority.file("ca.pem")),
        trunk: "keepalive = \"30s\"",
        ..Plan::to("")
    };
    let acceptor = authority.acceptor.clone();
    // The certificate names the address alone.
    let answering = tokio::spawn(async move {
        let mut trusted = 0;
        for _ in 0..2 {
            let (stream, from) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                trusted += 1;
                assert_eq!(stream.get_ref().1.server_name(), None, "it was called by its address");
                let mut peer = TlsPeer::of(stream, from, &listener);
                let options = peer.expect("OPTIONS").await;
                peer.reply(&options, 200, "").await;
                // It stays open beside the other.
                std::mem::forget(peer);
            }
        }
        trusted
    });
    let program = Program::serve(&house, &plan).await;
    program.logs("trunk up trunk=\"trunk-0\"").await;
    program.logs("trunk down trunk=\"trunk-1\"").await;
    assert_eq!(soon("both connections", answering).await.unwrap(), 1);
    let (_, log) = program.terminate().await;
    assert!(
        log.contains("called as localhost: its certificate is for somebody else"),
        "{log}"
    );
}
