//! A peer's session description, as an offer and as an answer. Our answer has a stream for each one offered, and nothing
//! the peer wrote can add a line to it.
#![no_main]

use sip::sdp::{Codec, LocalMedia, Protection, SrtpKey, accept, answer};

fn streams(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("m=")).count()
}

libfuzzer_sys::fuzz_target!(|description: &[u8]| {
    for required in [None, Some(false), Some(true)] {
        let local = LocalMedia {
            address: ([127, 0, 0, 1], 16384).into(),
            session_id: 1,
            version: 1,
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
            protection: required.map(|required| Protection {
                key: SrtpKey([1; 30]),
                required,
            }),
        };
        let taken = accept(&local, description);
        assert!(required != Some(true) || taken.is_err() || taken.is_ok_and(|agreed| agreed.srtp.is_some()));
        if let Ok((text, agreed)) = answer(&local, description, Some(Codec::Pcmu)) {
            assert!(local.codecs.contains(&agreed.codec));
            let has_key = text.lines().any(|line| line.starts_with("a=crypto:"));
            assert_eq!(has_key, agreed.srtp.is_some());
            let offered = String::from_utf8_lossy(description);
            assert!(streams(&text) <= streams(&offered.replace('\r', "\n")), "{text}");
        }
    }
});
