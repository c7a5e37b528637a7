//! From an EWS client to a ringing phone and back: a real door, real SIP and a real phone, on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod documented_requests;
mod play_command;
mod stage;
