//! The top Via: by whom and in which transaction a message was sent (RFC 3261 §20.42).

use std::ops::Range;

use crate::{
    syntax::{is_blank, is_token, parameter, split, trim},
    uri,
};

/// The magic cookie of RFC 3261 §8.1.1.7.
const COOKIE: &[u8] = b"z9hG4bK";

/// Where the parts of the first `via-parm` of a line stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopVia {
    /// The whole of it, up to the comma before the next.
    pub(crate) whole: Range<usize>,
    pub(crate) sent_by: Range<usize>,
    /// Empty without one, as RFC 2543 allows.
    pub(crate) branch: Range<usize>,
}

impl TopVia {
    /// Reads a value of Via; what is wrong with it otherwise.
    pub(crate) fn read(bytes: &[u8], value: Range<usize>) -> Result<Self, &'static str> {
        let whole = split(bytes, value, b',').next().unwrap_or_default();
        let mut parts = split(bytes, whole.clone(), b';');
        let sent = parts.next().unwrap_or_default();
        let sent_by = sent_by(bytes, sent).ok_or("a Via that names no sender")?;
        let mut branch = None;
        for part in parts {
            // A semicolon too many at the end leaves no doubt.
            if part.is_empty() && part.end == whole.end {
                continue;
            }
            let (name, value) = parameter(bytes, part);
            if !is_token(&bytes[name.clone()]) {
                return Err("a Via with an empty parameter");
            }
            if bytes[name].eq_ignore_ascii_case(b"branch") && branch.is_none() {
                branch = value;
            }
        }
        let branch = branch.unwrap_or(whole.end..whole.end);
        let text = &bytes[branch.clone()];
        // It names a transaction and would be the same for all of them (RFC 4475 §3.2.1).
        if text.eq_ignore_ascii_case(COOKIE) {
            return Err("a branch that is nothing but the cookie");
        }
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err("a branch that is no token");
        }
        Ok(Self { whole, sent_by, branch })
    }
}

/// What follows `SIP/2.0/UDP`, where there may be blanks around each slash.
fn sent_by(bytes: &[u8], sent: Range<usize>) -> Option<Range<usize>> {
    let mut parts = split(bytes, sent, b'/');
    let (name, version, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let blank = rest.start + bytes[rest.clone()].iter().position(|byte| is_blank(*byte))?;
    let sent_by = trim(bytes, blank..rest.end);
    let is_protocol = [name, version, rest.start..blank]
        .into_iter()
        .all(|part| is_token(&bytes[part]));
    let text = std::str::from_utf8(&bytes[sent_by.clone()]).ok()?;
    (is_protocol && parts.next().is_none() && uri::host_port_of(text).is_some()).then_some(sent_by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(&str, &str), &'static str> {
        let read = TopVia::read(text.as_bytes(), 0..text.len())?;
        Ok((&text[read.sent_by], &text[read.branch]))
    }

    /// RFC 3261 §20.42, §25.1.
    #[test]
    fn a_via_names_sender_and_branch() {
        for (text, sent_by, branch) in [
            ("SIP/2.0/UDP h;branch=z9hG4bKx", "h", "z9hG4bKx"),
            (
                "SIP  /   2.0\r\n /UDP\r\n    192.0.2.77;branch=390skdjuw",
                "192.0.2.77",
                "390skdjuw",
            ),
            (
                "SIP/2.0/TCP [2001:db8::9:1]:6050 ; Branch\t=\r\n x ;rport, SIP/2.0/UDP i",
                "[2001:db8::9:1]:6050",
                "x",
            ),
            (
                "SIP/2.0/UDP h : 5060;received=2001:db8::9:255;branch=a=b==",
                "h : 5060",
                "a=b==",
            ),
            ("SIP/2.0/UNKNOWN h;x=\"a;branch=no, b\";branch=y;branch=z", "h", "y"),
            ("SIP/7.0/UDP h", "h", ""),
            ("SIP/2.0/UDP h;branch", "h", ""),
            ("SIP/2.0/UDP h;branch=z9hG4bK-.!%66*_+`'~", "h", "z9hG4bK-.!%66*_+`'~"),
        ] {
            assert_eq!(read(text), Ok((sent_by, branch)), "{text}");
        }
    }

    /// RFC 4475 §3.1.2.1.
    #[test]
    fn what_names_nobody_is_none() {
        for text in [
            "",
            ",",
            "h;branch=x",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ;branch=x",
            "SIP/2.0 h",
            "SIP/2.0/UDP/x h",
            "SIP/2.0/UDP h i",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP 2001:db8::1",
            "/2.0/UDP h",
        ] {
            assert_eq!(read(text), Err("a Via that names no sender"), "{text}");
        }
        assert_eq!(read("SIP/2.0/UDP h;branch=x; "), Ok(("h", "x")));
        for text in [
            "SIP/2.0/UDP h;;branch=x",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h;;, SIP/2.0/UDP i",
            "SIP/2.0/UDP h;=x",
            "SIP/2.0/UDP h;\";\"",
        ] {
            assert_eq!(read(text), Err("a Via with an empty parameter"), "{text}");
        }
        assert!(read("SIP/2.0/UDP h;branch=z9hG4bK").is_err());
        assert!(read("SIP/2.0/UDP h;branch=z9hG4bK a").is_err());
        assert!(read("SIP/2.0/UDP h;branch=\u{e4}").is_err());
    }
}
