//! The hang-up as a model that a checker goes through whole.
//!
//! `docs/model.md` says what is in it and what is left out. [`World`] is one call with everything around it; a [`Step`] is what may happen
//! next; its properties, in `promises`, are the promises of `ARCHITECTURE.md` that it can express, each beside something that must be possible, or the
//! promise would be kept by a world in which nothing happens. [`Fault`]s are put in on purpose.
//!
//! Nothing that ships depends on this room.

mod budget;
mod due;
mod event;
mod far_end;
mod fault;
mod machine;
mod message;
mod process;
mod promises;
mod record;
mod state;
mod steps;

pub use budget::Budget;
pub use event::{Input, Output, Save};
pub use fault::Fault;
pub use machine::Machine;
pub use record::{Phase, Phone, Record};
pub use state::{State, World};
pub use steps::{Action, Step};
