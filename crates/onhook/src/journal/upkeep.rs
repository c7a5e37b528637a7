//! What is done beside the writer instead of in its way: checkpoints, sweeping in quiet times, and making the ballast
//! again when there is room.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::mpsc::WeakSender;
use tracing::{info, warn};

use super::ballast::Ballast;
use super::checkpoint::checkpoint;
use super::queue::Command;
use super::status::Status;
use crate::panics::Vital;

/// How often each thing is done.
#[derive(Clone, Copy, Debug)]
struct Intervals {
    /// Between two checkpoints, at least.
    pause: Duration,
    /// Between two looks at the clock and at the disk, at most.
    look: Duration,
    sweep: Duration,
    /// After the ballast could not be made although there seemed to be room.
    ballast_again: Duration,
}

const INTERVALS: Intervals = Intervals {
    pause: Duration::from_millis(50),
    look: Duration::from_secs(1),
    sweep: Duration::from_secs(60),
    ballast_again: Duration::from_secs(60),
};

/// The upkeep thread. It ends when this is dropped.
pub(super) struct Upkeep {
    log_is_long: SyncSender<()>,
    /// Only ever dropped: it cuts the thread's pause short.
    alive: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Says that the log is to be moved.
    pub(super) fn wake(&self) {
        // Full means that it is awake already.
        let _ = self.log_is_long.try_send(());
    }

    /// Ends the thread and waits until it has gone: two checkpoints at a time do not work.
    pub(super) fn stop(self) {
        drop((self.log_is_long, self.alive));
        // It does not end by a panic.
        let _ = self.thread.join();
    }
}

pub(super) fn start(
    connection: Connection,
    queue: WeakSender<Command>,
    ballast: Ballast,
    status: Status,
) -> io::Result<Upkeep> {
    start_with(INTERVALS, connection, queue, ballast, status)
}

fn start_with(
    intervals: Intervals,
    connection: Connection,
    queue: WeakSender<Command>,
    ballast: Ballast,
    status: Status,
) -> io::Result<Upkeep> {
    let (log_is_long, move_log) = mpsc::sync_channel::<()>(1);
    let (alive, is_alive) = mpsc::sync_channel::<()>(0);
    let mut next_sweep = Instant::now() + intervals.sweep;
    let mut next_look = Instant::now();
    let thread = thread::Builder::new().name("upkeep".to_owned()).spawn(move || {
        let _held = Vital("the journal's upkeep");
        loop {
            match move_log.recv_timeout(intervals.look) {
                Ok(()) => checkpoint(&connection, &status),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if next_sweep <= now {
                next_sweep = now + intervals.sweep;
                sweep(&queue);
            }
            if next_look <= now {
                let wait = if make_ballast_again(&ballast, &status) {
                    intervals.look
                } else {
                    intervals.ballast_again
                };
                next_look = now + wait;
            }
            if is_alive.recv_timeout(intervals.pause) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    })?;
    Ok(Upkeep {
        log_is_long,
        alive,
        thread,
    })
}

/// Asks the writer to remove some old records; a queue that is full sweeps at the end of every call anyway.
fn sweep(queue: &WeakSender<Command>) {
    if let Some(queue) = queue.upgrade() {
        let _ = queue.try_send(Command::Sweep);
    }
}

/// Makes the ballast again when there is room, and lets new calls in. False when that went wrong.
fn make_ballast_again(ballast: &Ballast, status: &Status) -> bool {
    if status.has_failed() || ballast.is_kept() || !ballast.has_room() {
        return true;
    }
    if let Err(error) = ballast.keep() {
        warn!(%error, file = %ballast.path().display(), "the ballast cannot be made, though there is room for it");
        return false;
    }
    if status.disk_has_room() {
        info!(file = %ballast.path().display(), "there is room on the disk again: the ballast is back, and new calls are taken");
    } else {
        info!(file = %ballast.path().display(), "the ballast is there now");
    }
    true
}

#[cfg(test)]
impl Upkeep {
    /// One that does nothing, and who sees when it is woken.
    pub(super) fn watched() -> (Self, mpsc::Receiver<()>) {
        let (log_is_long, woken) = mpsc::sync_channel(1);
        let (alive, _) = mpsc::sync_channel(0);
        let thread = thread::spawn(|| ());
        let upkeep = Self {
            log_is_long,
            alive,
            thread,
        };
        (upkeep, woken)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WriteError;
    use super::*;
    use crate::store::{Store, connect};

    const FAST: Intervals = Intervals {
        pause: Duration::from_millis(1),
        look: Duration::from_millis(1),
        sweep: Duration::from_millis(5),
        ballast_again: Duration::from_millis(1),
    };

    #[test]
    fn quiet_times_are_swept_and_a_lost_ballast_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let _store = Store::open(&path).unwrap();
        let (queue, mut commands) = tokio::sync::mpsc::channel(1);
        let (ballast, status) = (Ballast::beside(&path, 4096), Status::default());
        status.disk_is_full();
        let upkeep = start_with(
            FAST,
            connect(&path).unwrap(),
            queue.downgrade(),
            ballast.clone(),
            status.clone(),
        )
        .unwrap();

        for _ in 0..2 {
            assert!(matches!(commands.blocking_recv().unwrap(), Command::Sweep));
        }
        // The first look comes before the second sweep.
        assert!(ballast.is_kept());
        assert_eq!(status.refusal(), None);
        drop(queue);
        assert!(commands.blocking_recv().is_none(), "it does not keep the journal open");
        upkeep.stop();
    }

    #[test]
    fn nothing_lets_calls_in_again_after_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (ballast, status) = (
            Ballast::beside(&folder.path().join("onhook.db"), 4096),
            Status::default(),
        );
        status.fail();
        assert!(make_ballast_again(&ballast, &status));
        assert_eq!(status.refusal(), Some(WriteError::Failed));
    }
}
