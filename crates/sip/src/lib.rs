//! SIP as a language: what messages say, without I/O.
//!
//! This room reads no clock, makes no random numbers and knows no socket (promise 1). Names are those of the RFCs.

mod branch;
mod destination;
pub mod digest;
mod framing;
mod header_name;
mod message;
mod method;
mod moment;
mod name_addr;
mod received;
pub mod sdp;
mod session_headers;
mod status;
mod syntax;
mod transaction;
mod transport;
pub mod uri;
mod writer;

pub use branch::BranchKey;
pub use destination::{Destination, NoDestination};
pub use framing::{BrokenStream, Frame, Framing, StreamBounds};
pub use message::{
    ALLOW, APPLICATION_SDP, Branch, CSeq, CallIdHeader, Challenge, Method, Outgoing, Reply, Request, Response, Tag, Tx,
};
pub use moment::Moment;
pub use received::{Message, Start, Unreadable};
pub use session_headers::{OPTION_TAG, Refresher, SHORTEST_INTERVAL, SessionExpires, SessionHeaders};
pub use transaction::{Bounds, ForClient, ForServer, Load, ServerId, Timers, TransactionEvent, Transactions, Transmit};
pub use transport::{Path, Transport, UnknownTransport};
pub use writer::Writer;
