//! SRTP over a TLS trunk: the far end hears the message with the keys of the descriptions, nobody hears it without, and
//! what may not be in clear is not played.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ews::PhoneCallState;
use media::rtp::{RtpHeader, RtpPacket};
use media::srtp::{MasterKey, Opener};
use media::{Clip, Codec};
use tokio::net::{TcpListener, UdpSocket};

use crate::peer::{Message, Peer, sdp};
use crate::program::Program;
use crate::scene::{House, Plan, Scene, User, soon};
use crate::tls_peer::{Authority, TlsPeer};

const KEY: [u8; 30] = [0x42; 30];

fn plan(authority: &Authority, listener: &TcpListener, trunk: &'static str) -> Plan {
    Plan {
        sip: format!("[sip.tls]\nca = {:?}", authority.file("ca.pem")),
        trunk,
        ..Plan::to(format!("sip:{};transport=tls", listener.local_addr().unwrap()))
    }
}

/// The key in a description.
fn key(message: &Message) -> [u8; 30] {
    let (_, key) = message.text.split_once("inline:").unwrap();
    BASE64_STANDARD
        .decode(key.lines().next().unwrap())
        .unwrap()
        .try_into()
        .unwrap()
}

/// A description of a phone that listens there, with its key or without.
fn described(rtp: &UdpSocket, profile: &str, with_key: bool) -> String {
    let plain = sdp(rtp.local_addr().unwrap()).replace("RTP/AVP", profile);
    let key = BASE64_STANDARD.encode(KEY);
    match with_key {
        true => plain + &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"),
        false => plain,
    }
}

async fn packet(rtp: &UdpSocket) -> Vec<u8> {
    let mut packet = [0; 2048];
    let (length, _) = soon("sound", rtp.recv_from(&mut packet)).await.unwrap();
    packet[..length].to_vec()
}

/// What every message of a [`House`] begins with.
fn message() -> Clip {
    let samples: Vec<i16> = (0..16_000).map(|sample| (sample % 64 * 256) as i16 - 8192).collect();
    Clip::from_samples(&samples, Codec::Pcmu)
}

async fn hung_up(anna: &User, id: &crate::scene::PhoneCallId, peer: &mut TlsPeer) {
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200, "").await;
    hung_up.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_is_heard_with_the_key_of_the_offer() {
    for (trunk, profile) in [
        ("keepalive = \"0s\"\nsrtp = \"require\"", "RTP/SAVP"),
        ("keepalive = \"0s\"\nsrtp = \"prefer\"", "RTP/AVP"),
    ] {
        let authority = Authority::found();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scene = Scene::open(plan(&authority, &listener, trunk)).await;
        let anna = scene.anna();
        let id = anna.play("4711").await;
        let mut peer = TlsPeer::accept(&listener, &authority.acceptor).await;
        let invite = peer.expect("INVITE").await;
        assert!(invite.text.contains(&format!(" {profile} ")), "{}", invite.text);
        let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.reply(&invite, 200, &described(&rtp, profile, true)).await;
        peer.expect("ACK").await;
        let mut opener = Opener::new(&MasterKey::new(key(&invite)));
        let message = message();
        for number in 0..50 {
            let protected = packet(&rtp).await;
            let opened = opener.rtp(&protected).unwrap();
            assert_ne!(opened[12..], protected[12..172]);
            assert_eq!(Some(RtpPacket::parse(&opened).unwrap().payload), message.frame(number));
        }
        hung_up(&anna, &id, &mut peer).await;
        assert_eq!(anna.state(&id).await, PhoneCallState::Disconnected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_preferred_a_phone_that_cannot_hears_plain_sound() {
    let authority = Authority::found();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scene = Scene::open(plan(&authority, &listener, "keepalive = \"0s\"\nsrtp = \"prefer\"")).await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let mut peer = TlsPeer::accept(&listener, &authority.acceptor).await;
    let invite = peer.expect("INVITE").await;
    let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.reply(&invite, 200, &described(&rtp, "RTP/AVP", false)).await;
    peer.expect("ACK").await;
    let plain = packet(&rtp).await;
    assert_eq!(Some(RtpPacket::parse(&plain).unwrap().payload), message().frame(0));
    hung_up(&anna, &id, &mut peer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_required_an_answer_in_clear_ends_the_call_and_the_log_says_why() {
    let authority = Authority::found();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::build();
    let plan = plan(&authority, &listener, "keepalive = \"0s\"\nsrtp = \"require\"");
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    let mut peer = TlsPeer::accept(&listener, &authority.acceptor).await;
    let invite = peer.expect("INVITE").await;
    let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.reply(&invite, 200, &described(&rtp, "RTP/AVP", false)).await;
    peer.expect("ACK").await;
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200, "").await;
    anna.ended(&id).await;
    assert!(rtp.try_recv(&mut [0; 64]).is_err(), "nothing was played");
    let (status, log) = program.terminate().await;
    assert!(status.success());
    assert!(
        log.contains("the peer does not protect the sound (SRTP), and the trunk requires it"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_in_the_log_at_any_level() {
    let authority = Authority::found();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::build();
    let plan = Plan {
        log: "level = \"trace\"",
        ..plan(&authority, &listener, "keepalive = \"0s\"\nsrtp = \"require\"")
    };
    let program = Program::serve(&house, &plan).await;
    let anna = program.anna(&house);
    let id = anna.play("4711").await;
    let mut peer = TlsPeer::accept(&listener, &authority.acceptor).await;
    let invite = peer.expect("INVITE").await;
    let rtp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.reply(&invite, 200, &described(&rtp, "RTP/SAVP", true)).await;
    peer.expect("ACK").await;
    packet(&rtp).await;
    hung_up(&anna, &id, &mut peer).await;
    let (status, log) = program.terminate().await;
    assert!(status.success() && log.contains("call ended"), "{log}");
    for key in [key(&invite), KEY] {
        let hex = key[..8]
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let numbers = format!("{:?}", &key[..8]);
        for form in [
            BASE64_STANDARD.encode(key),
            hex,
            numbers.trim_matches(['[', ']']).to_owned(),
        ] {
            assert!(!log.contains(&form), "a key is in the log as {form}");
        }
    }
    assert!(!log.contains("inline:"));
}

/// The phone is behind NAT: it names a place in a network of its own, and sends from one that works.
#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_nowhere_until_the_listener_shows_itself() {
    let mut peer = Peer::bind().await;
    let scene = Scene::open(Plan {
        trunk: "keepalive = \"0s\"\nallowed_hosts = []",
        ..Plan::to(peer.uri())
    })
    .await;
    let anna = scene.anna();
    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let (named, real) = (
        UdpSocket::bind("127.0.0.9:0").await.unwrap(),
        UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    );
    let answer = invite.answered(200, &peer.uri(), &sdp(named.local_addr().unwrap()));
    peer.send(&answer, invite.from).await;
    peer.expect("ACK").await;
    let (_, stream) = invite.text.split_once("m=audio ").unwrap();
    let port: u16 = stream.split(' ').next().unwrap().parse().unwrap();
    let header = RtpHeader {
        marker: true,
        payload_type: 0,
        sequence_number: 1,
        timestamp: 0,
        ssrc: 1,
    };
    let sound = [&header.print()[..], &[0xff; 160]].concat();
    real.send_to(&sound, ("127.0.0.1", port)).await.unwrap();
    let first = packet(&real).await;
    assert_eq!(Some(RtpPacket::parse(&first).unwrap().payload), message().frame(0));
    assert!(named.try_recv(&mut [0; 64]).is_err());
    let (user, asked) = (anna.clone(), id.clone());
    let hung_up = tokio::spawn(async move { user.disconnect(&asked).await });
    let bye = peer.expect("BYE").await;
    peer.reply(&bye, 200).await;
    hung_up.await.unwrap().unwrap();
}
