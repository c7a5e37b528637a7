//! One telephone call's life, without I/O.

mod branch;
pub mod digest;
mod message;

pub use branch::BranchKey;
pub use message::{
    ALLOW, APPLICATION_SDP, Branch, CSeq, CallIdHeader, Challenge, Method, Outgoing, Reply, Request, Response, Tag, Tx,
};
mod dialog;
mod moment;
mod timer;
pub mod uri;

pub use dialog::{Dialog, Local};
pub use moment::Moment;
pub use timer::Timer;
