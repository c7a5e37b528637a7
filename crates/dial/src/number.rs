//! What a call is placed to.

use std::fmt;

use crate::{
    masked::Masked,
    plan::{Plan, Target},
};

/// A number or address that may be called. Logs show its last two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number {
    pub(crate) text: String,
    pub(crate) is_uri: bool,
}

impl Number {
    pub(crate) fn new(target: &Target, plan: &Plan) -> Self {
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
