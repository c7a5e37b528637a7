//! What values are made of: blanks, tokens, quotes (RFC 3261 §25.1).
//!
//! All of it works on bytes, folded or not: a line end inside of a value is a blank. Ranges that come out begin and end
//! beside ASCII, so what was UTF-8 still is.

use std::ops::Range;

/// LWS: also the line ends of folding.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// `token` of RFC 3261 §25.1, not empty.
pub(crate) fn is_token(text: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    !text.is_empty() && text.iter().all(is_token)
}

/// The range without blanks at both ends.
pub(crate) fn trim(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &bytes[range.clone()];
    let begin = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_blank(*byte))
        .map_or(begin, |last| last + 1);
    range.start + begin..range.start + end
}

/// Walks over bytes and tells which stand inside of quotes (`quoted-string`, RFC 3261 §25.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    /// Takes the next byte; true for one that is neither quoted nor a quote.
    pub(crate) fn passes(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.open => self.escaped = true,
            b'"' => self.open = !self.open,
            _ => return !self.open,
        }
        false
    }

    /// Whether a quote was opened and never closed.
    pub(crate) fn is_open(self) -> bool {
        self.open
    }
}

/// The parts of a range between the separators that are not quoted, each without blanks around it; empty ones, too.
pub(crate) fn split(bytes: &[u8], range: Range<usize>, separator: u8) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    let mut next = Some(range.start);
    std::iter::from_fn(move || {
        let begin = next?;
        let mut quotes = Quotes::default();
        let found = bytes[begin..end]
            .iter()
            .position(|byte| quotes.passes(*byte) && *byte == separator);
        next = found.map(|length| begin + length + 1);
        Some(trim(bytes, begin..found.map_or(end, |length| begin + length)))
    })
}

/// Name and value of `name[=value]`, without blanks around them.
pub(crate) fn parameter(bytes: &[u8], range: Range<usize>) -> (Range<usize>, Option<Range<usize>>) {
    match bytes[range.clone()].iter().position(|byte| *byte == b'=') {
        Some(length) => {
            let at = range.start + length;
            (trim(bytes, range.start..at), Some(trim(bytes, at + 1..range.end)))
        }
        None => (trim(bytes, range), None),
    }
}

/// A number in digits, nothing else (`1*DIGIT`); `None` also where it is too large.
pub(crate) fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    let digits = std::str::from_utf8(text).ok()?;
    // parse() takes a sign.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(digits)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_its_parts_at_separators_that_are_not_quoted() {
        let text = b" a , \"b, \\\" c\" d,,e\r\n ";
        let parts: Vec<_> = split(text, 0..text.len(), b',')
            .map(|part| String::from_utf8_lossy(&text[part]).into_owned())
            .collect();
        assert_eq!(parts, ["a", "\"b, \\\" c\" d", "", "e"]);
    }

    #[test]
    fn a_number_is_digits_alone() {
        for (text, read) in [("007", Some(7)), ("4294967295", Some(u32::MAX)), ("4294967296", None)] {
            assert_eq!(number::<u32>(text.as_bytes()), read, "{text}");
        }
        for nonsense in ["", "+1", "-1", "1 ", "0x1", "\u{664}"] {
            assert_eq!(number::<u32>(nonsense.as_bytes()), None, "{nonsense}");
        }
    }

    /// RFC 3261 §25.1: every character that a token may have, and no other.
    #[test]
    fn a_token_has_all_its_characters() {
        assert!(is_token(b"azAZ09-.!%*_+`'~"));
        for byte in b"\x00 \t\r\n()<>@,;:\\\"/[]?={}|^#&$\x7f\x80" {
            assert!(!is_token(&[b'a', *byte]), "{byte}");
        }
        assert!(!is_token(b""));
    }
}
