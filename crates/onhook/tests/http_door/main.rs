//! The door on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod answers;
mod connections;
mod limits;
mod smuggling;
mod stage;
