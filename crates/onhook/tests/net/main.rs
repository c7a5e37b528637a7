//! The sockets of the house, against real ones on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod names;
mod rig;
mod streams;
mod tls;
mod udp;
