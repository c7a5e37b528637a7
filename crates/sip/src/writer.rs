//! Prints a message, once, behind what a buffer holds.

use std::fmt::{self, Write as _};

use crate::{method::Method, syntax::is_blank};

/// A message that is being printed: its start line is there, headers follow, [`end`](Self::end) closes it.
///
/// Nothing that a peer wrote can become a line of ours: whatever is printed loses its control characters.
#[derive(Debug)]
#[must_use = "a message ends with its body"]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> Writer<'o> {
    /// Begins a request. A URI ends at the first blank, so it has none (RFC 3261 §7.1).
    pub fn request(out: &'o mut Vec<u8>, method: &Method, request_uri: &str) -> Self {
        let _ = Word(out).write_str(method.as_str());
        out.push(b' ');
        let _ = Word(out).write_str(request_uri);
        out.extend_from_slice(b" SIP/2.0\r\n");
        Self { out }
    }

    /// Begins a response (RFC 3261 §7.2).
    pub fn response(out: &'o mut Vec<u8>, status: u16, reason: impl fmt::Display) -> Self {
        let _ = write!(Line(out), "SIP/2.0 {status} {reason}");
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// One header line.
    pub fn header(&mut self, name: &'static str, value: impl fmt::Display) {
        self.name(name.as_bytes());
        let _ = write!(Line(self.out), "{value}");
        self.out.extend_from_slice(b"\r\n");
    }

    /// The end of the head, and the body with its type and length.
    pub fn end(mut self, body: Option<(&str, &[u8])>) {
        if let Some((content_type, _)) = body {
            self.header("Content-Type", content_type);
        }
        let body = body.map_or(&[][..], |(_, body)| body);
        self.header("Content-Length", body.len());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
    }

    /// The end of a head that says itself how long its body is.
    pub(crate) fn end_as_read(self, body: &[u8]) {
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body);
    }

    pub(crate) fn name(&mut self, name: &[u8]) {
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
    }

    /// A part of a value as a peer wrote it, but for folding.
    pub(crate) fn copy(&mut self, value: &[u8]) {
        unfold(self.out, value);
    }

    pub(crate) fn end_line(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// A whole header line as a peer wrote it.
    pub(crate) fn copy_header(&mut self, name: &str, value: &[u8]) {
        self.name(name.as_bytes());
        self.copy(value);
        self.end_line();
    }

    /// More of the value that is being printed.
    pub(crate) fn more(&mut self, value: impl fmt::Display) {
        let _ = write!(Line(self.out), "{value}");
    }
}

/// Appends a value as a peer wrote it; blanks with a line end among them become one (RFC 3261 §7.3.1).
///
/// Other control characters stay: a quoted one that went missing would change what its backslash quotes.
pub(crate) fn unfold(out: &mut Vec<u8>, mut value: &[u8]) {
    while let Some(at) = value.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let before = value[..at]
            .iter()
            .rposition(|byte| !is_blank(*byte))
            .map_or(0, |last| last + 1);
        out.extend_from_slice(&value[..before]);
        out.push(b' ');
        let after = value[at..].iter().position(|byte| !is_blank(*byte));
        value = after.map_or(&[], |after| &value[at + after..]);
    }
    out.extend_from_slice(value);
}

/// Text without control characters.
struct Line<'o>(&'o mut Vec<u8>);

impl fmt::Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_without(self.0, text, char::is_control);
        Ok(())
    }
}

/// Text without control characters and blanks.
struct Word<'o>(&'o mut Vec<u8>);

impl fmt::Write for Word<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_without(self.0, text, |character| {
            character.is_control() || character.is_whitespace()
        });
        Ok(())
    }
}

fn write_without(out: &mut Vec<u8>, text: &str, is_left_out: impl Fn(char) -> bool) {
    for part in text.split(is_left_out) {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §7.
    #[test]
    fn a_message_is_start_line_headers_and_body() {
        let mut out = b"before ".to_vec();
        let mut request = Writer::request(&mut out, &Method::Bye, "sip:a@h;Transport=TCP");
        request.header("CSeq", format_args!("{} {}", 7, Method::Bye));
        request.end(None);
        let mut response = Writer::response(&mut out, 200, "OK");
        response.header("Server", "x/1");
        response.end(Some(("text/plain", b"a\r\nb")));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "before BYE sip:a@h;Transport=TCP SIP/2.0\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n\
             SIP/2.0 200 OK\r\nServer: x/1\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na\r\nb"
        );
    }

    #[test]
    fn what_peers_wrote_makes_no_line_of_ours() {
        let mut out = Vec::new();
        let method = Method::Other("A\r\nB C".into());
        let mut request = Writer::request(&mut out, &method, "sip:a\r\nVia: x@h\u{85} y");
        request.header("Route", "<sip:p\r\nX: y>\0\u{7f}");
        request.copy_header("To", b" \r\n\r\n <sip:a@h>\n\n;tag\r\n\t=x\ry \\\0\r\n ");
        request.end(Some(("a\r\nb", b"")));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ABC sip:aVia:x@hy SIP/2.0\r\nRoute: <sip:pX: y>\r\nTo:  <sip:a@h> ;tag =x y \\\0 \r\nContent-Type: ab\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }
}
