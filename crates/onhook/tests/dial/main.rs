//! Promise 6 from outside: millions of dial strings against the policy, and `onhook dial explain` as an operator runs it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod explain;
mod generated;
mod oracle;

const GERMANY: &str = include_str!("sites/germany.toml");
const AMERICA: &str = include_str!("sites/america.toml");
const SLOPPY: &str = include_str!("sites/sloppy.toml");
