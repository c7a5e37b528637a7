//! What a packet costs to send: one socket a call against several calls on a socket with `sendmmsg`.
//!
//! Loopback, one sending thread, 172-byte RTP packets, nobody reads (the kernel drops what overflows). Bounded: every
//! row sends [`PACKETS`] packets. Run with `cargo bench -p media --bench rtp_send`. The result is recorded in
//! `docs/decisions/`.

#![allow(clippy::expect_used, reason = "a benchmark may fail")]

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

const PACKETS: usize = 200_000;
const STREAMS: usize = 512;
const HEADER: [u8; 12] = [0x80; 12];
const FRAME: [u8; 160] = [0xff; 160];

fn main() {
    let far: Vec<UdpSocket> = (0..STREAMS).map(|_| bind()).collect();
    let near: Vec<UdpSocket> = (0..STREAMS).map(|_| bind()).collect();
    let remotes: Vec<SocketAddr> = far.iter().map(|socket| socket.local_addr().expect("bound")).collect();

    let base = row("a socket a call, send_to", || send_to_each(&near, &remotes));
    row_against(base, "one socket, send_to", || send_to_each(&near[..1], &remotes));
    for batch in [2, 4, 8, 16, 64] {
        row_against(base, &format!("a socket for {batch} calls, sendmmsg"), || {
            send_batches(&near, &remotes, batch)
        });
    }
    for (socket, remote) in near.iter().zip(&remotes) {
        socket.connect(remote).expect("loopback connects");
    }
    row_against(base, "a socket a call, connected, send", || send_connected(&near));
}

fn bind() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback binds");
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

fn row(name: &str, send: impl FnMut()) -> f64 {
    row_against(f64::NAN, name, send)
}

fn row_against(base: f64, name: &str, mut send: impl FnMut()) -> f64 {
    let best = (0..5)
        .map(|_| {
            let before = cpu();
            send();
            (cpu() - before) as f64 / 1e3 / PACKETS as f64
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:42} {best:6.2} us a packet   ratio {:5.2}", base / best);
    best
}

/// CPU time of this thread, in nanoseconds: other people's load does not count.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .expect("a number")
}

fn packet() -> [u8; 172] {
    let mut packet = [0; 172];
    packet[..12].copy_from_slice(&HEADER);
    packet[12..].copy_from_slice(&FRAME);
    packet
}

fn send_to_each(sockets: &[UdpSocket], remotes: &[SocketAddr]) {
    for i in 0..PACKETS {
        let _ = sockets[i % sockets.len()].send_to(&packet(), remotes[i % remotes.len()]);
    }
}

fn send_connected(sockets: &[UdpSocket]) {
    for i in 0..PACKETS {
        let _ = sockets[i % sockets.len()].send(&packet());
    }
}

fn send_batches(sockets: &[UdpSocket], remotes: &[SocketAddr], batch: usize) {
    let addresses: Vec<Option<SockaddrStorage>> = remotes.iter().map(|&remote| Some(remote.into())).collect();
    let slices: Vec<[IoSlice<'_>; 2]> = (0..batch)
        .map(|_| [IoSlice::new(&HEADER), IoSlice::new(&FRAME)])
        .collect();
    let mut headers = MultiHeaders::preallocate(batch, None);
    for i in 0..PACKETS / batch {
        let first = (i * batch) % STREAMS;
        let socket = &sockets[i % (STREAMS / batch)];
        let to = &addresses[first..first + batch];
        let _ = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            to,
            [],
            MsgFlags::MSG_DONTWAIT,
        );
    }
}
