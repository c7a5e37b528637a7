//! One telephone call's life as a state machine without I/O.
//!
//! This room reads no clock, makes no random numbers and knows no socket, no XML and no SIP library (promise 1). What
//! happened is handed in, what is to be done is polled out; see [`Call`] for the order. [`Record`] is what must survive
//! a crash, and the same [`Dialog`] in it prints every request inside the call (promise 2).

mod branch;
mod call;
mod dialog;
pub mod digest;
mod message;
mod method;
mod moment;
mod record;
pub mod sdp;
mod session_headers;
mod timer;
pub mod uri;

pub use branch::BranchKey;
pub use call::{Call, Limits, MediaCommand, Output, Placement, Save, Silence, Surroundings};
pub use dialog::{Dialog, Local};
pub use message::{
    ALLOW, APPLICATION_SDP, Branch, CSeq, CallIdHeader, Challenge, Method, Outgoing, Reply, Request, Response, Tag, Tx,
};
pub use moment::Moment;
pub use record::{End, EndCause, ForkRecord, Phase, RECORD_VERSION, Record, Wish};
pub use session_headers::{Refresher, SHORTEST_INTERVAL, SessionExpires, SessionHeaders};
pub use timer::Timer;
