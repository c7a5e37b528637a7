//! Whatever the journal holds of a call, the call ends (promise 9). `make fuzz` looks further.

mod record;
#[path = "../rig/surroundings.rs"]
#[allow(dead_code, reason = "one function of it is used here")]
mod surroundings;

use proptest::prelude::*;

/// A record of every phase, as they were written.
const SEEDS: [&str; 10] = [
    include_str!("../../../../fuzz/seeds/journal_record/answered.json"),
    include_str!("../../../../fuzz/seeds/journal_record/calling.json"),
    include_str!("../../../../fuzz/seeds/journal_record/cancelling.json"),
    include_str!("../../../../fuzz/seeds/journal_record/cancelling-2.json"),
    include_str!("../../../../fuzz/seeds/journal_record/confirmed.json"),
    include_str!("../../../../fuzz/seeds/journal_record/early.json"),
    include_str!("../../../../fuzz/seeds/journal_record/ended.json"),
    include_str!("../../../../fuzz/seeds/journal_record/forked.json"),
    include_str!("../../../../fuzz/seeds/journal_record/placing.json"),
    include_str!("../../../../fuzz/seeds/journal_record/terminating.json"),
];

/// What spoils a record and leaves it one.
const PIECES: [&str; 16] = [
    "4294967295",
    "0",
    "-1",
    "null",
    "true",
    "[]",
    "\"\"",
    "\"Placing\"",
    "\"Confirmed\"",
    "\"Answered\"",
    "\"sip:\"",
    "\"<>\"",
    "\"\\r\\n\"",
    "\"\\u0000\"",
    "{\"Early\":null}",
    "\";tag=;tag=,<<\"",
];

/// Where a value begins and ends.
fn values(text: &str) -> Vec<(usize, usize)> {
    text.match_indices(':')
        .map(|(at, _)| at + 1)
        .filter(|at| !text[*at..].starts_with(['{', '[']))
        .filter_map(|from| {
            let rest = &text[from..];
            let length = match rest.strip_prefix('"') {
                Some(string) => string.find('"')? + 2,
                None => rest.find([',', '}'])?,
            };
            Some((from, from + length))
        })
        .collect()
}

#[test]
fn the_seeds_are_records() {
    for seed in SEEDS {
        assert!(serde_json::from_str::<call::Record>(seed).is_ok());
        record::hold(seed.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_ends_whatever_its_record_says(
        which in any::<prop::sample::Index>(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len()), 0..4),
    ) {
        let mut text = SEEDS[which.index(SEEDS.len())].to_owned();
        for (at, piece) in pieces {
            let values = values(&text);
            let (from, to) = values[at.index(values.len())];
            text.replace_range(from..to, PIECES[piece]);
        }
        record::hold(text.as_bytes());
    }

    #[test]
    fn spoilt_bytes_are_a_record_or_none(
        which in any::<prop::sample::Index>(),
        bytes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut text = SEEDS[which.index(SEEDS.len())].as_bytes().to_vec();
        for (at, byte) in bytes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        record::hold(&text);
    }
}
