//! Moves what is in the write-ahead log into the database file, beside the writer instead of in its way.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tracing::warn;

/// The pause between two checkpoints.
const PAUSE: Duration = Duration::from_millis(50);

/// The checkpoint thread. It ends when this is dropped.
pub(super) struct Checkpoints {
    written: SyncSender<()>,
    /// Only ever dropped: it cuts the thread's pause short.
    alive: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Says that something was written.
    pub(super) fn wake(&self) {
        // Full means that it is awake already.
        let _ = self.written.try_send(());
    }

    /// Ends the thread and waits until it has gone: two checkpoints at a time do not work.
    pub(super) fn stop(self) {
        drop((self.written, self.alive));
        if self.thread.join().is_err() {
            warn!("the checkpoint thread panicked");
        }
    }
}

pub(super) fn start(connection: Connection) -> io::Result<Checkpoints> {
    let (written, has_written) = mpsc::sync_channel::<()>(1);
    let (alive, is_alive) = mpsc::sync_channel::<()>(0);
    let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(move || {
        while has_written.recv().is_ok() {
            // PASSIVE never waits for readers or the writer, so a busy moment only means less done this time.
            if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
                warn!(%error, "checkpoint failed");
            }
            if is_alive.recv_timeout(PAUSE) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    })?;
    Ok(Checkpoints { written, alive, thread })
}
