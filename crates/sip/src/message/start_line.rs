//! The first line of a message (RFC 3261 §7.1, §7.2).

use std::ops::Range;

use crate::{
    method::Method,
    syntax::{is_blank, is_token, number, trim},
};

use super::{Start, Unreadable};

/// What a start line says, and where.
#[derive(Clone, Debug)]
pub(crate) struct StartLine {
    pub(crate) start: Start,
    /// The Request-URI; of a response, its reason phrase.
    pub(crate) text: Range<usize>,
    /// Whether its SIP-Version is 2.0. Always true of a response.
    pub(crate) is_version_2: bool,
}

impl StartLine {
    pub(crate) fn read(bytes: &[u8], line: Range<usize>) -> Result<Self, Unreadable> {
        let line = line.start..trim(bytes, line).end;
        let text = &bytes[line.clone()];
        if is_sip_version(text.split(|byte| is_blank(*byte)).next().unwrap_or_default()).is_some() {
            return Self::response(bytes, line);
        }
        let first = text.iter().position(|byte| is_blank(*byte));
        let last = text.iter().rposition(|byte| is_blank(*byte));
        let (Some(first), Some(last)) = (first, last) else {
            return Err(Unreadable("no start line"));
        };
        let method = &text[..first];
        let is_version_2 = is_sip_version(&text[last + 1..]).ok_or(Unreadable("no SIP version"))?;
        let method = Some(method)
            .filter(|method| is_token(method))
            .and_then(|method| std::str::from_utf8(method).ok());
        Ok(Self {
            start: Start::Request(Method::parse(method.ok_or(Unreadable("no method"))?)),
            // One blank stands on each side, and none inside. More around it leave no doubt (RFC 4475 §3.1.2.9).
            text: trim(bytes, line.start + first..line.start + last),
            is_version_2,
        })
    }

    fn response(bytes: &[u8], line: Range<usize>) -> Result<Self, Unreadable> {
        let text = &bytes[line.clone()];
        let (version, rest) = text.split_at(text.iter().position(|byte| is_blank(*byte)).unwrap_or(text.len()));
        if is_sip_version(version) != Some(true) {
            return Err(Unreadable("a response in another version"));
        }
        let status = trim(bytes, line.end - rest.len()..line.end);
        let digits = bytes[status.clone()]
            .iter()
            .take_while(|byte| !is_blank(**byte))
            .count();
        let status_code = number::<u16>(&bytes[status.start..status.start + digits]);
        let status_code = status_code.filter(|code| digits == 3 && (100..700).contains(code));
        Ok(Self {
            start: Start::Response(status_code.ok_or(Unreadable("no status"))?),
            text: trim(bytes, status.start + digits..status.end),
            is_version_2: true,
        })
    }
}

/// Whether a `SIP-Version` is 2.0; `None` when it is none. Case does not matter (RFC 3261 §7.1).
fn is_sip_version(text: &[u8]) -> Option<bool> {
    let (name, version) = text.split_at_checked(4)?;
    let mut numbers = version.split(|byte| *byte == b'.');
    let mut digits = || {
        numbers
            .next()
            .filter(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    };
    let (major, minor) = (digits()?, digits()?);
    (name.eq_ignore_ascii_case(b"SIP/") && numbers.next().is_none()).then(|| (major, minor) == (b"2", b"0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Start, &str, bool), &'static str> {
        let read = StartLine::read(line.as_bytes(), 0..line.len()).map_err(|why| why.0)?;
        Ok((read.start, &line[read.text], read.is_version_2))
    }

    /// RFC 3261 §7.1.
    #[test]
    fn a_request_has_method_uri_and_version() {
        let options = || Start::Request(Method::Options);
        for (line, uri, is_version_2) in [
            ("OPTIONS sip:a@h SIP/2.0", "sip:a@h", true),
            ("OPTIONS sip:a@h sip/2.0", "sip:a@h", true),
            ("OPTIONS  sip:a@h\t  SIP/2.0  ", "sip:a@h", true),
            ("OPTIONS sip:a@h; lr SIP/2.0", "sip:a@h; lr", true),
            ("OPTIONS sip:a@h SIP/7.0", "sip:a@h", false),
            ("OPTIONS sip:a@h SIP/2.00", "sip:a@h", false),
            ("OPTIONS SIP/2.0", "", true),
        ] {
            assert_eq!(read(line), Ok((options(), uri, is_version_2)), "{line}");
        }
        let unusual = "!interesting-Method0123456789_*+`.%indeed'~";
        assert_eq!(
            read(&format!("{unusual} sip:a SIP/2.0")).map(|(start, ..)| start),
            Ok(Start::Request(Method::Other(unusual.into())))
        );
        assert_eq!(
            read("options sip:a SIP/2.0").unwrap().0,
            Start::Request(Method::Other("options".into()))
        );
    }

    /// RFC 3261 §7.2, RFC 4475 §3.1.1.12, §3.1.1.13.
    #[test]
    fn a_response_has_version_status_and_reason() {
        for (line, status, reason) in [
            ("SIP/2.0 200 OK", 200, "OK"),
            ("sip/2.0 100 ", 100, ""),
            ("SIP/2.0 699", 699, ""),
            (
                "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}",
                200,
                "= 2**3 * 5**2 \u{43d}\u{43e}",
            ),
        ] {
            assert_eq!(read(line), Ok((Start::Response(status), reason, true)), "{line}");
        }
    }

    /// RFC 4475 §3.1.2.19 and others.
    #[test]
    fn what_is_no_start_line_is_unreadable() {
        for (line, why) in [
            ("", "no start line"),
            ("OPTIONS", "no start line"),
            ("GET / HTTP/1.1", "no SIP version"),
            ("OPTIONS sip:a@h", "no SIP version"),
            ("OPTIONS sip:a@h SIP/2.0.1", "no SIP version"),
            ("OPTIONS sip:a@h SIP/", "no SIP version"),
            ("OPT(ONS sip:a@h SIP/2.0", "no method"),
            (" OPTIONS sip:a@h SIP/2.0", "no method"),
            ("SIP/2.0 4294967301 better not break the receiver", "no status"),
            ("SIP/2.0 099 x", "no status"),
            ("SIP/2.0 700 x", "no status"),
            ("SIP/2.0 20 x", "no status"),
            ("SIP/2.0 2000", "no status"),
            ("SIP/2.0", "no status"),
            ("SIP/3.0 200 OK", "a response in another version"),
        ] {
            assert_eq!(read(line).unwrap_err(), why, "{line}");
        }
    }
}
