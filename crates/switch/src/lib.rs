//! All calls of one node, without I/O: from datagram to datagram.
//!
//! This room reads no clock, makes no random numbers and knows no socket, no file and no thread (promise 1). [`Switch`] is
//! handed what happened, turn by turn, and says what is to be done, in order: what is sent which way, what becomes durable, what is
//! answered. Whoever drives it only moves bytes; so what a simulation drives is what ships (promise 12).
//!
//! A [`Switch`] decides whose message something is (`messages`), which way a request takes (`ways`, `addresses`), what waits for one (`outbox`,
//! `window`), who we are to a peer (`own_address`), who is listened to (`admission`), whether a trunk is there (`trunk`, `registration`), what the journal gets and what waits for it (`act`, `batch`), and how the
//! calls that a crash left are ended (`recovery`, `leftover_queue`), and those that nobody remembers (`stray`). What a call does is the `call` crate's; what a message says and how it is
//! repeated, the `sip` crate's; who may call whom and how often, the `dial` crate's.
//!
//! Names, keys and the journal are given from outside: two switches can live in one world.
//!
//! ```
//! use std::time::Duration;
//! use dial::{CapsSettings, CountedNumbers, Plan, PlanSettings, WallTime};
//! use sip::{BranchKey, Moment, Path, Timers, Transport};
//! use switch::{Identity, Listener, Output, Sabotage, Settings, Switch, journal::CallKey};
//!
//! let day = Duration::from_secs(24 * 3600);
//! let ours = "192.0.2.1:5060".parse().unwrap();
//! let mut switch = Switch::new(
//!     Settings {
//!         identity: Identity { branch_key: BranchKey::new([1; 32]), before: CallKey::before(1), secret: [2; 32] },
//!         limits: call::Limits {
//!             ring: Duration::from_secs(30),
//!             max_duration: Duration::from_secs(600),
//!             session_expires: None,
//!             t1: Duration::from_millis(500),
//!         },
//!         timers: Timers::default(),
//!         ended_retention: Duration::from_secs(60),
//!         caps: CapsSettings {
//!             live: 100,
//!             live_per_mailbox: 2,
//!             live_per_trunk: 10,
//!             starts_per_second_per_trunk: 20,
//!             starts_per_minute_per_mailbox: 10,
//!             starts_per_hour_per_mailbox: 30,
//!             time_per_day_per_mailbox: day,
//!             starts_per_minute_per_address: 30,
//!             starts_per_ten_minutes_per_number: 10,
//!             starts_per_minute_to_own_phone: 60,
//!             time_per_day_to_own_phone: day,
//!         },
//!         counted: CountedNumbers::new(Plan::new(PlanSettings::default())),
//!         trunks: Vec::new(),
//!         listeners: vec![Listener { transport: Transport::Udp, address: ours }],
//!         external_address: None,
//!         peers: vec!["192.0.2.5".parse().unwrap()],
//!         requests_per_second: Some(50),
//!         user_agent: "onhook".to_owned(),
//!         connect_limit: Duration::from_secs(4),
//!         invites_per_hop: 24,
//!         leftovers_at_once: 128,
//!         ends_wait: Duration::from_millis(20),
//!         sabotage: Sabotage::default(),
//!     },
//!     Moment::default(),
//!     WallTime::default(),
//! );
//!
//! // One turn: what has come is taken in, then what is due, then what is to be done is taken out.
//! let path = Path { transport: Transport::Udp, local: ours, remote: "192.0.2.5:5060".parse().unwrap() };
//! switch.begin_turn(Moment::after_start(Duration::from_millis(20)), WallTime::default());
//! switch.handle_message(
//!     path,
//!     b"OPTIONS sip:onhook@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
//!       From: <sip:pbx@192.0.2.5>;tag=1\r\nTo: <sip:onhook@192.0.2.1>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
//! );
//! switch.end_turn();
//! let Some(Output::Transmit(answer)) = switch.poll_output() else { panic!("no answer") };
//! assert_eq!(answer.path, path);
//! assert!(answer.bytes.starts_with(b"SIP/2.0 200 OK\r\n"));
//! assert!(switch.poll_output().is_none());
//! ```

mod act;
mod addresses;
mod admission;
mod batch;
mod identity;
mod information;
pub mod journal;
mod leftover_queue;
mod live;
mod load;
mod messages;
mod out_of_call;
mod outbox;
mod output;
mod own_address;
mod past;
mod place;
mod recovery;
mod registration;
mod schedule;
mod settings;
mod stray;
mod switch;
mod trunk;
mod ways;
mod window;

pub use addresses::Found;
pub use dial::Reach;
pub use information::{Information, State};
pub use load::Load;
pub use messages::LONGEST_MESSAGE;
pub use output::{
    Answer, DisconnectRefusal, Event, Known, NoWay, Output, Patience, PlaceRefusal, Sound, TrunkSilence, cause,
};
pub use past::information_of;
pub use place::Order;
pub use sabotage::Sabotage;
pub use settings::{Identity, Listener, Registration, Settings, Srtp, TrunkSettings};
pub use switch::Switch;
