//! Streams with nothing to send: on hold, or without a listener yet. They cost no turns, and miss nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by failing"
)]

mod packets;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use media::rtcp::{self, RtcpPacket};
use media::{Clip, Codec, Finished, Pacer, Permits, PlayEnd, Playing, PortPool, PortPoolOptions, Remote, Stream};
use packets::sound;

/// Its first report comes after 2.5 s.
const EARLY_REPORT: u32 = 5000;
/// Its first report comes after 7.5 s.
const LATE_REPORT: u32 = 4999;

/// A phone, and a stream on its way to it.
struct Call {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Where the stream comes from.
    at: SocketAddr,
    playing: Playing,
    finished: Finished,
}

impl Call {
    fn begin(pacer: &Pacer, ssrc: u32) -> Self {
        Self::begin_as(pacer, ssrc, true, false)
    }

    fn begin_as(pacer: &Pacer, ssrc: u32, with_remote: bool, held: bool) -> Self {
        let (rtp, rtcp) = (0..100).find_map(|_| neighbours()).expect("two ports side by side");
        let port = PortPool::new(PortPoolOptions::default()).lease().unwrap();
        let at = port.address();
        let stream = Stream {
            clip: Clip::from_samples(&[0; 8000 * 20], Codec::Pcmu),
            port,
            remote: with_remote.then(|| Remote::new(rtp.local_addr().unwrap())),
            learn: Some(Permits::new(|_| true, |_| true)),
            held,
            protection: None,
            payload_type: 0,
            ssrc,
            sequence_number: 0,
            timestamp: 0,
        };
        let (playing, finished) = pacer.play(stream).unwrap();
        Self {
            rtp,
            rtcp,
            at,
            playing,
            finished,
        }
    }

    fn packets(&self, count: usize) {
        (0..count).for_each(|_| self.packet());
    }

    fn packet(&self) {
        self.rtp.recv(&mut [0; 2048]).expect("sound");
    }

    /// How many have come that were not read.
    fn waiting(&self) -> usize {
        self.rtp.set_nonblocking(true).unwrap();
        let count = std::iter::from_fn(|| self.rtp.recv(&mut [0; 2048]).ok()).count();
        self.rtp.set_nonblocking(false).unwrap();
        count
    }
}

fn neighbours() -> Option<(UdpSocket, UdpSocket)> {
    let rtp = phone("127.0.0.1:0");
    let next = rtp.local_addr().unwrap().port().checked_add(1)?;
    let rtcp = UdpSocket::bind(("127.0.0.1", next)).ok()?;
    rtcp.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    Some((rtp, rtcp))
}

fn phone(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    socket
}

#[test]
fn streams_with_nothing_to_send_have_no_turns() {
    let pacer = Pacer::start().unwrap();
    let resting: Vec<_> = (0..50)
        .map(|number| Call::begin_as(&pacer, LATE_REPORT, number % 2 == 0, true))
        .collect();
    // A stream with sound is the clock.
    let clock = Call::begin(&pacer, LATE_REPORT);
    clock.packets(10);
    let before = pacer.stats().turns;
    clock.packets(50);
    let turns = pacer.stats().turns - before;
    assert!((49..=60).contains(&turns), "{turns} turns, 50 of them the clock's");
    assert!(resting.iter().all(|call| call.waiting() == 0), "they are silent");
}

#[test]
fn a_held_stream_reports_and_its_sound_comes_back_at_once() {
    let pacer = Pacer::start().unwrap();
    let (held, clock) = (Call::begin(&pacer, EARLY_REPORT), Call::begin(&pacer, LATE_REPORT));
    held.packets(5);
    held.playing.hold();
    clock.packets(10);
    held.waiting();
    let played = held.playing.played();

    let mut bytes = [0; 2048];
    let length = held.rtcp.recv(&mut bytes).expect("a report");
    assert!(
        matches!(rtcp::parse(&bytes[..length]).next(), Some(RtcpPacket::SenderReport(report))
            if report.packet_count == (played.as_millis() / 20) as u32 && report.rtp_timestamp > 8 * 2000)
    );
    assert_eq!((held.waiting(), held.playing.played()), (0, played));

    for _ in 0..3 {
        clock.waiting();
        held.playing.resume();
        held.packet();
        let (with_sound, resumed) = (clock.waiting(), 1 + held.waiting());
        assert!(
            with_sound <= resumed + 10,
            "{with_sound} packets, {resumed} of the one that was held"
        );
        held.playing.hold();
        clock.packets(3);
        held.waiting();
    }
    held.playing.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(held.finished), PlayEnd::Stopped);
}

/// Behind NAT, on hold from the beginning, and off hold when the five seconds are over.
#[test]
fn the_listener_of_a_held_stream_is_found() {
    let pacer = Pacer::start().unwrap();
    let (held, clock) = (
        Call::begin_as(&pacer, LATE_REPORT, true, true),
        Call::begin(&pacer, LATE_REPORT),
    );
    clock.packets(10);
    let real = phone("127.0.0.1:0");
    real.send_to(&sound(), held.at).unwrap();
    clock.packets(260);
    held.playing.resume();
    real.recv(&mut [0; 2048]).expect("sound");
    assert_eq!(held.waiting(), 0);
}

/// 100 packets for each one of the clock, from somebody who has no part in the call.
#[test]
fn a_flood_at_a_stream_that_rests_costs_a_look_in_20_ms() {
    let pacer = Pacer::start().unwrap();
    let (held, clock) = (
        Call::begin_as(&pacer, LATE_REPORT, true, true),
        Call::begin(&pacer, LATE_REPORT),
    );
    let stranger = phone("127.0.0.9:0");
    clock.packets(10);
    let before = pacer.stats().turns;
    for _ in 0..100 {
        for _ in 0..100 {
            stranger.send_to(&sound(), held.at).unwrap();
        }
        clock.packet();
    }
    let turns = pacer.stats().turns - before;
    assert!((100..=230).contains(&turns), "{turns} turns, half of them the clock's");
}
