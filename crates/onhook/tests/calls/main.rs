//! The calls room from outside: EWS on one side, a SIP peer on the other, and the promises of ARCHITECTURE.md between them.
//!
//! ```text
//! scene     the house in a folder, its users, a server in this process     program   the built binary
//! peer      a SIP peer that says what the test says                        exchange  one whose phones act by number
//! tls_peer  one at the other end of a TLS connection, with its certificate
//! ```
//!
//! Nothing here sleeps: a test waits for the message, the answer or the state that it is about.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod exchange;
mod peer;
mod program;
mod scene;
mod tls_peer;
#[path = "../../../sip/tests/torture/message.rs"]
mod torture_message;

mod caps;
mod crash;
mod endings;
mod families;
mod flood;
mod gate;
mod gone;
mod hang_up;
mod hold;
mod late_answers;
mod leftovers;
mod metrics;
mod no_files;
mod odd_answers;
mod own_phone;
mod ownership;
mod protection;
mod reach;
mod reload;
mod secrets;
mod stop;
mod transports;
mod trunks;
mod unread;
mod write_ahead;
