//! What comes to a port and is not read: the kernel keeps next to nothing of it.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by failing"
)]

mod packets;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use media::rtp::RtpPacket;
use media::{Clip, Codec, Finished, Pacer, Permits, Playing, PortPool, PortPoolOptions, Remote, RtpPort, Stream};
use packets::sound;

/// Of a flood.
const PACKETS: u64 = 3000;
/// What a port keeps while its listener may still show itself.
const LITTLE: u64 = 16 * 1024;
/// What it keeps afterwards: Linux's smallest buffer, and a datagram more.
const LEAST: u64 = 4 * 1024;
/// So many datagrams fit into that at most.
const FEW: u64 = 8;

/// A phone that says what the test says.
fn phone(host: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    socket
}

/// The sequence number of the next packet.
fn packet(phone: &UdpSocket) -> u16 {
    let mut bytes = [0; 2048];
    let length = phone.recv(&mut bytes).expect("sound");
    RtpPacket::parse(&bytes[..length]).unwrap().header.sequence_number
}

fn send(phone: &UdpSocket, to: SocketAddr, count: u64) {
    for _ in 0..count {
        phone.send_to(&sound(), to).unwrap();
    }
}

fn rtcp(rtp: SocketAddr) -> SocketAddr {
    SocketAddr::new(rtp.ip(), rtp.port() + 1)
}

/// Bytes that the kernel keeps for a UDP port, and how many datagrams it has dropped there.
fn receive_queue(at: SocketAddr) -> (u64, u64) {
    let table = if at.is_ipv4() { "udp" } else { "udp6" };
    let table = std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap();
    let port = format!(":{:04X}", at.port());
    let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let fields = line.into_iter().find(|fields| fields[1].ends_with(&port)).unwrap();
    let (_, queue) = fields[4].split_once(':').unwrap();
    (
        u64::from_str_radix(queue, 16).unwrap(),
        fields.last().unwrap().parse().unwrap(),
    )
}

fn pool(address: IpAddr, calls_per_port: usize) -> PortPool {
    PortPool::new(PortPoolOptions {
        address,
        calls_per_port,
        ..PortPoolOptions::default()
    })
}

fn play(pacer: &Pacer, port: RtpPort, remote: SocketAddr) -> (Playing, Finished) {
    let stream = Stream {
        clip: Clip::from_samples(&[0; 8000 * 20], Codec::Pcmu),
        port,
        remote: Some(Remote::new(remote)),
        learn: Some(Permits::new(|_| true, |_| true)),
        held: false,
        protection: None,
        payload_type: 0,
        ssrc: 7,
        sequence_number: 0,
        timestamp: 0,
    };
    pacer.play(stream).unwrap()
}

/// A phone that is up, heard and moved by a re-INVITE; it floods us all the while.
#[test]
fn nothing_piles_up_at_a_port_whose_listener_is_known() {
    for host in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        if UdpSocket::bind((host, 0)).is_err() {
            continue; // a machine without IPv6
        }
        let (pacer, port) = (Pacer::start().unwrap(), pool(host, 1).lease().unwrap());
        let at = port.address();
        let (named, real, next) = (phone(host), phone(host), phone(host));
        send(&named, at, PACKETS);
        send(&named, rtcp(at), PACKETS);
        assert!(
            receive_queue(at).0 <= LITTLE,
            "before the answer: {:?}",
            receive_queue(at)
        );
        assert!(
            receive_queue(rtcp(at)).0 <= LITTLE,
            "before the answer: {:?}",
            receive_queue(rtcp(at))
        );

        let (playing, _finished) = play(&pacer, port, named.local_addr().unwrap());
        packet(&named); // heard among what was kept
        packet(&named);
        let flood = |phone: &UdpSocket| {
            let before = (receive_queue(at), receive_queue(rtcp(at)));
            send(phone, at, PACKETS);
            send(phone, rtcp(at), PACKETS);
            let after = (receive_queue(at), receive_queue(rtcp(at)));
            assert!(after.0.0 <= LEAST && after.1.0 <= LEAST, "kept: {after:?}");
            assert!(after.0.1 - before.0.1 >= PACKETS - FEW, "it came, and was dropped");
            assert!(after.1.1 - before.1.1 >= PACKETS - FEW, "it came, and was dropped");
        };
        flood(&named);

        // The port is open again for whoever the re-INVITE names, and is followed to where it really is.
        playing.redirect(Some(Remote::new(next.local_addr().unwrap())), None);
        packet(&next);
        send(&real, at, 1);
        packet(&real);
        packet(&real);
        flood(&real);
        packet(&real);
    }
}

#[test]
fn a_port_is_open_for_five_seconds_and_keeps_little_meanwhile() {
    let (pacer, port) = (
        Pacer::start().unwrap(),
        pool(Ipv4Addr::LOCALHOST.into(), 1).lease().unwrap(),
    );
    let at = port.address();
    let (named, stranger) = (phone(at.ip()), phone([127, 0, 0, 9].into()));
    let (playing, _finished) = play(&pacer, port, named.local_addr().unwrap());
    while playing.played() < Duration::from_millis(5100) {
        send(&stranger, at, 20);
        assert!(receive_queue(at).0 <= LITTLE, "{:?}", receive_queue(at));
        packet(&named);
    }
    send(&stranger, at, PACKETS);
    assert!(receive_queue(at).0 <= LEAST, "{:?}", receive_queue(at));
}

#[test]
fn a_port_that_calls_share_keeps_next_to_nothing() {
    let (pacer, pool) = (Pacer::start().unwrap(), pool(Ipv4Addr::LOCALHOST.into(), 2));
    let named = phone(Ipv4Addr::LOCALHOST.into());
    let ports = [pool.lease().unwrap(), pool.lease().unwrap()];
    let at = ports[0].address();
    let _streams = ports.map(|port| play(&pacer, port, named.local_addr().unwrap()));
    send(&named, at, PACKETS);
    send(&named, rtcp(at), PACKETS);
    let kept = [receive_queue(at).0, receive_queue(rtcp(at)).0];
    assert!(kept.iter().all(|&bytes| bytes <= LEAST), "{kept:?}");
    packet(&named);
}

/// Who takes a receiver has room for what comes: the test phone, and whoever records.
#[tokio::test]
async fn a_port_with_a_receiver_has_room_for_seconds_of_sound() {
    let port = pool(Ipv4Addr::LOCALHOST.into(), 1).lease().unwrap();
    let receiver = port.rtp_receiver().unwrap();
    send(&phone(Ipv4Addr::LOCALHOST.into()), port.address(), 100);
    receiver.readable().await.unwrap();
    let heard = std::iter::from_fn(|| receiver.try_recv(&mut [0; 2048]).ok()).count();
    assert_eq!(heard, 100);
}
