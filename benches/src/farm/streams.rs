//! The sound that phones are sent: how evenly it comes.
//!
//! A stream is known by its SSRC. What counts is the pause between two of its packets, which is 20 ms when the server paces well
//! (RFC 3551 §4.2), and packets that are missing by their sequence number.

use std::{
    collections::HashMap,
    io,
    net::UdpSocket,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use super::receiver::Receiver;
use crate::lab::pass;

/// Streams are shared out to so many sockets: each holds what comes while the farm does something else.
const SOCKETS: usize = 64;
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
/// Packets are read this often; the kernel has noted when they came.
const TICK: Duration = Duration::from_millis(4);
/// The same before any phone has asked for sound: nothing is to be heard, and what is measured is not to be disturbed.
const IDLE: Duration = Duration::from_millis(200);
/// Pauses are counted in bins of this width.
const BIN: Duration = Duration::from_micros(100);
/// Longer pauses are counted as this long.
const LONGEST: Duration = Duration::from_millis(500);

#[derive(Clone, Copy)]
struct Stream {
    sequence: u16,
    at: SystemTime,
}

/// What has come since it was asked for last.
pub(crate) struct Pacing {
    /// Pauses, by bin.
    bins: Vec<u64>,
    streams: HashMap<u32, Stream>,
    pub(crate) packets: u64,
    pub(crate) missing: u64,
}

impl Pacing {
    fn new() -> Self {
        Self {
            bins: vec![0; (LONGEST.as_micros() / BIN.as_micros()) as usize + 1],
            streams: HashMap::new(),
            packets: 0,
            missing: 0,
        }
    }

    fn packet(&mut self, ssrc: u32, sequence: u16, at: SystemTime) {
        self.packets += 1;
        let now = Stream { sequence, at };
        let Some(before) = self.streams.insert(ssrc, now) else {
            return;
        };
        let step = sequence.wrapping_sub(before.sequence);
        // What overtakes another packet, or comes twice, is a pause like any other.
        if (2..1000).contains(&step) {
            self.missing += u64::from(step - 1);
        }
        let pause = at.duration_since(before.at).unwrap_or_default().min(LONGEST);
        self.bins[(pause.as_micros() / BIN.as_micros()) as usize] += 1;
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The pause that so large a part of all pauses does not exceed, in milliseconds; none without pauses.
    pub(crate) fn pause(&self, part: f64) -> Option<f64> {
        let all: u64 = self.bins.iter().sum();
        let wanted = (all as f64 * part).ceil() as u64;
        let mut counted = 0;
        let bin = self.bins.iter().position(|count| {
            counted += count;
            counted >= wanted
        })?;
        (all > 0).then(|| (bin + 1) as f64 * BIN.as_secs_f64() * 1e3)
    }
}

/// The phones' ends of streams.
pub(crate) struct Streams {
    ports: Vec<u16>,
    pacing: Arc<Mutex<Pacing>>,
    /// Whether a phone has asked for sound.
    is_asked_for: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Streams {
    pub(super) fn listen() -> io::Result<Self> {
        let pairs: Vec<(UdpSocket, UdpSocket)> = (0..SOCKETS).map(|_| pair()).collect::<io::Result<_>>()?;
        let ports = pairs.iter().map(|(sound, _)| Ok(sound.local_addr()?.port()));
        let ports = ports.collect::<io::Result<_>>()?;
        let pacing = Arc::new(Mutex::new(Pacing::new()));
        let [is_asked_for, is_over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let thread = thread::Builder::new().name("streams".to_owned()).spawn({
            let (pacing, is_asked_for, is_over) =
                (Arc::clone(&pacing), Arc::clone(&is_asked_for), Arc::clone(&is_over));
            move || {
                let mut receiver = Receiver::new();
                while !is_over.load(Relaxed) {
                    if is_asked_for.load(Relaxed) {
                        read(&pairs, &mut receiver, &pacing);
                        pass(TICK);
                    } else {
                        pass(IDLE);
                    }
                }
            }
        })?;
        Ok(Self {
            ports,
            pacing,
            is_asked_for,
            is_over,
            thread: Some(thread),
        })
    }

    pub(super) fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Becomes true when a phone asks for sound.
    pub(super) fn is_asked_for(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_asked_for)
    }

    /// What has come since this was asked last; a pause that is under way is not in it.
    pub(crate) fn take(&self) -> Pacing {
        std::mem::replace(&mut lock(&self.pacing), Pacing::new())
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(pacing: &Mutex<Pacing>) -> MutexGuard<'_, Pacing> {
    pacing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An even port for sound and the odd one after it for RTCP (RFC 3550 §11), which is not read: without it the server would hear that
/// nobody is there.
fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    loop {
        let sound = Receiver::bind(0, RECEIVE_BUFFER)?;
        let port = sound.local_addr()?.port();
        if port % 2 == 0
            && let Ok(control) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            return Ok((sound, control));
        }
    }
}

/// All that has come.
fn read(pairs: &[(UdpSocket, UdpSocket)], receiver: &mut Receiver, pacing: &Mutex<Pacing>) {
    for (sound, _) in pairs {
        // Until nothing is left there.
        while let Ok(1..) = receiver.receive(sound, false, |received| {
            // RFC 3550 §5.1.
            if let [_, _, s0, s1, _, _, _, _, a, b, c, d, ..] = received.bytes {
                let (ssrc, sequence) = ([*a, *b, *c, *d], [*s0, *s1]);
                lock(pacing).packet(u32::from_be_bytes(ssrc), u16::from_be_bytes(sequence), received.at);
            }
        }) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    #[test]
    fn pauses_are_those_of_each_stream() {
        let mut pacing = Pacing::new();
        for nth in 0..100_u16 {
            // Two streams, one right behind the other: no pause of 1 ms.
            for ssrc in [1, 2] {
                pacing.packet(ssrc, nth, at(u64::from(nth) * 20 + u64::from(ssrc)));
            }
        }
        assert_eq!((pacing.streams(), pacing.packets, pacing.missing), (2, 200, 0));
        assert_eq!(pacing.pause(0.99).map(f64::round), Some(20.0));
        pacing.packet(1, 103, at(99 * 20 + 1 + 300));
        assert_eq!(pacing.missing, 3);
        assert_eq!(pacing.pause(0.99).map(f64::round), Some(20.0));
        assert_eq!(pacing.pause(1.0).map(f64::round), Some(300.0));
    }
}
