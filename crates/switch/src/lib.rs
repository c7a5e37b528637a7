//! All calls of one node, without I/O: from datagram to datagram.
//!
//! This room reads no clock, makes no random numbers and knows no socket, no file and no thread (promise 1). [`Switch`] is
//! handed what happened, turn by turn, and says what is to be done, in order: what is sent which way, what becomes durable, what is
//! answered. Whoever drives it only moves bytes; so what a simulation drives is what ships (promise 13).
//!
//! A [`Switch`] decides whose message something is (`messages`), which way a request takes (`ways`), what waits for one (`held`,
//! `window`), who we are to a peer (`own_address`), who is listened to (`admission`), whether a trunk is there (`trunk`, `registration`), what the journal gets and what waits for it (`act`), and how the
//! calls that a crash left are ended (`recovery`, `turns`). What a call does is the `call` crate's; what a message says and how it is
//! repeated, the `sip` crate's; who may call whom and how often, the `dial` crate's.
//!
//! Names, keys and the journal are given from outside: two switches can live in one world.

mod act;
mod admission;
mod held;
mod identity;
mod information;
pub mod journal;
mod live;
mod load;
mod messages;
mod out_of_call;
mod output;
mod own_address;
mod past;
mod place;
mod recovery;
mod registration;
mod schedule;
mod settings;
mod switch;
mod trunk;
mod turns;
mod ways;
mod window;

pub use dial::Reach;
pub use information::{Information, State};
pub use load::Load;
pub use messages::LONGEST_MESSAGE;
pub use output::{
    Answer, DisconnectRefusal, Event, Known, NotThere, Output, Patience, PlaceRefusal, Sound, TrunkSilence, cause,
};
pub use past::information_of;
pub use place::Order;
pub use settings::{Identity, Listener, Registration, Settings, Srtp, TrunkSettings};
pub use switch::Switch;
pub use ways::Found;
