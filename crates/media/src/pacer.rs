//! The pacer: one thread that sends every stream's frame when it is due.
//!
//! Time is a wheel of 20 slots of 1 ms; a stream lives in one slot and sends one frame each turn, so the streams are spread
//! over the 20 ms and one waking serves all that are due. Streams that share a port share a slot and leave in one
//! `sendmmsg`. A handle ([`Playing`]) speaks to its stream through a lock of its own, read each turn: nothing is queued, so no
//! wish is lost and none waits behind another.
//!
//! What the pacer does not do: receive (but for a first look at where the listener is), decide, or retry. A packet the
//! socket refuses is a lost packet.

mod batch;
mod learning;
mod remote;
mod stream;
mod wheel;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use batch::Batch;
pub use learning::Permits;
pub use remote::Remote;
use stream::{Active, Turn};
pub use stream::{Finished, PlayEnd, Playing, Stream};
use wheel::Wheel;

/// New streams that wait for the thread to take them; it does so within a millisecond or two.
const INBOX: usize = 4096;

/// How far the wheel may fall behind and still catch up: a stream then sends up to six frames in a row, which most
/// receivers have room for. Beyond it the time is skipped, for all streams, instead of sent as a flood.
const MAX_BEHIND: Duration = Duration::from_millis(100);

/// Sends the frames of all streams. Dropping it ends them, each with its RTCP BYE.
#[derive(Debug)]
pub struct Pacer {
    inbox: Option<SyncSender<Active>>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
}

/// Why a stream was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacerError {
    #[error("too many calls begin to play at the same moment")]
    Busy,
    #[error("the pacer has stopped")]
    Stopped,
}

/// What the pacer did since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacerStats {
    /// Streams playing or held now.
    pub streams: u64,
    pub packets: u64,
    /// Packets the socket refused.
    pub refused: u64,
    /// The latest a turn of the wheel ever came.
    pub worst_lateness: Duration,
    /// Time given up because the thread was kept from running.
    pub skipped: Duration,
}

#[derive(Debug, Default)]
struct Counters {
    streams: AtomicU64,
    packets: AtomicU64,
    refused: AtomicU64,
    worst_lateness_us: AtomicU64,
    skipped_ms: AtomicU64,
}

impl Pacer {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (inbox, incoming) = sync_channel(INBOX);
        let counters = Arc::<Counters>::default();
        let run = Run {
            incoming,
            wheel: Wheel::new(Instant::now()),
            batch: Batch::default(),
            counters: Arc::clone(&counters),
        };
        let thread = std::thread::Builder::new()
            .name("rtp-pacer".to_owned())
            .spawn(move || run.run())?;
        Ok(Self {
            inbox: Some(inbox),
            counters,
            thread: Some(thread),
        })
    }

    /// Begins to play, within 20 ms. The handle steers the stream and stops it when dropped; the future says when it ended.
    pub fn play(&self, stream: Stream) -> Result<(Playing, Finished), PacerError> {
        let (active, playing, finished) = Active::new(stream);
        let inbox = self.inbox.as_ref().ok_or(PacerError::Stopped)?;
        inbox.try_send(active).map_err(|error| match error {
            TrySendError::Full(_) => PacerError::Busy,
            TrySendError::Disconnected(_) => PacerError::Stopped,
        })?;
        Ok((playing, finished))
    }

    pub fn stats(&self) -> PacerStats {
        let counters = &self.counters;
        PacerStats {
            streams: counters.streams.load(Ordering::Relaxed),
            packets: counters.packets.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
            worst_lateness: Duration::from_micros(counters.worst_lateness_us.load(Ordering::Relaxed)),
            skipped: Duration::from_millis(counters.skipped_ms.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Run {
    incoming: Receiver<Active>,
    wheel: Wheel,
    batch: Batch,
    counters: Arc<Counters>,
}

impl Run {
    fn run(mut self) {
        loop {
            self.catch_up(Instant::now());
            let arrived = match self.wheel.next_due() {
                Some(due) => self
                    .incoming
                    .recv_timeout(due.saturating_duration_since(Instant::now())),
                None => self.incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match arrived {
                Ok(active) => {
                    self.wheel.insert(active, Instant::now());
                    self.counters.streams.fetch_add(1, Ordering::Relaxed);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.wheel.drain().for_each(|active| active.end(PlayEnd::Stopped));
                    return;
                }
            }
        }
    }

    /// Runs every slot that is due.
    fn catch_up(&mut self, now: Instant) {
        let skipped = self.wheel.skip_beyond(now, MAX_BEHIND);
        if skipped > 0 {
            tracing::warn!(skipped_ms = skipped, "the RTP pacer was kept from running");
            self.counters.skipped_ms.fetch_add(skipped, Ordering::Relaxed);
        }
        while let Some((due, slot)) = self.wheel.take_due(now) {
            let lateness = now.saturating_duration_since(due).as_micros();
            self.counters
                .worst_lateness_us
                .fetch_max(u64::try_from(lateness).unwrap_or(u64::MAX), Ordering::Relaxed);
            turn(slot, &mut self.batch, &self.counters);
            let sent = self.batch.flush();
            self.counters.packets.fetch_add(sent.packets, Ordering::Relaxed);
            self.counters.refused.fetch_add(sent.refused, Ordering::Relaxed);
        }
    }
}

/// Lets each stream of a slot send its frame, and removes those that ended.
fn turn(slot: &mut Vec<Active>, batch: &mut Batch, counters: &Counters) {
    let mut at = 0;
    while let Some(active) = slot.get_mut(at) {
        match active.turn(batch) {
            Turn::GoesOn => at += 1,
            Turn::Ends(end) => {
                // What was just gathered must leave before the BYE and before the port closes.
                let sent = batch.flush();
                counters.packets.fetch_add(sent.packets, Ordering::Relaxed);
                counters.refused.fetch_add(sent.refused, Ordering::Relaxed);
                counters.streams.fetch_sub(1, Ordering::Relaxed);
                slot.swap_remove(at).end(end);
            }
        }
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
