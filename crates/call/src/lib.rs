//! One telephone call's life as a state machine without I/O.
//!
//! This room reads no clock, makes no random numbers and knows no socket and no XML (promise 1). What happened is handed in; what is to be
//! done is polled out, and with it what has become of the call ([`Event`]); a request of the phone is answered by what
//! [`Call::handle_request`] returns. See [`Call`] for the order.
//!
//! A [`Call`] stands in one [`Phase`] after the other, and each has an answer to a hang-up (promise 4): the table is `docs/call-phases.md`. It waits
//! for the disk in two places, and says so: the intent before the INVITE, the answer before the ACK ([`Save`], promise 3).
//!
//! [`Record`] is what must survive a crash, and the same [`Dialog`] in it prints every request inside the call (promise 2). A call that a crash left
//! is made from its record and ends like any other.
//!
//! ```
//! use std::time::Duration;
//! use call::{Call, Event, Limits, Local, Output, Phase, Placement, Sabotage, Save, Surroundings, Wish};
//! use sip::{BranchKey, CallIdHeader, Moment, Tag, sdp::{Codec, LocalMedia}};
//!
//! let placement = Placement {
//!     trunk: "pbx".to_owned(),
//!     request_uri: "sip:4711@pbx.example".to_owned(),
//!     from: "<sip:onhook@example.org>".to_owned(),
//!     routes: Vec::new(),
//!     destination: "sip:192.0.2.5".to_owned(),
//!     path: None,
//!     call_id: CallIdHeader::new("a-call"),
//!     local_tag: Tag::new("ours"),
//! };
//! let around = Surroundings {
//!     local: Local {
//!         via: "SIP/2.0/UDP 192.0.2.1:5060".to_owned(),
//!         contact: "sip:onhook@192.0.2.1:5060".to_owned(),
//!         transport: "udp".to_owned(),
//!     },
//!     media: LocalMedia {
//!         address: "192.0.2.1:30000".parse().unwrap(),
//!         session_id: 1,
//!         version: 1,
//!         codecs: vec![Codec::Pcma],
//!         protection: None,
//!     },
//!     credentials: None,
//!     key: BranchKey::new([7; 32]),
//!     limits: Limits {
//!         ring: Duration::from_secs(30),
//!         max_duration: Duration::from_secs(600),
//!         session_expires: None,
//!         t1: Duration::from_millis(500),
//!     },
//!     sabotage: Sabotage::default(),
//! };
//! let (mut call, now) = (Call::place(placement, around), Moment::default());
//! assert_eq!(call.poll_output(), Some(Output::Save(Save::Intent)));
//! assert_eq!(call.poll_output(), None); // nothing leaves before that is durable
//!
//! call.handle_saved(Save::Intent, now);
//! let Some(Output::Send(invite)) = call.poll_output() else { panic!("no INVITE") };
//! assert!(invite.bytes.starts_with(b"INVITE sip:4711@pbx.example SIP/2.0\r\n"));
//!
//! call.disconnect(now); // no response has come, so a CANCEL may not leave yet (RFC 3261 §9.1)
//! assert_eq!(call.phase(), Phase::Cancelling { sent: false });
//! assert_eq!(call.poll_output(), Some(Output::Event(Event::Ending(Wish::Hangup))));
//! assert_eq!(call.poll_output(), Some(Output::Save(Save::Wish)));
//! ```

mod call;
mod dialog;
mod output;
mod placement;
mod record;
mod timer;

pub use call::{Call, Silence, Stray};
pub use dialog::{Dialog, Header, Local};
pub use output::{Event, MediaCommand, Output, Save};
pub use placement::{Limits, Placement, Surroundings};
pub use record::{End, EndCause, ForkRecord, Phase, RECORD_VERSION, Record, Wish};
pub use sabotage::Sabotage;
pub use timer::Timer;
