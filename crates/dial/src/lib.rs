//! The gate: who may ring whom, and how often. Every INVITE passes it (promise 6).
//!
//! What a client wrote is read strictly ([`DialString`]), and the site's numbering plan says what it means ([`Plan`]): an extension, a
//! number of the world, an address. Then [`DialPolicy`] decides. What is never called (emergency and other short numbers,
//! premium-rate, shared-cost, satellite, personal) no rule can allow; of the [rules](Rule), the first that covers the number decides; what
//! none covers is refused. An exchange may read digits otherwise than we do, and so dangers, and what a rule refuses, are looked for in
//! every other reading as well. A [`Decision`] tells each step in words.
//!
//! Two keys open the way to the wire, and only this room makes them. [`DialPolicy::permit`] turns a caller and a dial string into a
//! [`Permit`]: the rules' word. [`Caps::grant`] turns that into a [`Grant`] for one trunk, which an INVITE is printed from, when caps on
//! calls and their starts leave room for one more. What the call takes of them is a [`Hold`], which cannot be copied: it goes back
//! when the call is over. And since an answer names places to send to, [`Reach`] says which of them a trunk may send us to.
//!
//! The room places no calls, looks up no users, writes no log and reads no clock: whom the store knows and what time it is
//! ([`WallTime`]) are arguments, and the same ones in the same order have the same outcome. What numbering plans say stands in
//! constant tables ([`numbering`]).
//!
//! ```
//! # use std::time::Duration;
//! use dial::{Caller, Caps, CountedNumbers, DialPolicy, Dialler, Plan, PlanSettings, Refusal, WallTime};
//! # use dial::{CapsSettings, Danger};
//! # let settings = CapsSettings {
//! #     live: 100, live_per_mailbox: 1, live_per_trunk: 100, starts_per_second_per_trunk: 10,
//! #     starts_per_minute_per_mailbox: 10, starts_per_hour_per_mailbox: 60, time_per_day_per_mailbox: Duration::from_secs(3600),
//! #     starts_per_minute_per_address: 10, starts_per_ten_minutes_per_number: 10, starts_per_minute_to_own_phone: 10,
//! #     time_per_day_to_own_phone: Duration::from_secs(3600),
//! # };
//! let berlin = Plan::new(PlanSettings { country: Some("DE".parse()?), ..PlanSettings::default() });
//! let mut caps = Caps::new(settings, CountedNumbers::new(berlin.clone()));
//!
//! // With no rules there is the one that nobody has to write: the user's own extension and phones.
//! let policy = DialPolicy::new(berlin, Vec::new());
//! let alice = Dialler { name: Some("alice".to_owned()), extension: None, phones: vec!["0171 2345678".to_owned()] };
//! let caller = Caller { key: [1; 32], name: alice.name.clone(), address: None };
//!
//! let permit = policy.permit(caller.clone(), &alice, "+49 171 2345678").unwrap();
//! let now = WallTime::after_epoch(Duration::from_secs(1_800_000_000));
//! let grant = caps.grant(permit, &["provider"], Duration::from_secs(300), now)?;
//! assert_eq!(grant.number().request_uri("sip.example"), "sip:+491712345678@sip.example");
//! assert_eq!((grant.trunk(), caps.live()), ("provider", 1));
//!
//! // A second call of the same mailbox would be one too many, until the first is over.
//! let again = || policy.permit(caller.clone(), &alice, "0171 2345678").unwrap();
//! let capped = caps.grant(again(), &["provider"], Duration::from_secs(300), now).unwrap_err();
//! assert_eq!(capped.key(), "max_live_per_mailbox");
//! caps.give_back(grant.into_hold(), now + Duration::from_secs(60));
//! assert!(caps.grant(again(), &["provider"], Duration::from_secs(300), now + Duration::from_secs(60)).is_ok());
//!
//! let refused = policy.permit(caller.clone(), &alice, "0030 112").unwrap_err();
//! assert_eq!(refused.why, Refusal::Never(Danger::Emergency));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
pub use caps::{Caps, CapsSettings, CountedStart, Grant, Hold, PastCall, STARTS_COUNT_FOR};
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
