//! Promise 6 from outside: millions of dial strings against the policy, and `onhook dial explain` as an operator runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cases;
mod dial_strings;
mod explain;
mod generated;
mod objections;
mod open_sites;
mod oracle;
mod readings;
mod spellings;
mod vectors;
