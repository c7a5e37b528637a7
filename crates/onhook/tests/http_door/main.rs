//! The door on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod answers;
mod body_limits;
mod closing;
mod connections;
mod gone;
mod limits;
mod per_connection;
mod reuse;
mod smuggling;
mod stage;
