//! The challenges of any server, as header lines. Our credentials stay one header line, and the password is not in it.
#![no_main]

use sip::digest::{Credentials, Subject, answer};
use sip::{Challenge, Method};

libfuzzer_sys::fuzz_target!(|headers: &str| {
    let challenges: Vec<_> = headers
        .split("\r\n")
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some(Challenge {
                proxy: name == "Proxy-Authenticate",
                value: value.into(),
            })
        })
        .collect();
    let credentials = Credentials {
        username: "onhook".into(),
        password: "a password nobody else has".into(),
    };
    let subject = Subject {
        method: &Method::Invite,
        uri: "sip:1001@127.0.0.1",
        body: b"",
        cnonce: "0a4f113b",
    };
    for header in answer(&challenges, &credentials, subject).unwrap_or_default() {
        assert!(!header.value.contains(['\r', '\n']), "{}", header.value);
        assert!(!header.value.contains(&credentials.password), "{}", header.value);
    }
});
