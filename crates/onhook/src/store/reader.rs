//! Reads for requests: on a thread of their own, with a bound on how many wait and on how long each does. A disk that takes
//! its time then holds up those who asked, and no worker of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Store, StoreError, connect};

/// Reads that may wait for the thread; a further one is refused.
const QUEUE: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A thread that reads the store. It ends with the last of its handles.
#[derive(Clone, Debug)]
pub struct Reader {
    queue: SyncSender<Read>,
    wait: Duration,
}

impl Reader {
    /// Starts one. `name` is the thread's; nobody waits for a read for longer than `wait`.
    ///
    /// # Errors
    /// When the store cannot be opened once more, or the system gives no thread.
    pub fn start(store: &Store, name: &str, wait: Duration) -> Result<Self, StoreError> {
        let connection = connect(store.path()).map_err(|error| error.at(store.path()))?;
        connection.pragma_update(None, "query_only", true)?;
        let (queue, reads) = sync_channel::<Read>(QUEUE);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                for read in reads {
                    // Whoever asked is told; the next one asks for something else.
                    let _ = catch_unwind(AssertUnwindSafe(|| read(&connection)));
                }
            })
            .map_err(StoreError::NoThread)?;
        Ok(Self { queue, wait })
    }

    /// What `read` finds. Dropping the future takes a read that has not begun out of the queue.
    ///
    /// # Errors
    /// Its own; or [`StoreError::NotInTime`], [`StoreError::TooManyReads`] and [`StoreError::NoAnswer`].
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, found) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if !answer.is_closed() {
                let _ = answer.send(read(connection));
            }
        });
        self.queue.try_send(read).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::TooManyReads,
            TrySendError::Disconnected(_) => StoreError::NoAnswer,
        })?;
        match timeout(self.wait, found).await {
            Ok(found) => found.unwrap_or(Err(StoreError::NoAnswer)),
            Err(_) => Err(StoreError::NotInTime),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn reader(wait: Duration) -> (tempfile::TempDir, Reader) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let reader = Reader::start(&store, "reader", wait).unwrap();
        (folder, reader)
    }

    const LONG: Duration = Duration::from_secs(60);

    /// Keeps the thread, from now on and until what is returned is dropped.
    fn occupy(reader: &Reader) -> mpsc::Sender<()> {
        let (begin, begun) = mpsc::channel::<()>();
        let (free, kept) = mpsc::channel::<()>();
        let read: Read = Box::new(move |_| {
            begin.send(()).unwrap();
            let _ = kept.recv();
        });
        reader.queue.try_send(read).unwrap();
        begun.recv().unwrap();
        free
    }

    #[tokio::test]
    async fn who_waits_is_told_in_time_and_the_runtime_goes_on() {
        let (_folder, reader) = reader(Duration::from_millis(20));
        let occupied = occupy(&reader);
        // The only thread of this runtime would hang here, were it the one that reads.
        let late = reader.read(|_| Ok(())).await;
        assert!(matches!(late, Err(StoreError::NotInTime)));
        drop(occupied);
        let slow = Reader { wait: LONG, ..reader };
        slow.read(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn no_more_wait_than_there_is_room_for() {
        let (_folder, reader) = reader(LONG);
        let occupied = occupy(&reader);
        while reader.queue.try_send(Box::new(|_| ())).is_ok() {}
        let refused = reader.read(|_| Ok(())).await;
        assert!(matches!(refused, Err(StoreError::TooManyReads)));
        drop(occupied);
    }

    #[tokio::test]
    async fn a_read_that_panics_fails_alone() {
        let (_folder, reader) = reader(LONG);
        let failed = reader.read(|_| -> Result<(), StoreError> { panic!("as a test") }).await;
        assert!(matches!(failed, Err(StoreError::NoAnswer)));
        reader.read(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn nothing_can_be_written() {
        let (_folder, reader) = reader(LONG);
        let refused = reader
            .read(|connection| Ok(connection.execute("DELETE FROM user", [])?))
            .await;
        assert!(matches!(refused, Err(StoreError::Sqlite(_))));
    }
}
