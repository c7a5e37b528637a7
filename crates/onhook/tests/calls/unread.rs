//! The sound that a phone sends us, as every phone does: nobody reads it yet, and the kernel must not keep it for us.

use std::fs;
use std::net::SocketAddr;

use ews::PhoneCallState;

use crate::peer::{Message, Peer};
use crate::program::Program;
use crate::scene::{House, Plan};

/// 40 seconds of sound.
const PACKETS: usize = 2000;
/// What a port may keep until the listener is known.
const LITTLE: u64 = 16 * 1024;
/// What it keeps afterwards: Linux's smallest buffer, and a datagram more.
const LEAST: u64 = 4 * 1024;

/// Where an offer wants to hear.
fn offered(invite: &Message) -> SocketAddr {
    let (_, media) = invite.text.split_once("m=audio ").unwrap();
    let port = media.split(' ').next().unwrap().parse().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Bytes that the kernel keeps for the RTP port and the RTCP port.
fn receive_queue(rtp: SocketAddr) -> [u64; 2] {
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    [rtp.port(), rtp.port() + 1].map(|port| {
        let port = format!(":{port:04X}");
        let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let fields = lines.into_iter().find(|fields| fields[1].ends_with(&port)).unwrap();
        u64::from_str_radix(fields[4].split_once(':').unwrap().1, 16).unwrap()
    })
}

/// PCMU and a report, again and again, from where the phone hears.
async fn talk(peer: &Peer, to: SocketAddr) {
    let sound = [&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0xff; 160]].concat();
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    for _ in 0..PACKETS {
        peer.send_sound(&sound, to).await;
        peer.send_sound(&report, SocketAddr::new(to.ip(), to.port() + 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_says_is_not_kept_by_the_kernel() {
    let mut peer = Peer::bind().await;
    let house = House::build();
    let program = Program::serve(&house, &Plan::to(peer.uri())).await;
    let anna = program.anna(&house);

    let id = anna.play("4711").await;
    let invite = peer.expect("INVITE").await;
    let rtp = offered(&invite);
    // Early media.
    talk(&peer, rtp).await;
    assert!(
        receive_queue(rtp).iter().all(|&bytes| bytes <= LITTLE),
        "{:?}",
        receive_queue(rtp)
    );

    peer.answer(&invite).await;
    peer.expect("ACK").await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    peer.hears().await;
    talk(&peer, rtp).await;
    peer.hears().await;
    peer.hears().await;
    let kept = receive_queue(rtp);
    assert!(kept.iter().all(|&bytes| bytes <= LEAST), "{kept:?}");
}
