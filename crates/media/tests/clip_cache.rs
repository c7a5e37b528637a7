//! The cache encodes once, shares, and stays within its bounds.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use media::{ClipCache, ClipError, Codec, Limits};

const FILE: &[u8] = include_bytes!("sounds/alaw-8000.wav");

#[derive(Default)]
struct Store {
    reads: AtomicU32,
}

impl Store {
    /// Polled only when the clip is not in the cache.
    fn read(self: &Arc<Self>) -> impl Future<Output = Result<&'static [u8], Infallible>> + Send + 'static {
        let store = Arc::clone(self);
        std::future::poll_fn(move |_| {
            store.reads.fetch_add(1, Ordering::SeqCst);
            std::task::Poll::Ready(Ok(FILE))
        })
    }

    fn reads(&self) -> u32 {
        self.reads.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_ask_at_once_encode_once_a_codec() {
    let (cache, store) = (
        Arc::new(ClipCache::new(1 << 20, Limits::default())),
        Arc::new(Store::default()),
    );
    let asking: Vec<_> = (0..20)
        .map(|number| {
            let (cache, store) = (Arc::clone(&cache), Arc::clone(&store));
            let codec = if number % 2 == 0 { Codec::Pcmu } else { Codec::G722 };
            tokio::spawn(async move { cache.clip("message", codec, store.read()).await.unwrap() })
        })
        .collect();
    let mut clips = Vec::new();
    for clip in asking {
        clips.push(clip.await.unwrap());
    }
    assert_eq!(store.reads(), 2);
    assert!(clips.iter().all(|clip| clip.frame_count() == clips[0].frame_count()));
    assert_eq!(cache.byte_count(), clips[0].byte_count() + clips[1].byte_count());
}

#[tokio::test]
async fn the_clip_used_longest_ago_goes_first() {
    let store = Arc::new(Store::default());
    let size = media::Clip::encode(FILE, Codec::Pcmu, &Limits::default())
        .unwrap()
        .byte_count();
    let cache = ClipCache::new(2 * size, Limits::default());
    for message in ["a", "b", "a", "c"] {
        cache.clip(message, Codec::Pcmu, store.read()).await.unwrap();
        assert!(cache.byte_count() <= 2 * size);
    }
    assert_eq!(store.reads(), 3, "a was kept while b was made");
    cache.clip("a", Codec::Pcmu, store.read()).await.unwrap();
    assert_eq!(store.reads(), 3, "c took the place of b");
    cache.clip("b", Codec::Pcmu, store.read()).await.unwrap();
    assert_eq!(store.reads(), 4);
}

#[tokio::test]
async fn a_clip_larger_than_the_cache_is_made_and_not_kept() {
    let (cache, store) = (ClipCache::new(10, Limits::default()), Arc::new(Store::default()));
    assert!(cache.clip("a", Codec::Pcma, store.read()).await.is_ok());
    assert_eq!(cache.byte_count(), 0);
}

#[tokio::test]
async fn a_failure_is_told_and_not_kept() {
    let (cache, store) = (ClipCache::new(1 << 20, Limits::default()), Arc::new(Store::default()));
    let broken = cache
        .clip("a", Codec::Pcmu, async { Ok::<_, Infallible>(b"no sound".to_vec()) })
        .await;
    assert!(matches!(
        broken,
        Err(ClipError::Sound(media::SoundError::UnknownFormat))
    ));
    let missing = cache.clip("a", Codec::Pcmu, async { Err::<Vec<u8>, _>("gone") }).await;
    assert!(matches!(missing, Err(ClipError::Load("gone"))));
    assert!(cache.clip("a", Codec::Pcmu, store.read()).await.is_ok());
}

#[tokio::test]
async fn a_forgotten_message_is_read_again() {
    let (cache, store) = (ClipCache::new(1 << 20, Limits::default()), Arc::new(Store::default()));
    cache.clip("a", Codec::Pcmu, store.read()).await.unwrap();
    cache.forget("a");
    assert_eq!(cache.byte_count(), 0);
    cache.clip("a", Codec::Pcmu, store.read()).await.unwrap();
    assert_eq!(store.reads(), 2);
}

#[tokio::test]
async fn who_goes_away_makes_no_room_for_one_more_encoding() {
    let at_once = std::thread::available_parallelism().unwrap().get();
    let (cache, store) = (ClipCache::new(1 << 20, Limits::default()), Arc::new(Store::default()));
    // Seven minutes of A-law that have to be resampled.
    let header =
        b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x06\0\x01\0\x80\xbb\0\0\x80\xbb\0\0\x01\0\x08\0data\xff\xff\xff\xff";
    let long: Arc<[u8]> = [header.as_slice(), &vec![0x55; 20 << 20]].concat().into();
    for number in 0..3 * at_once {
        let load = async {
            store.read().await.unwrap();
            Ok::<_, Infallible>(Arc::clone(&long))
        };
        let message = number.to_string();
        let encoding = cache.clip(&message, Codec::Pcmu, load);
        let waited = tokio::time::timeout(Duration::from_millis(5), encoding).await;
        assert!(waited.is_err(), "it has to take long: {waited:?}");
    }
    assert_eq!(store.reads() as usize, at_once);
}
