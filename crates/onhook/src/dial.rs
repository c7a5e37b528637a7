//! The gate: which numbers may be called. Every INVITE has a [`Grant`], and only [`DialPolicy::permit`] makes one.
//!
//! This is the first, simple gate: digits and a leading +, and a list of allowed patterns. It counts nothing.

use std::fmt;

use thiserror::Error;
use tracing::info;

use crate::auth::Caller;
use crate::config::{Dial, Pattern};
use crate::telemetry::Masked;

/// The longest number, in characters.
const MAX_LENGTH: usize = 64;

/// A telephone number: digits, perhaps after a `+`. Logs show its last two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// The whole number, for the Request-URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(dial_string: &str) -> Result<Self, Refusal> {
        // Clients and people put spaces around a number, and mean the number.
        let text = dial_string.trim_matches(' ');
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips")) {
            return Err(Refusal::SipUri);
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || text.len() > MAX_LENGTH || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::NotANumber);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Masked(&self.0).fmt(f)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Masked(&self.0).fmt(f)
    }
}

/// The permission to place one call.
#[derive(Debug)]
#[must_use = "a grant is what an INVITE needs"]
pub struct Grant {
    number: Number,
    owner: [u8; 32],
}

impl Grant {
    /// The number that may be called.
    pub fn number(&self) -> &Number {
        &self.number
    }

    /// The key of the caller who may.
    pub fn owner(&self) -> &[u8; 32] {
        &self.owner
    }
}

/// Why a call may not be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `ErrorInvalidPhoneNumber`
    #[error("not a telephone number: digits, with or without a leading +, 64 characters at most")]
    NotANumber,
    /// `ErrorInvalidSIPUri`
    #[error("SIP addresses are not called")]
    SipUri,
    /// `ErrorPhoneNumberNotDialable`
    #[error("no pattern of [dial] allow matches")]
    NotAllowed,
}

/// What the operator allows.
#[derive(Clone, Debug)]
pub struct DialPolicy {
    allow: Vec<Pattern>,
}

impl DialPolicy {
    pub fn from_config(dial: &Dial) -> Self {
        Self {
            allow: dial.allow.clone(),
        }
    }

    /// Whether there is any number that may be called.
    pub fn allows_any(&self) -> bool {
        !self.allow.is_empty()
    }

    /// Decides about one call.
    ///
    /// # Errors
    /// When the dial string is no number, or nothing allows the number. The log says so, too.
    pub fn permit(&self, caller: &Caller, dial_string: &str) -> Result<Grant, Refusal> {
        let permitted = Number::parse(dial_string).and_then(|number| {
            if self.allow.iter().any(|pattern| pattern.matches(&number.0)) {
                Ok(number)
            } else {
                Err(Refusal::NotAllowed)
            }
        });
        match permitted {
            Ok(number) => Ok(Grant {
                number,
                owner: caller.key,
            }),
            Err(refusal) => {
                info!(caller = caller.name.as_deref(), number = %Masked(dial_string), %refusal, "call refused");
                Err(refusal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(allow: &[&str]) -> DialPolicy {
        DialPolicy {
            allow: allow.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        }
    }

    fn permit(policy: &DialPolicy, dial_string: &str) -> Result<String, Refusal> {
        let caller = Caller {
            key: [7; 32],
            name: Some("alice".to_owned()),
            address: None,
        };
        let grant = policy.permit(&caller, dial_string)?;
        assert_eq!(grant.owner(), &[7; 32]);
        Ok(grant.number().as_str().to_owned())
    }

    #[test]
    fn each_dial_string_has_its_answer() {
        let extensions = policy(&["^[0-9]{2,6}$", r"^\+49"]);
        for (dial_string, answer) in [
            ("4711", Ok("4711")),
            (" 4711 ", Ok("4711")),
            ("4", Err(Refusal::NotAllowed)),
            ("47110815", Err(Refusal::NotAllowed)),
            ("+49", Ok("+49")),
            ("+4930", Err(Refusal::NotAllowed)),
            ("", Err(Refusal::NotANumber)),
            ("+", Err(Refusal::NotANumber)),
            ("++4711", Err(Refusal::NotANumber)),
            ("47-11", Err(Refusal::NotANumber)),
            ("4711\r\nVia: x", Err(Refusal::NotANumber)),
            ("\t4711", Err(Refusal::NotANumber)),
            ("٤٧١١", Err(Refusal::NotANumber)),
            ("tel:4711", Err(Refusal::NotANumber)),
            ("sip:4711@example.com", Err(Refusal::SipUri)),
            ("SIPS:4711@example.com", Err(Refusal::SipUri)),
            ("4711@example.com", Err(Refusal::NotANumber)),
        ] {
            assert_eq!(
                permit(&extensions, dial_string),
                answer.map(str::to_owned),
                "{dial_string:?}"
            );
        }
        assert_eq!(permit(&policy(&[".*"]), &"1".repeat(65)), Err(Refusal::NotANumber));
        assert!(permit(&policy(&[".*"]), &"1".repeat(64)).is_ok());
    }

    #[test]
    fn nothing_is_allowed_unless_said() {
        assert_eq!(permit(&policy(&[]), "4711"), Err(Refusal::NotAllowed));
    }

    #[test]
    fn a_pattern_matches_the_whole_number_even_when_its_writer_forgot() {
        assert_eq!(permit(&policy(&["11"]), "4711"), Err(Refusal::NotAllowed));
        assert_eq!(permit(&policy(&["^1|2$"]), "1900"), Err(Refusal::NotAllowed));
    }

    #[test]
    fn logs_hide_a_number() {
        let number = Number::parse("+4930123456").unwrap();
        assert_eq!(format!("{number} {number:?}"), "*********56 \"*********56\"");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_only_allowed_numbers_are_granted(dial_string in ".{0,80}") {
            if let Ok(number) = permit(&policy(&["^[0-9]{2,6}$"]), &dial_string) {
                prop_assert!((2..=6).contains(&number.len()) && number.chars().all(|c| c.is_ascii_digit()));
                prop_assert_eq!(dial_string.trim_matches(' '), number);
            }
        }

        #[test]
        fn with_everything_allowed_numbers_are_still_numbers(dial_string in "[+0-9 a-z:@;\\r\\n-]{0,70}") {
            if let Ok(number) = permit(&policy(&["(?s).*"]), &dial_string) {
                prop_assert!(number.len() <= 64);
                let digits = number.strip_prefix('+').unwrap_or(&number);
                prop_assert!(!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
            }
        }

        #[test]
        fn every_extension_is_granted_as_it_is(extension in "[0-9]{2,6}") {
            prop_assert_eq!(permit(&policy(&["^[0-9]{2,6}$"]), &extension), Ok(extension));
        }
    }
}
