//! The built server when something goes wrong around it, and when it is told to stop: full disks, failing ones, stores
//! that cannot be used, signals (docs/durability.md), and clients that only take up room (docs/security.md).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends")]

mod failing_disk;
mod full_disk;
mod idle_sockets;
mod panics;
mod shutdown;
mod stage;
mod stalled_disk;
mod starting;
mod strace;
mod users;
