//! One telephone call's life as a state machine without I/O.
//!
//! This room reads no clock, makes no random numbers and knows no socket and no XML (promise 1). What
//! happened is handed in, what is to be done is polled out; see [`Call`] for the order. [`Record`] is what must survive
//! a crash, and the same [`Dialog`] in it prints every request inside the call (promise 2).

mod call;
mod dialog;
mod record;
mod timer;

pub use call::{Call, Limits, MediaCommand, Output, Placement, Save, Silence, Surroundings};
pub use dialog::{Dialog, Local};
pub use record::{End, EndCause, ForkRecord, Phase, RECORD_VERSION, Record, Wish};
pub use timer::Timer;
