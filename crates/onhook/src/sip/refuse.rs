//! What is wrong with a request, before anybody looks at what it wants (RFC 3261 §8.2).
//!
//! Only what the library lets through comes here; what it cannot parse at all it drops (`docs/torture.md`).

use std::mem::discriminant;

use rsipstack::sip::{self as rsip, Header, prelude::*};
use sip::{Reply, uri};

/// The refusal that a request deserves whatever it asks for; `None` when it is sound.
pub(super) fn refusal(message: &rsip::Request) -> Option<Reply> {
    if message.version != rsip::Version::V2 {
        return Some(Reply::status(505));
    }
    if is_malformed(message) {
        return Some(Reply::status(400));
    }
    // Without a scheme: one with characters that the library takes for a host.
    if !matches!(message.uri.scheme, Some(rsip::Scheme::Sip | rsip::Scheme::Sips)) {
        return Some(Reply::status(416));
    }
    let required = required(message);
    (!required.is_empty()).then(|| Reply::status(420).with("Unsupported", required))
}

/// What an INVITE gets of which no call can come.
pub(super) fn no_call(message: &rsip::Request) -> Reply {
    let has_tag = message.to_header().is_ok_and(|to| uri::tag(to.value()).is_some());
    let otherwise = || match message.headers.iter().find_map(content_type) {
        // Something inside a dialog that we do not have (RFC 3261 §12.2.2).
        _ if has_tag => Reply::status(481),
        // What could never be an offer (RFC 3261 §8.2.3).
        Some(media_type) if !media_type.eq_ignore_ascii_case(sip::APPLICATION_SDP) => {
            Reply::status(415).with("Accept", sip::APPLICATION_SDP)
        }
        _ => Reply::status(480),
    };
    refusal(message).unwrap_or_else(otherwise)
}

/// Without its parameters.
fn content_type(header: &Header) -> Option<&str> {
    match header {
        Header::ContentType(value) => value.value().split(';').next().map(str::trim),
        _ => None,
    }
}

fn is_malformed(message: &rsip::Request) -> bool {
    let mut seen = Vec::new();
    let is_wrong = |header: &Header| match header {
        Header::ContentLength(value) => value
            .value()
            .trim()
            .parse()
            .map_or(true, |length: usize| length > message.body.len()),
        Header::CSeq(value) => value.method().ok() != Some(message.method),
        Header::From(value) => has_open_quote(value.value()),
        Header::To(value) => has_open_quote(value.value()),
        _ => false,
    };
    message.headers.iter().any(|header| {
        let is_repeated = comes_once(header) && seen.contains(&discriminant(header));
        seen.push(discriminant(header));
        is_repeated || is_wrong(header)
    })
}

/// Whether two of it leave open which one is meant (RFC 3261 §7.3.1).
fn comes_once(header: &Header) -> bool {
    matches!(
        header,
        Header::From(_)
            | Header::To(_)
            | Header::CallId(_)
            | Header::CSeq(_)
            | Header::MaxForwards(_)
            | Header::ContentLength(_)
            | Header::ContentType(_)
    )
}

fn has_open_quote(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    quoted
}

/// The extensions that a request outside of any dialog insists on; none has been agreed on there (RFC 3261 §8.2.2.3).
fn required(message: &rsip::Request) -> String {
    let in_dialog = message.to_header().is_ok_and(|to| uri::tag(to.value()).is_some());
    if in_dialog {
        return String::new();
    }
    let extensions = message.headers.iter().filter_map(|header| match header {
        Header::Require(value) => Some(value.value()),
        _ => None,
    });
    extensions.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: \"A \\\"\" <sip:a@h>;tag=f\r\n\
        To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 MESSAGE\r\nContent-Length: 2\r\n\r\nhi";

    /// The status for the sound request with `from` replaced by `to`.
    fn refused(from: &str, to: &str) -> Option<u16> {
        assert!(SOUND.contains(from));
        let message = rsip::Request::try_from(SOUND.replacen(from, to, 1).as_str()).unwrap();
        refusal(&message).map(|reply| reply.status)
    }

    #[test]
    fn a_sound_request_is_not_refused() {
        assert_eq!(refused("", ""), None);
        assert_eq!(refused("Content-Length: 2\r\n", ""), None);
    }

    #[test]
    fn a_request_that_cannot_be_understood_one_way_is_refused() {
        assert_eq!(refused("7 MESSAGE", "7 OPTIONS"), Some(400));
        assert_eq!(refused("Length: 2", "Length: -2"), Some(400));
        assert_eq!(refused("Length: 2", "Length: 3"), Some(400));
        assert_eq!(refused("Call-ID: c", "Call-ID: c\r\ni: d"), Some(400));
        assert_eq!(refused("To: <", "To: \"B <"), Some(400));
    }

    #[test]
    fn another_version_or_scheme_is_refused() {
        assert_eq!(refused("h SIP/2.0", "h SIP/3.0"), Some(505));
        assert_eq!(refused("MESSAGE sip:a@h", "MESSAGE soap.beep://h"), Some(416));
        assert_eq!(refused("MESSAGE sip:a@h", "MESSAGE tel:+4930123"), Some(416));
        assert_eq!(refused("MESSAGE sip:a@h", "MESSAGE SIPS:a@h"), None);
    }

    #[test]
    fn required_extensions_are_named_unless_a_dialog_may_have_agreed_on_them() {
        let message = SOUND.replace("Call-ID", "Require: x, y\r\nRequire: z\r\nCall-ID");
        let reply = refusal(&rsip::Request::try_from(message.as_str()).unwrap()).unwrap();
        assert_eq!(reply.status, 420);
        assert_eq!(reply.headers, [("Unsupported", "x, y, z".to_owned())]);
        let in_dialog = message.replace("To: <sip:b@h>", "To: <sip:b@h>;tag=t");
        let in_dialog = rsip::Request::try_from(in_dialog.as_str()).unwrap();
        assert!(refusal(&in_dialog).is_none());
    }
}
