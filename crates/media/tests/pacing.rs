//! Streams on real sockets: every frame, in order, at its time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by failing"
)]

use std::time::{Duration, Instant};

use media::rtcp::RtcpPacket;
use media::rtp::{RtpHeader, RtpPacket};
use media::{Clip, Codec, FRAME_BYTES, Pacer, PlayEnd, PortPool, PortPoolOptions, Remote, RtpPort, Stream};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// The far side: its sockets and what they receive.
struct Phone {
    port: RtpPort,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

struct Arrival {
    at: Instant,
    header: RtpHeader,
    payload: Vec<u8>,
}

impl Phone {
    fn new(pool: &PortPool) -> Self {
        let port = pool.lease().unwrap();
        let (rtp, rtcp) = (port.rtp_receiver().unwrap(), port.rtcp_receiver().unwrap());
        Self { port, rtp, rtcp }
    }

    fn remote(&self) -> Remote {
        Remote::new(self.port.address())
    }

    async fn packet(&self) -> Arrival {
        let mut bytes = [0; 2048];
        let length = timeout(PATIENCE, self.rtp.recv(&mut bytes))
            .await
            .expect("a packet")
            .unwrap();
        let packet = RtpPacket::parse(&bytes[..length]).unwrap();
        Arrival {
            at: Instant::now(),
            header: packet.header,
            payload: packet.payload.to_vec(),
        }
    }

    async fn packets(&self, count: usize) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for _ in 0..count {
            arrivals.push(self.packet().await);
        }
        arrivals
    }

    async fn control(&self) -> Vec<RtcpPacket> {
        let mut bytes = [0; 2048];
        let length = timeout(PATIENCE, self.rtcp.recv(&mut bytes))
            .await
            .expect("a report")
            .unwrap();
        media::rtcp::parse(&bytes[..length]).collect()
    }

    /// Nothing is waiting: everything sent before an awaited end is here already, on loopback.
    fn hears_nothing_more(&self) -> bool {
        self.rtp.try_recv(&mut [0; 2048]).is_err()
    }
}

/// A clip of `frames` frames; each frame's bytes tell its number.
fn clip(frames: usize) -> Clip {
    let samples: Vec<i16> = (0..frames)
        .flat_map(|number| [(number % 500) as i16 * 64; FRAME_BYTES])
        .collect();
    Clip::from_samples(&samples, Codec::Pcmu)
}

fn stream(clip: &Clip, port: RtpPort, remote: Remote) -> Stream {
    Stream {
        clip: clip.clone(),
        port,
        remote: Some(remote),
        learn: None,
        held: false,
        protection: None,
        payload_type: 0,
        ssrc: 0xfeed,
        sequence_number: 65_530,
        timestamp: u32::MAX - 500,
    }
}

fn pool(calls_per_port: usize) -> PortPool {
    PortPool::new(PortPoolOptions {
        calls_per_port,
        ..PortPoolOptions::default()
    })
}

#[tokio::test]
async fn a_clip_arrives_whole_in_order_and_at_its_pace() {
    let (pacer, pool, clip) = (Pacer::start().unwrap(), pool(1), clip(50));
    let phone = Phone::new(&pool);
    let (playing, finished) = pacer
        .play(stream(&clip, pool.lease().unwrap(), phone.remote()))
        .unwrap();
    let arrivals = phone.packets(50).await;

    // Where the thread was kept from running for long, RTP time shows it, behind a marker.
    let mut skipped = 0;
    for (number, arrival) in arrivals.iter().enumerate() {
        let due = (u32::MAX - 500).wrapping_add(number as u32 * 160 + skipped);
        let more = arrival.header.timestamp.wrapping_sub(due);
        skipped += more;
        let header = RtpHeader {
            marker: number == 0 || more > 0,
            payload_type: 0,
            sequence_number: 65_530_u16.wrapping_add(number as u16),
            timestamp: due.wrapping_add(more),
            ssrc: 0xfeed,
        };
        assert_eq!(arrival.header, header);
        assert_eq!(Some(&arrival.payload[..]), clip.frame(number));
    }
    assert!(u128::from(skipped / 8) <= pacer.stats().skipped.as_millis());
    let span = arrivals[49].at - arrivals[0].at;
    assert!(
        (Duration::from_millis(900)..Duration::from_millis(2000)).contains(&span),
        "{span:?} for 980 ms"
    );
    let near =
        |pair: &[Arrival]| (pair[1].at - pair[0].at).abs_diff(Duration::from_millis(20)) < Duration::from_millis(10);
    let regular = arrivals.windows(2).filter(|pair| near(pair)).count();
    assert!(regular >= 25, "only {regular} of 49 intervals are near 20 ms");

    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
    assert_eq!(playing.played(), Duration::from_secs(1));
    let control = phone.control().await;
    assert!(
        matches!(control[..], [RtcpPacket::SenderReport(report), _, RtcpPacket::Bye { ssrc: 0xfeed }]
            if report.packet_count == 50 && report.octet_count == 8000 && report.ssrc == 0xfeed),
        "{control:?}"
    );
    assert_eq!(pool.in_use(), 1, "only the phone's port is left");
}

#[tokio::test]
async fn a_held_stream_is_silent_and_goes_on_where_it_was() {
    let (pacer, pool, clip) = (Pacer::start().unwrap(), pool(1), clip(30));
    let phone = Phone::new(&pool);
    let (playing, finished) = pacer
        .play(stream(&clip, pool.lease().unwrap(), phone.remote()))
        .unwrap();
    // Another stream is the clock by which we know that the held one had its turns.
    let clock = Phone::new(&pool);
    let (_clock_playing, _clock_finished) = pacer
        .play(stream(&self::clip(500), pool.lease().unwrap(), clock.remote()))
        .unwrap();

    phone.packets(10).await;
    playing.hold();
    clock.packets(20).await;
    let mut last = None;
    while let Ok(Ok(length)) = timeout(Duration::ZERO, phone.rtp.recv(&mut [0; 2048])).await {
        last = Some(length);
    }
    clock.packets(20).await;
    assert!(phone.hears_nothing_more(), "silent while held; {last:?}");
    let played = playing.played();
    playing.resume();
    let after = phone.packet().await;
    assert!(after.header.marker, "the first packet after silence");
    let number = (played.as_millis() / 20) as usize;
    assert_eq!(Some(&after.payload[..]), clip.frame(number));
    assert_eq!(
        after.header.sequence_number,
        65_530_u16.wrapping_add(number as u16),
        "no number is left out"
    );
    let silent = after.header.timestamp.wrapping_sub(u32::MAX - 500) / 160 - number as u32;
    assert!(silent >= 15, "RTP time ran on: {silent} frames");
    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
}

#[tokio::test]
async fn a_redirected_stream_goes_on_at_the_new_address_in_the_new_codec() {
    let (pacer, pool) = (Pacer::start().unwrap(), pool(1));
    let (first, second) = (Phone::new(&pool), Phone::new(&pool));
    let samples: Vec<i16> = (0..40).flat_map(|number| [number * 64; FRAME_BYTES]).collect();
    let (before, after) = (
        Clip::from_samples(&samples, Codec::Pcmu),
        Clip::from_samples(&samples, Codec::Pcma),
    );
    let (playing, finished) = pacer
        .play(stream(&before, pool.lease().unwrap(), first.remote()))
        .unwrap();
    first.packets(10).await;
    playing.redirect(Some(second.remote()), None);
    playing.switch(after.clone(), 8);
    loop {
        let arrival = second.packet().await;
        let number = usize::from(arrival.header.sequence_number.wrapping_sub(65_530));
        if arrival.header.payload_type == 8 {
            assert_eq!(
                Some(&arrival.payload[..]),
                after.frame(number),
                "the same moment of the message"
            );
            break;
        }
        assert_eq!(
            Some(&arrival.payload[..]),
            before.frame(number),
            "between the two wishes"
        );
    }
    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
}

#[tokio::test]
async fn stop_and_drop_end_a_stream_and_say_bye() {
    let (pacer, pool, clip) = (Pacer::start().unwrap(), pool(1), clip(1000));
    for stop in [|playing: media::Playing| playing.stop(), drop::<media::Playing>] {
        let phone = Phone::new(&pool);
        let (playing, finished) = pacer
            .play(stream(&clip, pool.lease().unwrap(), phone.remote()))
            .unwrap();
        phone.packets(3).await;
        stop(playing);
        assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Stopped));
        assert!(matches!(phone.control().await[..], [.., RtcpPacket::Bye { .. }]));
    }
    assert_eq!((pool.in_use(), pacer.stats().streams), (0, 0));
}

#[tokio::test]
async fn closing_the_pacer_ends_every_stream() {
    let (pacer, pool, clip) = (Pacer::start().unwrap(), pool(1), clip(1000));
    let phone = Phone::new(&pool);
    let (_playing, finished) = pacer
        .play(stream(&clip, pool.lease().unwrap(), phone.remote()))
        .unwrap();
    phone.packet().await;
    tokio::task::spawn_blocking(move || drop(pacer)).await.unwrap();
    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Stopped));
}

/// Many streams, each with its own port and then several on one.
#[tokio::test]
async fn every_stream_of_many_is_complete() {
    for calls_per_port in [1, 8] {
        let (pacer, near, far, clip) = (Pacer::start().unwrap(), pool(calls_per_port), pool(1), clip(25));
        let phones: Vec<Phone> = (0..64).map(|_| Phone::new(&far)).collect();
        let mut playing = Vec::new();
        for phone in &phones {
            playing.push(
                pacer
                    .play(stream(&clip, near.lease().unwrap(), phone.remote()))
                    .unwrap(),
            );
        }
        assert_eq!(near.in_use(), 64 / calls_per_port);
        for phone in &phones {
            for (number, arrival) in phone.packets(25).await.iter().enumerate() {
                assert_eq!(arrival.header.sequence_number, 65_530_u16.wrapping_add(number as u16));
                assert_eq!(Some(&arrival.payload[..]), clip.frame(number));
            }
        }
        for (_, finished) in playing {
            assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
        }
        assert_eq!(
            (pacer.stats().packets, pacer.stats().refused, near.in_use()),
            (64 * 25, 0, 0)
        );
    }
}
