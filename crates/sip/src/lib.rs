//! SIP as a language: what messages say, without I/O.
//!
//! This room reads no clock, makes no random numbers and knows no socket (promise 1). Names are those of the RFCs.

mod branch;
mod destination;
pub mod digest;
mod message;
mod method;
mod moment;
mod received;
pub mod sdp;
mod session_headers;
mod transaction;
mod transport;
pub mod uri;

pub use branch::BranchKey;
pub use destination::{Destination, NoDestination};
pub use message::{
    ALLOW, APPLICATION_SDP, Branch, CSeq, CallIdHeader, Challenge, Method, Outgoing, Reply, Request, Response, Tag, Tx,
};
pub use moment::Moment;
pub use received::{Message, Start, Unreadable};
pub use session_headers::{OPTION_TAG, Refresher, SHORTEST_INTERVAL, SessionExpires, SessionHeaders};
pub use transaction::{Bounds, ForClient, ForServer, Load, ServerId, Timers, TransactionEvent, Transactions, Transmit};
pub use transport::{Path, Transport, UnknownTransport};
