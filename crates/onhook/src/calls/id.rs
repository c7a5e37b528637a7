//! The name of a call that the EWS client holds.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// The EWS `PhoneCallId`: 128 random bits in base64url, without any meaning.
///
/// It is a bearer of rights only together with its owner; still, `Debug` shows no more than its beginning.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneCallId(String);

impl PhoneCallId {
    /// A new one from the operating system's random source.
    ///
    /// # Errors
    ///
    /// When the operating system has no random bytes to give.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        // Not with six bits that are written "-": `onhook hangup` would take the id for an option.
        while bytes[0] >> 2 == 62 {
            getrandom::fill(&mut bytes)?;
        }
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// As it goes to the client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneCallId({}…)", self.0.get(..4).unwrap_or_default())
    }
}
