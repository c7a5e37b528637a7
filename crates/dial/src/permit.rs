//! What the rules say of one caller and one number.

use std::net::IpAddr;

use thiserror::Error;

use crate::{
    decision::{Decision, DialPolicy},
    number::Number,
    numbering::Danger,
    rules::Dialler,
};

/// Who asks for a call: what caps count by, and what the log of a refusal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Opaque: two callers are the same if and only if their keys are.
    pub key: [u8; 32],
    pub name: Option<String>,
    /// The client's address, where there is one.
    pub address: Option<IpAddr>,
}

/// The rules' word that a caller may call a number. A call needs a [`Grant`](crate::Grant) besides.
#[derive(Debug)]
#[must_use = "a permit is what a call is placed with"]
pub struct Permit {
    pub(crate) number: Number,
    pub(crate) caller: Caller,
    /// Whether it is the caller's own extension or phone: caps that protect others do not count it.
    pub(crate) own_phone: bool,
}

impl Permit {
    /// The number that may be called.
    pub fn number(&self) -> &Number {
        &self.number
    }

    /// Who may call it.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// There is no permit.
#[derive(Clone, Debug)]
pub struct Refused {
    pub why: Refusal,
    /// How it came about, for the log.
    pub decision: Decision,
}

impl DialPolicy {
    /// Decides about one call of `caller`, who is `dialler` to the rules.
    ///
    /// # Errors
    /// When the dial string is none, or nothing allows it.
    pub fn permit(&self, caller: Caller, dialler: &Dialler, dial_string: &str) -> Result<Permit, Refused> {
        let decision = self.decide(dialler, dial_string);
        match decision.outcome {
            Ok(number) => Ok(Permit {
                number,
                caller,
                own_phone: self.is_own_phone(dialler, dial_string),
            }),
            Err(why) => Err(Refused { why, decision }),
        }
    }
}

/// Why a number may not be called. Each has its response code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
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
