//! A dial string of a user at one of several sites, which one the first byte says. What gets through is an address at the
//! listed host, or digits, and nothing that the second matcher of `make dial-strings` would not have let through.
#![no_main]

use std::sync::LazyLock;

#[path = "../../crates/onhook/tests/dial/cases.rs"]
#[allow(dead_code, reason = "the tests want more of it")]
mod cases;
#[path = "../../crates/onhook/tests/dial/oracle.rs"]
mod oracle;
#[path = "../../crates/onhook/tests/dial/readings.rs"]
#[allow(dead_code, reason = "the tests want more of it")]
mod readings;
#[path = "../../crates/onhook/tests/dial/vectors.rs"]
#[allow(dead_code, reason = "the tests want more of it")]
mod vectors;

use cases::{Case, cases};

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| cases(&vectors::read(&vectors::folder())));

libfuzzer_sys::fuzz_target!(|given: &str| {
    let Some(which) = given.get(..1) else { return };
    let (case, dial_string) = (&CASES[usize::from(which.as_bytes()[0]) % CASES.len()], &given[1..]);
    let decision = case.policy.decide(&case.dialler, dial_string);
    // Whatever it is, it can be told.
    let _ = (decision.in_full().to_string(), decision.masked().to_string());
    let Some(number) = decision.number() else { return };
    if let Some(objection) = case.opinion.objection(dial_string, number.as_str()) {
        panic!("{}: {objection:?}\n{}", case.name, decision.in_full());
    }
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
});
