//! A stream whose listener shows itself, and one that is protected.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by failing"
)]

mod packets;

use std::net::SocketAddr;
use std::time::Duration;

use media::rtcp::{self, RtcpPacket, SenderReport};
use media::rtp::RtpPacket;
use media::srtp::{MasterKey, Opener, Protection, Protector, TAG_BYTES};
use media::{Clip, Codec, Finished, Pacer, Permits, PlayEnd, Playing, PortPool, PortPoolOptions, Remote, Stream};
use packets::sound;
use tokio::net::UdpSocket;
use tokio::time::timeout;

async fn soon<T>(wanted: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(15), wanted).await.expect("in time")
}

struct Played {
    _pacer: Pacer,
    playing: Playing,
    finished: Finished,
    at: SocketAddr,
    clip: Clip,
}

/// A second of sound, or more.
fn play(frames: usize, remote: Option<SocketAddr>, permits: Option<Permits>, protection: Option<Protection>) -> Played {
    let samples: Vec<i16> = (0..frames * 160).map(|sample| (sample % 8000) as i16).collect();
    let clip = Clip::from_samples(&samples, Codec::Pcmu);
    let pool = PortPool::new(PortPoolOptions::default());
    let port = pool.lease().unwrap();
    let at = port.address();
    let pacer = Pacer::start().unwrap();
    let stream = Stream {
        clip: clip.clone(),
        port,
        remote: remote.map(Remote::new),
        learn: permits,
        held: false,
        protection,
        payload_type: 0,
        ssrc: 7,
        sequence_number: 65_500,
        timestamp: 0,
    };
    let (playing, finished) = pacer.play(stream).unwrap();
    Played {
        _pacer: pacer,
        playing,
        finished,
        at,
        clip,
    }
}

async fn ear(address: &str) -> UdpSocket {
    UdpSocket::bind(address).await.unwrap()
}

async fn packet(ear: &UdpSocket) -> Vec<u8> {
    let mut bytes = [0; 2048];
    let (length, _) = soon(ear.recv_from(&mut bytes)).await.unwrap();
    bytes[..length].to_vec()
}

fn anybody() -> Option<Permits> {
    Some(Permits::new(|_| true, |_| true))
}

fn nobody_known() -> Option<Permits> {
    Some(Permits::new(|_| true, |_| false))
}

/// Behind a NAT that changes its port.
#[tokio::test]
async fn a_listener_at_the_named_host_is_followed_once() {
    let (named, real, late) = (
        ear("127.0.0.1:0").await,
        ear("127.0.0.1:0").await,
        ear("127.0.0.1:0").await,
    );
    let stranger = ear("127.0.0.9:0").await;
    let played = play(200, Some(named.local_addr().unwrap()), anybody(), None);
    packet(&named).await;
    stranger.send_to(&sound(), played.at).await.unwrap();
    real.send_to(b"no sound", played.at).await.unwrap();
    real.send_to(&sound(), played.at).await.unwrap();
    packet(&real).await;
    late.send_to(&sound(), played.at).await.unwrap();
    for _ in 0..20 {
        packet(&real).await;
    }
    let silent = [&stranger, &late].map(|ear| ear.try_recv(&mut [0; 2048]).is_err());
    assert_eq!(silent, [true, true]);
}

#[tokio::test]
async fn a_listener_without_a_place_is_waited_for_among_those_that_may_be_sent_to() {
    let (stranger, listener) = (ear("127.0.0.9:0").await, ear("127.0.0.1:0").await);
    let only = Permits::new(|host| host == std::net::Ipv4Addr::LOCALHOST, |_| false);
    let played = play(50, None, Some(only), None);
    stranger.send_to(&sound(), played.at).await.unwrap();
    listener.send_to(&sound(), played.at).await.unwrap();
    let first = packet(&listener).await;
    assert_eq!(
        Some(RtpPacket::parse(&first).unwrap().payload),
        played.clip.frame(0),
        "nothing of the message is lost"
    );
    assert!(stranger.try_recv(&mut [0; 2048]).is_err());
    assert_eq!(soon(played.finished).await, PlayEnd::Played);
}

#[tokio::test]
async fn without_a_listener_a_stream_ends() {
    let played = play(50, None, anybody(), None);
    assert_eq!(soon(played.finished).await, PlayEnd::NoListener);
    assert_eq!(played.playing.played(), Duration::ZERO);
}

/// How many packets of sound an ear has in it.
fn heard(ear: &UdpSocket) -> usize {
    std::iter::from_fn(|| ear.try_recv(&mut [0; 2048]).ok()).count()
}

/// An answer can name somebody who never asked for a call.
#[tokio::test]
async fn who_is_unknown_and_says_nothing_is_sent_ten_seconds_of_sound_however_often_it_is_named() {
    let (victim, other) = (ear("127.0.0.9:0").await, ear("127.0.0.1:0").await);
    let played = play(1000, Some(victim.local_addr().unwrap()), nobody_known(), None);
    other.send_to(&sound(), played.at).await.unwrap();
    while played.playing.played() < Duration::from_secs(4) {
        packet(&victim).await;
    }
    played
        .playing
        .redirect(Some(Remote::new(victim.local_addr().unwrap())), None);
    assert_eq!(soon(played.finished).await, PlayEnd::Unasked);
    assert_eq!(played.playing.played(), Duration::from_secs(10));
    heard(&victim);
    assert_eq!(heard(&other), 0);
}

#[tokio::test]
async fn one_report_or_one_packet_of_sound_is_enough_and_the_known_owe_none() {
    let report = rtcp::print(
        &SenderReport {
            ssrc: 99,
            ntp_time: 0,
            rtp_timestamp: 0,
            packet_count: 0,
            octet_count: 0,
        },
        "phone",
        false,
    );
    let phones = [
        ear("127.0.0.9:0").await,
        ear("127.0.0.9:0").await,
        ear("127.0.0.9:0").await,
    ];
    let mut plays: Vec<_> = phones
        .iter()
        .zip([nobody_known(), nobody_known(), anybody()])
        .map(|(phone, permits)| play(550, Some(phone.local_addr().unwrap()), permits, None))
        .collect();
    while plays[0].playing.played() < Duration::from_secs(6) {
        packet(&phones[0]).await;
    }
    // The window in which a listener is followed is over: this is a sign of life from the host, and no more.
    let late = ear("127.0.0.9:0").await;
    late.send_to(&sound(), plays[0].at).await.unwrap();
    let beside = SocketAddr::new(plays[1].at.ip(), plays[1].at.port() + 1);
    phones[1].send_to(&report, beside).await.unwrap();
    for played in plays.drain(..) {
        assert_eq!(soon(played.finished).await, PlayEnd::Played);
    }
    assert_eq!(heard(&late), 0);
}

fn protection() -> Protection {
    Protection {
        own: MasterKey::new([1; 30]),
        peer: MasterKey::new([2; 30]),
    }
}

#[tokio::test]
async fn a_protected_stream_is_opened_with_the_key_alone_across_a_rollover_and_to_its_bye() {
    let pool = PortPool::new(PortPoolOptions::default());
    let phone = pool.lease().unwrap();
    let (rtp, rtcp) = (phone.rtp_receiver().unwrap(), phone.rtcp_receiver().unwrap());
    let played = play(50, Some(phone.address()), None, Some(protection()));
    let (mut opener, mut other) = (
        Opener::new(&MasterKey::new([1; 30])),
        Opener::new(&MasterKey::new([2; 30])),
    );
    for number in 0..50 {
        let bytes = packet(&rtp).await;
        assert!(other.rtp(&bytes).is_err());
        assert_ne!(Some(&bytes[12..172]), played.clip.frame(number));
        let opened = opener.rtp(&bytes).unwrap();
        assert_eq!(
            Some(RtpPacket::parse(&opened).unwrap().payload),
            played.clip.frame(number)
        );
    }
    assert_eq!(soon(played.finished).await, PlayEnd::Played);
    let bytes = packet(&rtcp).await;
    let farewell = opener.rtcp(&bytes).unwrap();
    let farewell: Vec<_> = rtcp::parse(&farewell).collect();
    assert!(farewell.contains(&RtcpPacket::Bye { ssrc: 7 }), "{farewell:?}");
}

/// With SRTP nobody is followed who cannot protect a packet.
#[tokio::test]
async fn a_listener_shows_itself_with_its_key() {
    let (named, real) = (ear("127.0.0.1:0").await, ear("127.0.0.1:0").await);
    let played = play(100, Some(named.local_addr().unwrap()), anybody(), Some(protection()));
    real.send_to(&sound(), played.at).await.unwrap();
    for _ in 0..5 {
        packet(&named).await;
    }
    assert!(real.try_recv(&mut [0; 2048]).is_err());
    let mut bytes = [sound(), vec![0; TAG_BYTES]].concat();
    Protector::new(&MasterKey::new([2; 30])).rtp(12, 99, 1, &mut bytes);
    real.send_to(&bytes, played.at).await.unwrap();
    packet(&real).await;
}
