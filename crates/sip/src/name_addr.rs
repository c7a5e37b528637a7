//! `From`, `To`, `Contact`, `Route` and their kin: a display name, a URI, parameters (RFC 3261 §20.10, §25.1).

use std::ops::Range;

use crate::syntax::{Quotes, parameter, split, trim};

/// Where the parts of one value stand. Display names are not looked at: nobody here shows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameAddr {
    pub(crate) uri: Range<usize>,
    /// What follows the URI.
    parameters: Range<usize>,
}

impl NameAddr {
    /// Reads one value, with `<>` or without; `None` when a quote or a bracket is not closed.
    ///
    /// Without `<>` every parameter belongs to the header, not to the URI (RFC 3261 §20). A display name may be anything:
    /// peers write commas and dots without quotes.
    pub(crate) fn read(bytes: &[u8], range: Range<usize>) -> Option<Self> {
        let range = trim(bytes, range);
        let text = &bytes[range.clone()];
        let mut quotes = Quotes::default();
        let bracket = text.iter().position(|byte| quotes.passes(*byte) && *byte == b'<');
        let (uri, behind) = match bracket {
            Some(bracket) => {
                let length = text[bracket..].iter().position(|byte| *byte == b'>')?;
                (bracket + 1..bracket + length, bracket + length + 1)
            }
            None if quotes.is_open() => return None,
            None => {
                let end = text.iter().position(|byte| *byte == b';').unwrap_or(text.len());
                (0..end, end)
            }
        };
        let mut quotes = Quotes::default();
        for byte in &text[behind..] {
            quotes.passes(*byte);
        }
        (!quotes.is_open()).then(|| Self {
            uri: trim(bytes, range.start + uri.start..range.start + uri.end),
            parameters: range.start + behind..range.end,
        })
    }

    /// The value of a header parameter, empty for one without; none where it is missing.
    pub(crate) fn parameter(&self, bytes: &[u8], name: &str) -> Option<Range<usize>> {
        split(bytes, self.parameters.clone(), b';')
            .skip(1)
            .map(|part| parameter(bytes, part))
            .find(|(found, _)| bytes[found.clone()].eq_ignore_ascii_case(name.as_bytes()))
            .map(|(found, value)| value.unwrap_or(found.end..found.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'t>(text: &'t str, name: &str) -> Option<(&'t str, Option<&'t str>)> {
        let read = NameAddr::read(text.as_bytes(), 0..text.len())?;
        let value = read.parameter(text.as_bytes(), name);
        Some((&text[read.uri], value.map(|value| &text[value])))
    }

    /// RFC 3261 §20.10.
    #[test]
    fn a_value_has_a_uri_and_parameters() {
        for (text, uri, tag) in [
            ("sip:a@h", "sip:a@h", None),
            (" sip:a@h ; x ; Tag = y ", "sip:a@h", Some("y")),
            ("< sip:a@h;tag=no >\t;tag=\r\n y", "sip:a@h;tag=no", Some("y")),
            ("A. B, c<sip:a@h>;tag=y;tag=z", "sip:a@h", Some("y")),
            (
                r#""a \" <b>;tag=no" <sip:a@h>;x=">;tag=no";tag=y"#,
                "sip:a@h",
                Some("y"),
            ),
            ("<sip:a@h>;tag=;tag=x", "sip:a@h", Some("")),
            ("<sip:a@h>;tag", "sip:a@h", Some("")),
            ("<sip:a@h>tag=y", "sip:a@h", None),
            ("", "", None),
        ] {
            assert_eq!(read(text, "tag"), Some((uri, tag)), "{text}");
        }
    }

    /// RFC 4475 §3.1.2.6.
    #[test]
    fn what_is_not_closed_is_no_value() {
        for text in [
            "\"a <sip:a@h>",
            "<sip:a@h",
            "<sip:a@h>;x=\"",
            "\"a\\\" <sip:a@h>",
            "sip:a@h;x=\"",
        ] {
            assert_eq!(read(text, "tag"), None, "{text}");
        }
    }
}
