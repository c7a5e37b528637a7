//! Clips by message and codec: encoded once, kept while there is room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use crate::clip::Clip;
use crate::codec::Codec;
use crate::sound::{Limits, SoundError};

/// Why there is no clip. `E` is the caller's own error of fetching the file.
#[derive(Debug, thiserror::Error)]
pub enum ClipError<E> {
    #[error("the message could not be read")]
    Load(#[source] E),
    #[error(transparent)]
    Sound(SoundError),
    /// The runtime is shutting down, or the decoder panicked (a bug).
    #[error("encoding was interrupted")]
    Interrupted,
}

/// A bounded cache of encoded messages, shared by all calls.
///
/// The clip used longest ago goes first. A clip in use lives on outside the cache, as its bytes are shared.
#[derive(Debug)]
pub struct ClipCache {
    limits: Limits,
    max_bytes: usize,
    /// Encodings at a time; the others wait.
    encoders: Arc<Semaphore>,
    entries: Mutex<Entries>,
}

type Key = (String, Codec);

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Key, Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    clip: Arc<OnceCell<Clip>>,
    last_use: u64,
}

impl ClipCache {
    /// Keeps at most `max_bytes` of encoded sound (8,000 bytes a second and codec); files beyond `limits` are refused.
    pub fn new(max_bytes: usize, limits: Limits) -> Self {
        let encoders = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            limits,
            max_bytes,
            encoders: Arc::new(Semaphore::new(encoders)),
            entries: Mutex::default(),
        }
    }

    /// The clip of `message` in `codec`, from the cache or made now.
    ///
    /// `load` fetches the file, and is polled only if it is needed; the encoding runs where blocking is allowed. Whoever
    /// asks for the same clip meanwhile waits for this one encoding; if it fails, the next of them tries. Needs a tokio
    /// runtime. Dropping the future is safe at any point.
    pub async fn clip<B, E>(
        &self,
        message: &str,
        codec: Codec,
        load: impl Future<Output = Result<B, E>>,
    ) -> Result<Clip, ClipError<E>>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let key = (message.to_owned(), codec);
        let cell = self.cell(&key);
        let result = cell.get_or_try_init(|| self.encode(codec, load)).await.cloned();
        self.keep_within_bounds();
        result
    }

    /// Forgets a message, for when it is removed or replaced.
    pub fn forget(&self, message: &str) {
        self.entries().by_key.retain(|(kept, _), _| kept != message);
    }

    /// Bytes of encoded sound kept now.
    pub fn byte_count(&self) -> usize {
        self.entries()
            .by_key
            .values()
            .filter_map(|entry| entry.clip.get())
            .map(Clip::byte_count)
            .sum()
    }

    async fn encode<B, E>(&self, codec: Codec, load: impl Future<Output = Result<B, E>>) -> Result<Clip, ClipError<E>>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        // Before the file is fetched: those who wait hold none.
        let turn = Arc::clone(&self.encoders).acquire_owned().await;
        let turn = turn.map_err(|_| ClipError::Interrupted)?;
        let bytes = load.await.map_err(ClipError::Load)?;
        let limits = self.limits;
        // The turn travels along: who goes away does not make room for one more encoding.
        let encoding = tokio::task::spawn_blocking(move || {
            let clip = Clip::encode(bytes.as_ref(), codec, &limits);
            drop(turn);
            clip
        });
        encoding
            .await
            .map_err(|_| ClipError::Interrupted)?
            .map_err(ClipError::Sound)
    }

    fn cell(&self, key: &Key) -> Arc<OnceCell<Clip>> {
        let mut entries = self.entries();
        entries.uses += 1;
        let last_use = entries.uses;
        let entry = entries.by_key.entry(key.clone()).or_insert_with(|| Entry {
            clip: Arc::default(),
            last_use,
        });
        entry.last_use = last_use;
        Arc::clone(&entry.clip)
    }

    /// Drops failed entries that nobody waits for, then the clips used longest ago until the rest fits.
    fn keep_within_bounds(&self) {
        let mut entries = self.entries();
        entries
            .by_key
            .retain(|_, entry| entry.clip.initialized() || Arc::strong_count(&entry.clip) > 1);
        let mut finished: Vec<(u64, Key, usize)> = entries
            .by_key
            .iter()
            .filter_map(|(key, entry)| Some((entry.last_use, key.clone(), entry.clip.get()?.byte_count())))
            .collect();
        let mut bytes: usize = finished.iter().map(|(_, _, bytes)| bytes).sum();
        if bytes <= self.max_bytes {
            return;
        }
        finished.sort_unstable_by_key(|(last_use, ..)| *last_use);
        for (_, key, size) in finished {
            if bytes <= self.max_bytes {
                break;
            }
            entries.by_key.remove(&key);
            bytes -= size;
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
