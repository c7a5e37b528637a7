//! The SIP room against scripted peers on real sockets.
//!
//! A peer here is a socket and some text. Nothing waits for time to pass: where something must *not* happen, a later
//! message that must arrive serves as the fence behind which it would have been seen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod answers;
mod opening;
mod order;
mod requests;
mod strangers;
mod streams;
mod support;
mod tls;
mod trunks;
