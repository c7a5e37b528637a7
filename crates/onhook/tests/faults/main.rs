//! The built server when something goes wrong beneath it, and when it is told to stop: full disks, failing ones, stores
//! that cannot be used, signals. Each behaviour is described in docs/durability.md.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod failing_disk;
mod full_disk;
mod shutdown;
mod stage;
mod starting;
