//! The gate: who may ring whom, and how often. Every INVITE passes it (promise 6).
//!
//! ```text
//! dial_string   what a client wrote, read strictly
//! plan          what it means here: an extension, a number of the world, an address
//! readings      every other way to read it
//! short_numbers emergency numbers and the network's other ones
//! danger        whether one of the readings is never called
//! rules         who may call what; the first that covers decides
//! decision      all of that for one user, with the steps in words
//! permit        the rules' word, for one caller and one number
//! counted       whom a call is counted for, however the number is written
//! caps          how many and how often: what a call holds until it is over
//! numbering     what the world's numbering plans say
//! reach         where a trunk's answers may send us
//! ```
//!
//! Two keys open the way to the wire, and only this room makes them: [`DialPolicy::permit`] turns a caller and a dial string
//! into a [`Permit`]; [`Caps::grant`] turns that, for one trunk, into a [`Grant`], which an INVITE is printed from. What is never
//! called (emergency and other short numbers, premium-rate, shared-cost, satellite, personal) no rule can allow.
//!
//! The room places no calls, looks up no users, writes no log and reads no clock: `now` is an argument.

mod from_text;

mod cap;
mod caps;
mod counted;
mod danger;
mod decision;
mod dial_string;
mod mask;
mod masked;
mod network;
mod number;
pub mod numbering;
mod pattern;
mod permit;
mod plan;
mod reach;
mod readings;
mod rules;
mod short_numbers;
mod sip_host;
#[cfg(test)]
mod site;
mod wall_time;

pub use cap::{Cap, Capped};
pub use caps::{Caps, CapsSettings, Grant, Hold, Started, WHOM_MATTERS, Whom};
pub use counted::CountedNumbers;
pub use decision::{Decision, DialPolicy};
pub use dial_string::{DialString, Digits, Malformed, SipUri};
pub use mask::{Mask, NoMask};
pub use masked::Masked;
pub use network::{Network, NetworkError, subscriber};
pub use number::Number;
pub use numbering::{Country, Danger, NoCountry};
pub use pattern::Pattern;
pub use permit::{Caller, Permit, Refusal, Refused};
pub use plan::{NumberFormat, Plan, PlanSettings};
pub use reach::Reach;
pub use rules::{Covers, Dialler, Rule, RuleAction};
pub use sip_host::{NoHost, SipHost};
pub use wall_time::WallTime;
