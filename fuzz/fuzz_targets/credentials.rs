//! HTTP Basic: any header, and any user and password (a line each, the rest is the password), which decode to what was encoded. However
//! a user is spelled, wrong passwords count as one user's.
#![no_main]

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use onhook::auth::fuzzed::{Basic, basic};

fn encoded(user: &[u8], password: &[u8]) -> [String; 2] {
    let text = [user, b":", password].concat();
    [BASE64_STANDARD.encode(&text), BASE64_STANDARD_NO_PAD.encode(&text)]
}

/// UTF-8, or else ISO 8859-1.
fn read(text: &[u8]) -> String {
    let latin_1 = || text.iter().map(|byte| char::from(*byte)).collect();
    str::from_utf8(text).map_or_else(|_| latin_1(), str::to_owned)
}

fn check(decoded: &Basic, user: &str) {
    assert!(decoded.names.len() <= 2 && decoded.counted.as_ref() == decoded.names.last());
    for name in &decoded.names {
        assert!(
            !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace() || ":\\/".contains(c))
        );
        assert!(user.to_lowercase().contains(name.as_str()), "{name:?} of {user:?}");
    }
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(header) = str::from_utf8(input)
        && let Some(decoded) = basic(header)
    {
        let bytes = BASE64_STANDARD_NO_PAD
            .decode(header.trim().trim_end_matches('='))
            .expect("it was decoded");
        let text = read(&bytes);
        let (user, password) = text.split_once(':').expect("it was decoded");
        assert_eq!(decoded.password, password);
        check(&decoded, user);
    }

    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (user, password) = (&input[..line], input.get(line + 1..).unwrap_or_default());
    if user.contains(&b':') || input.len() > 1_500 {
        return;
    }
    let text = read(&[user, b":", password].concat());
    let (user, password) = text.split_once(':').expect("there is a colon");
    for header in encoded(&input[..line], input.get(line + 1..).unwrap_or_default()) {
        let decoded = basic(&header).expect("it is short, and has a colon");
        assert_eq!(decoded.password, password);
        check(&decoded, user);
    }
    // Whoever puts another domain around the name before each guess guesses as one and the same.
    let counted = |user: &str| {
        basic(&encoded(user.as_bytes(), b"guess")[0])
            .expect("it has a colon")
            .counted
    };
    if user.len() <= 1_000
        && !user.contains(['\\', '@'])
        && let Some(name) = counted(user)
    {
        for spelled in [
            format!("CORP\\{user}"),
            format!("{user}@a.example"),
            format!("B\\{user}@b.example"),
        ] {
            assert_eq!(counted(&spelled).as_ref(), Some(&name), "{spelled:?}");
        }
    }
});
