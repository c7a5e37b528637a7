//! A sound file somebody stores.
#![no_main]

use std::time::Duration;

use media::{Limits, Sound};

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_duration: Duration::from_secs(10),
        max_time: Duration::from_secs(10),
    };
    let _ = Sound::decode(file, 8000, &limits);
});
