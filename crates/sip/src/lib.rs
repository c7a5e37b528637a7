//! SIP as a language: what messages say, how they travel, and how a request comes to its answer; without I/O.
//!
//! What comes from outside is a [`Message`]: read once, in place. Reading decides whose it is (method or status, top Via, Call-ID, tags,
//! CSeq, length) and what is wrong with it; everything else is looked up in its bytes when it is asked for, compact names and
//! folded lines included. What cannot be answered is [`Unreadable`], what can only be refused has a [`fault`](Message::fault), and what
//! belongs to nothing of ours has its [answer](Message::answer_outside_dialog). A peer's words come back as they were written. On a stream,
//! [`Framing`] says where one message ends and the next begins, within bounds.
//!
//! What leaves is printed once, behind what a buffer holds: a reply by [`Message::print_reply`], anything by a [`Writer`]. Whatever a peer
//! wrote, it ends no line of ours. [`Transactions`] repeat what was printed until it is answered, on a wheel of timers that is told what
//! time it is (a [`Moment`]), and go the [`Path`] that the request went. A [`BranchKey`] makes the branches by which our own are known
//! again without remembering them; [`digest`] answers challenges, [`sdp`] describes sound, [`SessionHeaders`] keep a session alive.
//!
//! The room reads no clock, makes no random numbers, knows no socket and writes no log (promise 1); nothing that comes from outside
//! panics or grows beyond a bound (promise 9). Names are those of the RFCs, tests those of their clauses, and RFC 3261 §25 drives a
//! generator of all that has to be understood.
//!
//! ```
//! use sip::{Frame, Framing, Message, Method, Tag};
//!
//! let mut stream = Framing::default();
//! stream.feed(b"\r\n\r\nOPTIONS sip:onhook@192.0.2.1;Transport=TCP SIP/2.0\r\nv: SIP/2.0/TCP pbx.example");
//! assert_eq!(stream.poll()?, Some(Frame::Ping));
//! assert_eq!(stream.poll()?, None);
//! stream.feed(b";branch=z9hG4bKx;rport\r\nf: \"PBX\"\r\n <sip:pbx.example>;tag=1\r\nt: <sip:192.0.2.1>\r\ni: a@b\r\nCSeq: 7 OPTIONS\r\nl: 0\r\n\r\n");
//! let Some(Frame::Message(bytes)) = stream.poll()? else { panic!("it was whole") };
//!
//! let question = Message::parse(&bytes)?;
//! assert_eq!((question.method(), question.fault()), (&Method::Options, None));
//! assert_eq!(question.request_uri(), "sip:onhook@192.0.2.1;Transport=TCP");
//! assert_eq!((question.branch(), question.from_tag(), question.to_tag()), ("z9hG4bKx", Some("1"), None));
//! assert_eq!(question.header("From").as_deref(), Some("\"PBX\" <sip:pbx.example>;tag=1"));
//!
//! let answer = question.answer_outside_dialog().expect("only an ACK has none");
//! let mut buffer = Vec::new();
//! question.print_reply(&mut buffer, "192.0.2.9:40001".parse()?, &Tag::new("2"), &answer, "onhook");
//! assert!(buffer.starts_with(
//!     b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP pbx.example;branch=z9hG4bKx;received=192.0.2.9;rport=40001\r\n"
//! ));
//! assert_eq!(Message::parse(&buffer)?.to_tag(), Some("2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::float_arithmetic, clippy::iter_over_hash_type, clippy::pointer_format)]

mod branch;
mod destination;
pub mod digest;
mod fields;
mod framing;
mod header_name;
mod lines;
mod message;
mod method;
mod moment;
mod name_addr;
mod outgoing;
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
pub use fields::{Branch, CSeq, CallIdHeader, Challenge, Tag, Tx};
pub use framing::{BrokenStream, Frame, Framing, StreamBounds};
pub use message::{Message, Request, Response, Start, Unreadable};
pub use method::Method;
pub use moment::Moment;
pub use outgoing::{ALLOW, APPLICATION_SDP, Outgoing, Reply};
pub use session_headers::{OPTION_TAG, Refresher, SHORTEST_INTERVAL, SessionExpires, SessionHeaders};
pub use transaction::{Bounds, ForClient, ForServer, Load, ServerId, Timers, TransactionEvent, Transactions, Transmit};
pub use transport::{Path, Transport, UnknownTransport};
pub use writer::Writer;
