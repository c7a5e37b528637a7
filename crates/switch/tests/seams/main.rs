//! The switch at its own seams: what goes into a turn, and exactly what comes out of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod admission;
mod answers;
mod clock;
mod connections;
mod ends;
mod events;
mod families;
mod laws;
mod names;
mod order;
mod path;
mod recovery;
mod registration;
mod rig;
mod trunks;
mod window;
