//! The thread: what is due is done, then it waits for what comes first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use slab::Slab;

use super::Counters;
use super::batch::Batch;
use super::playing::PlayEnd;
use super::readiness::{Readiness, Wakeups};
use super::resting::Resting;
use super::stream::{Active, Next};
use super::wheel::Wheel;

/// How far the wheel may fall behind and still catch up: a stream then sends up to six frames in a row, which most
/// receivers have room for. Beyond it the time is skipped, for all streams, instead of sent as a flood.
const MAX_BEHIND: Duration = Duration::from_millis(100);

/// Streams that rest and are looked after between two looks at the wheel: sound goes first.
const AT_ONCE: usize = 32;

/// What the thread owns.
pub(super) struct Run {
    incoming: Receiver<Box<Active>>,
    wakeups: Arc<Wakeups>,
    readiness: Readiness,
    /// Keys of streams whose ports have something to read.
    ready: Vec<usize>,
    /// All streams; each one's key is either on the wheel or with those that rest.
    streams: Slab<Box<Active>>,
    wheel: Wheel,
    resting: Resting,
    batch: Batch,
    counters: Arc<Counters>,
}

impl Run {
    pub(super) fn new(
        incoming: Receiver<Box<Active>>,
        readiness: Readiness,
        wakeups: Arc<Wakeups>,
        counters: Arc<Counters>,
    ) -> Self {
        let now = Instant::now();
        Self {
            incoming,
            wakeups,
            readiness,
            ready: Vec::new(),
            streams: Slab::new(),
            wheel: Wheel::new(now),
            resting: Resting::new(now),
            batch: Batch::default(),
            counters,
        }
    }

    pub(super) fn run(mut self, witness: impl Fn()) {
        loop {
            let now = Instant::now();
            self.catch_up(now);
            for _ in 0..AT_ONCE {
                let Some(key) = self.resting.take_due(now) else { break };
                self.look_after(key, now);
            }
            self.wait();
            let now = Instant::now();
            for key in self.wakeups.take() {
                // Not if it was looked after meanwhile, or the key is another's now.
                if self.resting.remove(key) {
                    self.look_after(key, now);
                }
            }
            loop {
                match self.incoming.try_recv() {
                    Ok(active) => {
                        witness();
                        self.begin(active, now);
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return self.end_all(),
                }
            }
        }
    }

    /// Waits for the next turn, for a stream's port, or for somebody who wishes something.
    fn wait(&mut self) {
        let due = [self.wheel.next_due(), self.resting.next_due()];
        self.readiness.wait(due.into_iter().flatten().min(), &mut self.ready);
        let now = Instant::now();
        for key in self.ready.drain(..) {
            // If the key is another's since, that one looks once for nothing.
            if let Some(active) = self.streams.get_mut(key) {
                active.is_ready(&self.readiness);
                self.resting.hasten(key, now);
            }
        }
    }

    fn begin(&mut self, active: Box<Active>, now: Instant) {
        let slot = active.preferred_slot();
        let key = self.streams.insert(active);
        self.wheel.insert(key, slot, now);
        self.counters.streams.fetch_add(1, Ordering::Relaxed);
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
            self.counters.turns.fetch_add(slot.len() as u64, Ordering::Relaxed);
            let (streams, readiness, batch) = (&mut self.streams, &self.readiness, &mut self.batch);
            slot.retain(|&key| {
                let Some(active) = streams.get_mut(key) else {
                    return false;
                };
                match active.turn(key, due, readiness, batch) {
                    Next::Sounds => true,
                    Next::Rests(until) => {
                        self.resting.insert(key, until);
                        false
                    }
                    Next::Ends(end) => {
                        // What was just gathered must leave before the BYE and before the port closes.
                        self.counters.sent(batch.flush());
                        self.counters.streams.fetch_sub(1, Ordering::Relaxed);
                        streams.remove(key).end(end, readiness);
                        false
                    }
                }
            });
            self.counters.sent(self.batch.flush());
        }
    }

    /// What a stream that rested has to do now, but for sound: that begins on the wheel.
    fn look_after(&mut self, key: usize, now: Instant) {
        let Some(active) = self.streams.get_mut(key) else {
            return;
        };
        self.counters.turns.fetch_add(1, Ordering::Relaxed);
        match active.rest(key, now, &self.readiness) {
            Next::Sounds => self.wheel.insert(key, active.preferred_slot(), now),
            Next::Rests(until) => self.resting.insert(key, until),
            Next::Ends(end) => {
                self.counters.streams.fetch_sub(1, Ordering::Relaxed);
                self.streams.remove(key).end(end, &self.readiness);
            }
        }
    }

    fn end_all(mut self) {
        for active in self.streams.drain() {
            active.end(PlayEnd::Stopped, &self.readiness);
        }
    }
}
