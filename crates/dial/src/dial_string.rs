//! What a client wrote as a number, read strictly: digits, or a URI that names one phone. What the digits mean is the
//! [`Plan`](crate::Plan)'s to say.

use std::fmt;

use thiserror::Error;

use crate::sip_host::SipHost;

/// The longest dial string, in characters.
const MAX_LENGTH: usize = 64;

/// A dial string that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialString {
    Digits(Digits),
    Uri(SipUri),
}

/// What is left of a number when brackets, dashes, dots and spaces are gone; also of a `tel:` URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    /// Whether a `+` came first: then it begins with a country calling code.
    pub(crate) plus: bool,
    /// Never empty: `0` to `9`, `*` and `#`.
    pub(crate) digits: String,
}

/// `sip:user@host` or `sip:user@host:port`, and no more than that.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SipUri {
    pub(crate) is_sips: bool,
    pub(crate) user: String,
    /// With the port when one was written.
    pub(crate) host: SipHost,
}

/// Why a dial string is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// `ErrorInvalidPhoneNumber`
    #[error("not a telephone number: 1 to 64 of 0-9 + * # ( ) - . and space, with a + only at the start")]
    Number,
    /// `ErrorInvalidSIPUri`
    #[error("not a SIP address: sip:user@host, 64 characters at most, without parameters, headers or escapes")]
    Uri,
}

impl DialString {
    /// Reads what a client sent.
    ///
    /// # Errors
    /// When it is neither a number nor a SIP URI.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_short = text.len() <= MAX_LENGTH;
        // Clients and people put spaces around a number, and mean the number.
        let text = text.trim_matches(' ');
        let (scheme, rest) = text.split_once(':').unwrap_or(("tel", text));
        match scheme.to_ascii_lowercase().as_str() {
            scheme @ ("sip" | "sips") => {
                let uri = SipUri::parse(scheme == "sips", rest).filter(|_| is_short);
                uri.map(Self::Uri).ok_or(Malformed::Uri)
            }
            "tel" if is_short => Digits::parse(rest).map(Self::Digits).ok_or(Malformed::Number),
            _ => Err(Malformed::Number),
        }
    }
}

impl Digits {
    fn parse(text: &str) -> Option<Self> {
        let mut read = Self {
            plus: false,
            digits: String::new(),
        };
        for c in text.chars() {
            match c {
                '0'..='9' | '*' | '#' => read.digits.push(c),
                '+' if read.digits.is_empty() && !read.plus => read.plus = true,
                '(' | ')' | '-' | '.' | ' ' => {}
                _ => return None,
            }
        }
        if read.digits.is_empty() || (read.plus && read.digits.contains(['*', '#'])) {
            return None;
        }
        Some(read)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.plus { "+" } else { "" }, self.digits)
    }
}

impl SipUri {
    fn parse(is_sips: bool, rest: &str) -> Option<Self> {
        let (user, host) = rest.split_once('@')?;
        let user_is_plain = user.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.+*".contains(&c));
        let host = host.parse().ok()?;
        (!user.is_empty() && user_is_plain).then(|| Self {
            is_sips,
            user: user.to_owned(),
            host,
        })
    }

    /// What a gateway behind the host may dial.
    pub(crate) fn spoken(&self) -> Vec<Digits> {
        spoken(&self.user)
    }
}

/// The digits that a gateway may dial of a user part without letters: all of them, and those after a plus that is not its first
/// character. The first is the likeliest.
pub(crate) fn spoken(user: &str) -> Vec<Digits> {
    let is_dialled = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
    if user.contains(|c: char| c.is_ascii_alphabetic()) {
        return Vec::new();
    }
    let digits = |text: &str| text.chars().filter(|c| is_dialled(*c)).collect::<String>();
    let whole = Digits {
        plus: user.starts_with('+'),
        digits: digits(user),
    };
    let behind_plus = user.split_once('+').filter(|(before, _)| !before.is_empty());
    let behind_plus = behind_plus.map(|(_, rest)| Digits {
        plus: true,
        digits: digits(rest),
    });
    let both = behind_plus.into_iter().chain([whole]);
    both.filter(|spoken| !spoken.digits.is_empty()).collect()
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_sips { "sips" } else { "sip" };
        write!(f, "{scheme}:{}@{}", self.user, self.host)
    }
}

impl fmt::Debug for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SipUri(…@{})", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> String {
        match DialString::parse(text) {
            Ok(DialString::Digits(digits)) => digits.to_string(),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (written, read) in [
            ("4711", "4711"),
            (" 4711 ", "4711"),
            ("47-11", "4711"),
            ("(030) 123.456-7", "0301234567"),
            ("(+49) 30 123456", "+4930123456"),
            ("*97#", "*97#"),
            ("tel:4711", "4711"),
            ("TEL:+49-30-123456", "+4930123456"),
        ] {
            assert_eq!(number(written), read, "{written:?}");
        }
        assert_eq!(number(&"1".repeat(64)).len(), 64);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            " ",
            "+",
            "()",
            "++4711",
            "47+11",
            "+49*1",
            "\t4711",
            "4711\r\nVia: x",
            "4711\0",
            "٤٧١١",
            "４７１１",
            "4711;ext=1",
            "4711,,1",
            "4711%3B",
            "0x12",
            "4711@example.com",
            "tel:4711;phone-context=+1",
            "tel:",
            "callto:4711",
            ":4711",
            "tel:tel:4711",
        ] {
            assert_eq!(DialString::parse(text), Err(Malformed::Number), "{text:?}");
        }
        assert_eq!(DialString::parse(&"1".repeat(65)), Err(Malformed::Number));
    }

    #[test]
    fn sip_addresses_are_a_user_and_a_host() {
        for (text, uri) in [
            ("sip:4711@PBX.example.com", "sip:4711@pbx.example.com"),
            ("SIP:anna.b@192.0.2.1:5062", "sip:anna.b@192.0.2.1:5062"),
            ("sips:+49301@[2001:db8::1]", "sips:+49301@[2001:db8::1]"),
            ("sip:a@[::1]:5060", "sip:a@[::1]:5060"),
        ] {
            match DialString::parse(text) {
                Ok(DialString::Uri(read)) => assert_eq!(read.to_string(), uri),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in [
            "sip:",
            "sip:example.com",
            "sip:@example.com",
            "sip:a@",
            "sip:a@b@c",
            "sip:a:secret@b",
            "sip:a@b;transport=tcp",
            "sip:a@b?Route=x",
            "sip:a%40b@c",
            "sip:a@b:0",
            "sip:a@b:99999",
            "sip:a@b:+1",
            "sip:a@b..c",
            "sip:a@-b",
            "sip:a@[::1",
            "sip:a@[b]",
            "sip:a b@c",
            "sip:ä@c",
            "sip:a@b\r\nVia: x",
            "SIPS:a@b/c",
        ] {
            assert_eq!(DialString::parse(text), Err(Malformed::Uri), "{text:?}");
        }
        let long = format!("sip:{}@b", "a".repeat(64));
        assert_eq!(DialString::parse(&long), Err(Malformed::Uri));
    }
}
