//! The pacer: one thread that sends every stream's frame when it is due.
//!
//! Time is a wheel of 20 slots of 1 ms; a stream lives in one slot and sends one frame each turn, so the streams are spread
//! over the 20 ms and one waking serves all that are due. Streams that share a port share a slot and leave in one
//! `sendmmsg`. A stream with nothing to send, on hold or without a listener, rests beside the wheel: it is looked after for
//! its RTCP, when its port has something to read, and when somebody wishes something. A handle ([`Playing`]) speaks to its stream
//! through a lock of its own, read each turn: nothing is queued, so no wish is lost and none waits behind another.
//!
//! What the pacer does not do: receive (but for a first look at where the listener is), decide, or retry. A packet the
//! socket refuses is a lost packet. Who is to hear a call, for keys or a recording, has its place beside `learning`: woken by
//! `readiness`, with a filter on the port that lets through what it hears.

mod batch;
mod learning;
mod playing;
mod readiness;
mod remote;
mod resting;
mod run;
mod stream;
mod wheel;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use batch::Sent;
pub use learning::Permits;
pub use playing::{Finished, PlayEnd, Playing};
use readiness::{Readiness, Wakeups};
pub use remote::Remote;
use run::Run;
use stream::Active;
pub use stream::Stream;

/// New streams that wait for the thread to take them; it does so within a millisecond or two.
const INBOX: usize = 4096;

/// Sends the frames of all streams. Dropping it ends them, each with its RTCP BYE.
#[derive(Debug)]
pub struct Pacer {
    inbox: Option<SyncSender<Box<Active>>>,
    wakeups: Arc<Wakeups>,
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
    /// Turns that streams had: 50 a second with sound, next to none on hold.
    pub turns: u64,
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
    turns: AtomicU64,
    packets: AtomicU64,
    refused: AtomicU64,
    worst_lateness_us: AtomicU64,
    skipped_ms: AtomicU64,
}

impl Counters {
    fn sent(&self, sent: Sent) {
        self.packets.fetch_add(sent.packets, Ordering::Relaxed);
        self.refused.fetch_add(sent.refused, Ordering::Relaxed);
    }
}

impl Pacer {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        Self::start_watched(|| {})
    }

    /// The same, with a witness: the thread calls it for each stream that it takes, and drops it at its own end, also when
    /// that is a panic.
    pub fn start_watched(witness: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (inbox, incoming) = sync_channel(INBOX);
        let (readiness, wakeups) = Readiness::new()?;
        let (wakeups, counters) = (Arc::new(wakeups), Arc::<Counters>::default());
        let run = Run::new(incoming, readiness, Arc::clone(&wakeups), Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("rtp-pacer".to_owned())
            .spawn(move || run.run(witness))?;
        Ok(Self {
            inbox: Some(inbox),
            wakeups,
            counters,
            thread: Some(thread),
        })
    }

    /// Begins to play, within 20 ms. The handle steers the stream and stops it when dropped; the future says when it ended.
    pub fn play(&self, stream: Stream) -> Result<(Playing, Finished), PacerError> {
        let (active, playing, finished) = Active::new(stream, Arc::clone(&self.wakeups), Instant::now());
        let inbox = self.inbox.as_ref().ok_or(PacerError::Stopped)?;
        inbox.try_send(Box::new(active)).map_err(|error| match error {
            TrySendError::Full(_) => PacerError::Busy,
            TrySendError::Disconnected(_) => PacerError::Stopped,
        })?;
        self.wakeups.wake();
        Ok((playing, finished))
    }

    pub fn stats(&self) -> PacerStats {
        let counters = &self.counters;
        PacerStats {
            streams: counters.streams.load(Ordering::Relaxed),
            turns: counters.turns.load(Ordering::Relaxed),
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
        self.wakeups.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
