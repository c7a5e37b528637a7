//! A dial string against a policy that allows whatever can be allowed. What gets through is an address at the listed host, or
//! digits, and never a number that is dangerous wherever one is.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use onhook::config::Config;
use onhook::dial::{DialPolicy, Dialler};

static POLICY: LazyLock<DialPolicy> = LazyLock::new(|| {
    let text = include_str!("../../crates/onhook/tests/dial/sites/sloppy.toml");
    let config = Config::parse(text, Path::new("onhook.toml")).expect("it is right");
    DialPolicy::from_config(&config.dial)
});

libfuzzer_sys::fuzz_target!(|dial_string: &str| {
    let decision = POLICY.decide(&Dialler::default(), dial_string);
    // Whatever it is, it can be told.
    let _ = (decision.in_full().to_string(), decision.masked().to_string());
    let Some(number) = decision.number() else { return };
    assert!(dial_string.len() <= 64);

    let uri = number.request_uri("pbx.example.com");
    let (user, host) = uri
        .strip_prefix("sip:")
        .and_then(|rest| rest.split_once('@'))
        .expect("a SIP URI");
    assert!(!user.is_empty() && host.ends_with(".example.com"), "{uri}");
    assert!(
        user.bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_.+*%".contains(&c)),
        "{uri}"
    );
    let digits = user.trim_start_matches(['+', '0']);
    assert!(!["112", "911", "110"].contains(&digits), "{uri}");
    assert!(
        !uri.starts_with("sip:+881") && !uri.starts_with("sip:+870") && !uri.starts_with("sip:+979"),
        "{uri}"
    );
});
