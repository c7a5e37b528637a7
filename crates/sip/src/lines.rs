//! The lines of a head: where each begins and ends, folded ones as one (RFC 3261 §7.3.1).

use std::ops::Range;

use crate::{
    header_name::HeaderName,
    syntax::{is_token, trim},
};

/// Lines that a head may have; the longest of RFC 4475 has 50.
pub(crate) const MOST_LINES: usize = 256;

/// Goes through a head line by line, the start line first, up to the empty line.
pub(crate) struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Whether a line feed stood somewhere without its carriage return.
    pub(crate) has_bare_line_feed: bool,
}

impl<'b> Lines<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            has_bare_line_feed: false,
        }
    }

    /// The next line without its end, continuation lines included; empty at the end of the head. `None` when the head does
    /// not end.
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        let begin = self.at;
        let mut from = begin;
        loop {
            let line_feed = from + self.bytes.get(from..)?.iter().position(|byte| *byte == b'\n')?;
            from = line_feed + 1;
            if line_feed == begin || self.bytes[line_feed - 1] != b'\r' {
                self.has_bare_line_feed = true;
                continue;
            }
            let end = line_feed - 1;
            // Nothing continues the empty line.
            let goes_on = end > begin && matches!(self.bytes.get(from), Some(b' ' | b'\t'));
            if !goes_on {
                self.at = from;
                return Some(begin..end);
            }
        }
    }

    /// Where what follows the lines that were read begins.
    pub(crate) fn position(&self) -> usize {
        self.at
    }
}

/// One header line of a message, in eight bytes. Messages are no longer than 64 KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) header: HeaderName,
    begin: u16,
    value: u16,
    end: u16,
}

impl Line {
    /// Reads a line; `None` when there is no name before a colon.
    pub(crate) fn read(bytes: &[u8], line: Range<usize>) -> Option<Self> {
        let colon = line.start + bytes[line.clone()].iter().position(|byte| *byte == b':')?;
        // Blanks may stand before the colon, but no line end (HCOLON, RFC 3261 §25.1).
        let blanks = bytes[line.start..colon]
            .iter()
            .rev()
            .take_while(|byte| matches!(byte, b' ' | b'\t'));
        let name = line.start..colon - blanks.count();
        if !is_token(&bytes[name.clone()]) {
            return None;
        }
        let value = trim(bytes, colon + 1..line.end);
        Some(Self {
            header: HeaderName::read(&bytes[name]),
            begin: u16::try_from(line.start).ok()?,
            value: u16::try_from(value.start).ok()?,
            end: u16::try_from(value.end).ok()?,
        })
    }

    /// The name as it was written.
    pub(crate) fn name<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let line = &bytes[usize::from(self.begin)..usize::from(self.value)];
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        line[..colon].trim_ascii_end()
    }

    /// Where its value stands, without blanks around it.
    pub(crate) fn value(&self) -> Range<usize> {
        usize::from(self.value)..usize::from(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(head: &str) -> Option<Vec<String>> {
        let mut lines = Lines::new(head.as_bytes());
        let mut all = Vec::new();
        loop {
            let line = lines.next()?;
            if line.is_empty() {
                assert_eq!(lines.position(), head.find("\r\n\r\n").unwrap() + 4);
                return Some(all);
            }
            all.push(head[line].to_owned());
        }
    }

    /// RFC 3261 §7.3.1.
    #[test]
    fn a_line_that_begins_with_a_blank_belongs_to_the_one_before() {
        assert_eq!(
            lines("a\r\nb: 1\r\n 2\r\n\t\r\nc:\r\n\r\n d\r\n").unwrap(),
            ["a", "b: 1\r\n 2\r\n\t", "c:"]
        );
        assert_eq!(lines("a\r\nb: 1\n\r\r\nc\r\n\r\n").unwrap(), ["a", "b: 1\n\r", "c"]);
        for without_end in ["", "a", "a\r\n", "a\r\n\n", "a\r\n \r\n", "a\n\nb"] {
            assert_eq!(lines(without_end), None, "{without_end:?}");
        }
    }

    #[test]
    fn a_line_is_small() {
        assert_eq!(size_of::<Line>(), 8);
    }

    #[test]
    fn a_line_has_a_name_and_a_value() {
        let read = |line: &'static str| {
            let bytes = line.as_bytes();
            Line::read(bytes, 0..line.len()).map(|read| (read.name(bytes), &line[read.value()]))
        };
        assert_eq!(read("To \t:\r\n x:y \r\n "), Some((&b"To"[..], "x:y")));
        assert_eq!(read("C%6Fntact:"), Some((&b"C%6Fntact"[..], "")));
        for nonsense in ["", ":", " a: b", "a b: c", "To", "a\r\n : b", "\u{e4}: b"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
