//! A peer's session description, as an offer and as an answer. Our answer has a stream for each one offered, and nothing
//! the peer wrote can add a line to it.
#![no_main]

use call::sdp::{Codec, LocalMedia, accept, answer};

fn streams(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("m=")).count()
}

libfuzzer_sys::fuzz_target!(|description: &[u8]| {
    let local = LocalMedia {
        address: ([127, 0, 0, 1], 16384).into(),
        session_id: 1,
        version: 1,
        codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
        protection: None,
    };
    let _ = accept(&local, description);
    if let Ok((text, agreed)) = answer(&local, description, Some(Codec::Pcmu)) {
        assert!(local.codecs.contains(&agreed.codec));
        let offered = String::from_utf8_lossy(description);
        assert!(streams(&text) <= streams(&offered.replace('\r', "\n")), "{text}");
    }
});
