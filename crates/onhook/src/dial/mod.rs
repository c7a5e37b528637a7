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
//! counted       whom a call is counted for, however the number is written
//! caps          how many and how often: what a call holds until it is over
//! ```
//!
//! Two keys open the way to the wire, and only this room makes them: [`Gate::permit`] turns a caller and a dial string
//! into a [`Permit`], which the calls room takes; [`Caps::grant`] turns that, for one trunk, into a [`Grant`], which an
//! INVITE is printed from. What is never called (emergency and other short numbers, premium-rate, shared-cost, satellite, personal) no rule
//! can allow.
//!
//! The room places no calls, knows no SIP but the address it grants, and reads no clock: `now` is an argument.

mod audit;
mod cap;
mod caps;
mod counted;
mod danger;
mod decision;
mod dial_string;
mod plan;
mod readings;
mod rules;
mod short_numbers;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::auth::Caller;
use crate::metrics;
use crate::numbering::Danger;
use crate::store::{Numbers, Store, StoreError, UserCache, UserName};
use crate::telemetry::Masked;

pub use cap::Capped;
pub(crate) use caps::WHOM_MATTERS;
pub use caps::{Caps, CapsSettings, Grant, Hold, Started, Whom};
pub use counted::CountedNumbers;
pub use decision::{Decision, DialPolicy};
pub use dial_string::{DialString, Digits, Malformed, SipUri};
pub use rules::Dialler;

use plan::{Plan, Target};

/// A number or address that may be called. Logs show its last two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number {
    text: String,
    is_uri: bool,
}

impl Number {
    fn new(target: &Target, plan: &Plan) -> Self {
        Self {
            text: plan.print(target),
            is_uri: matches!(target, Target::Uri(_)),
        }
    }

    /// The whole number or address, for the demo's ladder and for tests.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The Request-URI, at `domain` unless the number is an address itself.
    pub fn request_uri(&self, domain: &str) -> String {
        if self.is_uri {
            self.text.clone()
        } else {
            // The one character of a number that a user part cannot hold (RFC 3261 §25.1).
            format!("sip:{}@{domain}", self.text.replace('#', "%23"))
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Masked(&self.text).fmt(f)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The rules' word that a caller may call a number. A call needs a [`Grant`] besides.
#[derive(Debug)]
#[must_use = "a permit is what a call is placed with"]
pub struct Permit {
    number: Number,
    caller: Caller,
    /// Whether it is the caller's own extension or phone: caps that protect others do not count it.
    own_phone: bool,
}

impl Permit {
    /// The number that may be called.
    pub fn number(&self) -> &Number {
        &self.number
    }
}

/// Why a number may not be called. Each has its response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `ErrorInvalidPhoneNumber`
    #[error("not a telephone number")]
    NotANumber,
    /// `ErrorInvalidSIPUri`
    #[error("not a SIP address that may be called")]
    SipUri,
    /// `ErrorPhoneNumberNotDialable`
    #[error("no rule allows it")]
    NotAllowed,
    /// `ErrorUserNotUnifiedMessagingEnabled`: there is nothing that this user may call.
    #[error("no rule lets this user call anything")]
    NotEnabled,
    /// `ErrorPhoneNumberNotDialable`: not even a rule could allow it.
    #[error("{0} is never called")]
    Never(Danger),
}

/// Why there is no permit.
#[derive(Debug, Error)]
pub enum GateError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the user's extension cannot be looked up")]
    Store(#[from] StoreError),
}

/// The policy, and what it has to know about users.
#[derive(Clone)]
pub struct Gate {
    policy: Arc<DialPolicy>,
    users: UserCache,
}

impl Gate {
    pub fn new(policy: DialPolicy, users: UserCache) -> Self {
        audit::announce();
        Self {
            policy: Arc::new(policy),
            users,
        }
    }

    /// Decides about one call. A refusal is counted and written to the log, steps and all; the number is shown there at
    /// DEBUG only.
    ///
    /// # Errors
    /// When the dial string is none, nothing allows it, or the user cannot be looked up.
    pub async fn permit(&self, caller: &Caller, dial_string: &str) -> Result<Permit, GateError> {
        let dialler = self.dialler(caller).await?;
        let decision = self.policy.decide(&dialler, dial_string);
        match &decision.outcome {
            Ok(number) => {
                metrics::dial_permitted();
                Ok(Permit {
                    number: number.clone(),
                    caller: caller.clone(),
                    own_phone: self.policy.is_own_phone(&dialler, dial_string),
                })
            }
            Err(refusal) => {
                audit::refused(caller, &decision, *refusal);
                Err((*refusal).into())
            }
        }
    }

    /// The number that Play on Phone dials for a user who names none: the user's own extension.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn own_extension(&self, caller: &Caller) -> Result<Option<String>, StoreError> {
        Ok(self.dialler(caller).await?.extension)
    }

    /// Whether there is anything that a user may call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn may_call(&self, caller: &Caller) -> Result<bool, StoreError> {
        Ok(self.policy.may_call(&self.dialler(caller).await?))
    }

    async fn dialler(&self, caller: &Caller) -> Result<Dialler, StoreError> {
        let name: Option<UserName> = caller.name.as_deref().and_then(|name| name.parse().ok());
        let Some(name) = name else {
            return Ok(Dialler::default());
        };
        let users = self.users.now().await?;
        let numbers = users.get(&name).map(|user| user.numbers.clone());
        Ok(with_numbers(&name, numbers.unwrap_or_default()))
    }
}

/// A user as the rules see one: also one that the store does not know, who then has no extension.
///
/// # Errors
/// When the store fails.
pub fn dialler(store: &Store, name: &UserName) -> Result<Dialler, StoreError> {
    Ok(with_numbers(name, store.numbers_of(name)?))
}

fn with_numbers(name: &UserName, numbers: Numbers) -> Dialler {
    Dialler {
        name: Some(name.to_string()),
        extension: numbers.extension,
        phones: numbers.phones,
    }
}
