//! An ear at a socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Ear, EarStats, Heard};

/// An [`Ear`] at a socket, in a task of its own until [`finish`](Self::finish) or drop.
pub struct Hearing {
    ear: Arc<Mutex<Option<Ear>>>,
    sound: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Hearing {
    /// Begins to listen. `from`, if given, is the only address listened to. Needs a tokio runtime.
    pub fn start(socket: UdpSocket, from: Option<SocketAddr>, ear: Ear) -> Self {
        let ear = Arc::new(Mutex::new(Some(ear)));
        let sound = Arc::new(Notify::new());
        let (shared, heard) = (Arc::clone(&ear), Arc::clone(&sound));
        let task = tokio::spawn(async move {
            let mut bytes = [0; 2048];
            let mut is_silent = true;
            loop {
                // An error here is an ICMP answer to something we sent: none of the listener's business.
                let Ok((length, source)) = socket.recv_from(&mut bytes).await else {
                    continue;
                };
                if from.is_some_and(|from| from != source) {
                    continue;
                }
                let mut ear = lock(&shared);
                let Some(ear) = ear.as_mut() else { return };
                ear.handle_packet(&bytes[..length]);
                if is_silent && ear.stats().packets > 0 {
                    is_silent = false;
                    heard.notify_one();
                }
            }
        });
        Self { ear, sound, task }
    }

    /// Changes what is listened for, as a re-INVITE demands.
    pub fn change(&self, change: impl FnOnce(&mut Ear)) {
        lock(&self.ear).as_mut().map(change);
    }

    /// Until the first sound is heard. Once it was waited for, a second wait does not end.
    pub async fn first_sound(&self) {
        self.sound.notified().await;
    }

    /// Counts up to now.
    pub fn stats(&self) -> EarStats {
        lock(&self.ear).as_ref().map(Ear::stats).unwrap_or_default()
    }

    /// How long the sound is that was heard up to now.
    pub fn duration(&self) -> Duration {
        lock(&self.ear)
            .as_ref()
            .map(|ear| ear.heard().duration())
            .unwrap_or_default()
    }

    /// Stops listening.
    pub fn finish(self) -> Heard {
        lock(&self.ear).take().map(Ear::finish).unwrap_or_default()
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
