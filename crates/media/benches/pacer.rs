//! What a playing call costs: the pacer against a tokio task and timer for each stream.
//!
//! Loopback, 1,000 streams for five seconds, nobody reads. Run with `cargo bench -p media --bench pacer`. The result is recorded
//! in `docs/decisions/`.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod cpu;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use cpu::cpu;
use media::{Clip, Codec, Pacer, PortPool, PortPoolOptions, Remote, Stream};
use tokio::time::MissedTickBehavior;

const STREAMS: usize = 1000;
const SECONDS: usize = 5;
const PACKETS: usize = STREAMS * SECONDS * 50;

fn main() {
    let clip = Clip::from_samples(&vec![1000; SECONDS * 8000], Codec::Pcmu);
    for calls_per_port in [1, 8] {
        pacer(&clip, calls_per_port);
    }
    task_a_stream(&clip);
}

fn pacer(clip: &Clip, calls_per_port: usize) {
    let pool = |calls_per_port| {
        PortPool::new(PortPoolOptions {
            calls_per_port,
            ..PortPoolOptions::default()
        })
    };
    let (near, far) = (pool(calls_per_port), pool(64));
    let phones: Vec<_> = (0..STREAMS).map(|_| far.lease().unwrap()).collect();
    let pacer = Pacer::start().unwrap();
    let before = cpu();
    let began = Instant::now();
    let streams: Vec<_> = phones
        .iter()
        .zip(0..)
        .map(|(phone, ssrc)| {
            let stream = Stream {
                clip: clip.clone(),
                port: near.lease().unwrap(),
                remote: Some(Remote::new(phone.address())),
                learn: None,
                held: false,
                protection: None,
                payload_type: 0,
                ssrc,
                sequence_number: 0,
                timestamp: 0,
            };
            pacer.play(stream).unwrap()
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (_playing, finished) in streams {
        runtime.block_on(finished);
    }
    report(
        &format!("pacer, {calls_per_port} calls a port"),
        cpu() - before,
        began.elapsed(),
    );
    let stats = pacer.stats();
    println!(
        "{:24} {} packets, {} refused, worst lateness {:?}, skipped {:?}",
        "", stats.packets, stats.refused, stats.worst_lateness, stats.skipped
    );
}

fn task_a_stream(clip: &Clip) {
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let remote = far.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let before = cpu();
    let began = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..STREAMS)
            .map(|_| {
                let clip = clip.clone();
                tokio::spawn(async move {
                    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    let mut interval = tokio::time::interval(Duration::from_millis(20));
                    interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
                    let mut packet = [0x80; 172];
                    for at in 0..clip.frame_count() {
                        interval.tick().await;
                        packet[12..].copy_from_slice(clip.frame(at).unwrap());
                        let _ = socket.send_to(&packet, remote).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    report("a task and timer each", cpu() - before, began.elapsed());
}

fn report(name: &str, cpu: Duration, took: Duration) {
    let packet = cpu.as_secs_f64() * 1e6 / PACKETS as f64;
    let core = cpu.as_secs_f64() / took.as_secs_f64() * 100.0;
    println!(
        "{name:24} {packet:5.2} us a packet, {core:3.0} % of a core, {:.2} s",
        took.as_secs_f64()
    );
}
