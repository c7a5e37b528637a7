//! The names of header fields, as numbers (RFC 3261 §7.3.1, §7.3.3).

macro_rules! header_names {
    ($($name:ident = $text:literal $(or $compact:literal)?,)*) => {
        /// A header field that is looked at here, or has a compact form. Which numbers they have means nothing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum HeaderName {
            $($name,)*
            /// Any other: its text tells which.
            Unknown,
        }

        impl HeaderName {
            const ALL: &'static [(Self, &'static str, &'static str)] = &[
                $((Self::$name, $text, concat!("" $(, $compact)?)),)*
            ];

            /// The full name; none of one that is not known.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown => "",
                }
            }
        }
    };
}

// Those that stand in most messages come first.
header_names! {
    Via = "Via" or "v",
    From = "From" or "f",
    To = "To" or "t",
    CallId = "Call-ID" or "i",
    CSeq = "CSeq",
    Contact = "Contact" or "m",
    ContentLength = "Content-Length" or "l",
    ContentType = "Content-Type" or "c",
    MaxForwards = "Max-Forwards",
    RecordRoute = "Record-Route",
    Route = "Route",
    Allow = "Allow",
    Supported = "Supported" or "k",
    Require = "Require",
    SessionExpires = "Session-Expires" or "x",
    MinSe = "Min-SE",
    RetryAfter = "Retry-After",
    Expires = "Expires",
    MinExpires = "Min-Expires",
    Timestamp = "Timestamp",
    WwwAuthenticate = "WWW-Authenticate",
    ProxyAuthenticate = "Proxy-Authenticate",
    ContentEncoding = "Content-Encoding" or "e",
    ContentDisposition = "Content-Disposition",
    Subject = "Subject" or "s",
    Event = "Event" or "o",
    AllowEvents = "Allow-Events" or "u",
    ReferTo = "Refer-To" or "r",
    ReferredBy = "Referred-By" or "b",
    AcceptContact = "Accept-Contact" or "a",
    RejectContact = "Reject-Contact" or "j",
    RequestDisposition = "Request-Disposition" or "d",
    Identity = "Identity" or "y",
    IdentityInfo = "Identity-Info" or "n",
}

impl HeaderName {
    /// Reads a name in full or in compact form; case does not matter (RFC 3261 §7.3.1).
    pub(crate) fn read(text: &[u8]) -> Self {
        let known = Self::ALL.iter().find(|(_, full, compact)| {
            let name = if text.len() == 1 { compact } else { full };
            name.len() == text.len() && name.as_bytes().eq_ignore_ascii_case(text)
        });
        known.map_or(Self::Unknown, |(name, ..)| *name)
    }

    /// Whether two of it leave open which one is meant (RFC 3261 §7.3.1, §20).
    pub(crate) fn comes_once(self) -> bool {
        matches!(
            self,
            Self::From
                | Self::To
                | Self::CallId
                | Self::CSeq
                | Self::MaxForwards
                | Self::ContentLength
                | Self::ContentType
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §7.3.1, §7.3.3; the compact forms are those that IANA lists.
    #[test]
    fn a_name_is_read_in_any_case_and_in_compact_form() {
        for (name, full, compact) in HeaderName::ALL {
            let upper = full.to_ascii_uppercase();
            for text in [*full, upper.as_str(), *compact, &compact.to_ascii_uppercase()] {
                let expected = if text.is_empty() { HeaderName::Unknown } else { *name };
                assert_eq!(HeaderName::read(text.as_bytes()), expected, "{text}");
            }
            assert_eq!(name.as_str(), *full);
        }
        let compact: String = HeaderName::ALL.iter().map(|(.., compact)| *compact).collect();
        assert_eq!(compact, "vftimlckxesourbajdyn");
        for text in ["X-Via", "Vi", "Call_ID", "q"] {
            assert_eq!(HeaderName::read(text.as_bytes()), HeaderName::Unknown, "{text}");
        }
    }
}
