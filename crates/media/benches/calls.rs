//! What 4,500 calls cost: on hold, and with sound.
//!
//! Loopback, real ports, phones that say nothing and do not read. Run with `cargo bench -p media --bench calls`, or with one
//! of `-- held` and `-- playing`. The result is recorded in `docs/decisions/`.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]

mod cpu;

use std::time::{Duration, Instant};

use cpu::cpu;
use media::{Clip, Codec, Finished, Pacer, Permits, Playing, PortPool, PortPoolOptions, Remote, RtpPort, Stream};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const CALLS: usize = 4500;
/// A listener may show itself for five seconds; then the ports are closed to what comes.
const BEGINNING: Duration = Duration::from_secs(6);
const HELD: Duration = Duration::from_secs(20);
const PLAYING: Duration = Duration::from_secs(10);

fn main() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let only: Vec<String> = std::env::args().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| only.len() == 1 || only.iter().any(|argument| argument == name);
    if wanted("held") {
        let calls = Calls::begin(true);
        calls.measure("held, the first 6 s", BEGINNING);
        calls.measure("held, after that", HELD - BEGINNING);
    }
    if wanted("playing") {
        let calls = Calls::begin(false);
        calls.measure("with sound, the first 6 s", BEGINNING);
        calls.measure("with sound, after that", PLAYING);
    }
}

struct Calls {
    pacer: Pacer,
    _streams: Vec<(Playing, Finished)>,
    _phones: Vec<RtpPort>,
}

impl Calls {
    /// As after so many answers, `a=inactive` or not.
    fn begin(held: bool) -> Self {
        let pool = |calls_per_port| {
            PortPool::new(PortPoolOptions {
                calls_per_port,
                ..PortPoolOptions::default()
            })
        };
        let (near, far) = (pool(1), pool(64));
        let clip = Clip::from_samples(&vec![1000; 60 * 8000], Codec::Pcmu);
        let pacer = Pacer::start().unwrap();
        let phones: Vec<_> = (0..CALLS).map(|_| far.lease().unwrap()).collect();
        let stream = |phone: &RtpPort, ssrc: u32| {
            let stream = Stream {
                clip: clip.clone(),
                port: near.lease().unwrap(),
                remote: Some(Remote::new(phone.address())),
                learn: Some(Permits::new(|_| true, |_| true)),
                held,
                protection: None,
                payload_type: 0,
                ssrc: ssrc.wrapping_mul(2_654_435_761),
                sequence_number: 0,
                timestamp: 0,
            };
            pacer.play(stream).unwrap()
        };
        let streams = phones
            .iter()
            .zip(0..)
            .map(|(phone, ssrc)| stream(phone, ssrc))
            .collect();
        Self {
            pacer,
            _streams: streams,
            _phones: phones,
        }
    }

    #[allow(clippy::disallowed_methods, reason = "what is measured is time that passes")]
    fn measure(&self, name: &str, time: Duration) {
        let (cpu_before, packets_before, began) = (cpu(), self.pacer.stats().packets, Instant::now());
        std::thread::sleep(time);
        let (cpu, packets) = (cpu() - cpu_before, self.pacer.stats().packets - packets_before);
        let core = cpu.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
        print!("{name:26} {core:6.2} % of a core");
        match packets {
            0 => println!(),
            packets => println!(", {:.2} us a packet", cpu.as_secs_f64() * 1e6 / packets as f64),
        }
    }
}
