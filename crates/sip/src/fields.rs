//! Header fields as values of their own. Nothing here is trusted: every text may be anything a peer sent.

use std::{borrow::Borrow, fmt};

use serde::{Deserialize, Serialize};

use crate::method::Method;

macro_rules! header_text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

header_text! {
    /// The SIP `Call-ID` (RFC 3261 §20.8). Not the EWS `PhoneCallId`; the two never convert into each other.
    CallIdHeader
}
header_text! {
    /// A `From` or `To` tag (RFC 3261 §19.3).
    Tag
}
header_text! {
    /// The `branch` of a top Via: with the method it names a transaction (RFC 3261 §17.1.3).
    Branch
}

/// The `CSeq` header (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// One client transaction of a call, by the two values that RFC 3261 §17.1.3 matches responses with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tx {
    pub branch: Branch,
    pub method: Method,
}

/// One `WWW-Authenticate` (401) or `Proxy-Authenticate` (407) header value, as the peer wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// True for `Proxy-Authenticate`: the answer then goes into `Proxy-Authorization`.
    pub proxy: bool,
    pub value: String,
}
