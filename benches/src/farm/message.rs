//! As much of SIP's wire format as a phone of the farm needs: it reads requests and copies headers.

use std::fmt::Write as _;

/// A request, as it came.
pub(super) struct Request<'p> {
    pub(super) method: &'p str,
    /// The user of the Request-URI. The farm's `Contact` names it as well, so it is the same inside the dialog.
    pub(super) number: &'p str,
    head: &'p str,
}

impl<'p> Request<'p> {
    /// `None` for a response, and for what is neither.
    pub(super) fn parse(packet: &'p [u8]) -> Option<Self> {
        let (head, _) = str::from_utf8(packet).ok()?.split_once("\r\n\r\n")?;
        let (method, rest) = head.split_once(' ')?;
        if method.starts_with("SIP/") {
            return None;
        }
        let target = rest.split(' ').next()?;
        let number = target.strip_prefix("sip:")?.split('@').next()?;
        Some(Self { method, number, head })
    }

    fn lines(&self) -> impl Iterator<Item = (&'p str, &'p str)> {
        let lines = self.head.split("\r\n").skip(1);
        lines.filter_map(|line| Some((line.split_once(':')?.0, line)))
    }

    pub(super) fn header(&self, name: &str) -> &'p str {
        self.lines()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map_or("", |(own, line)| line[own.len() + 1..].trim())
    }

    /// Of the topmost Via.
    pub(super) fn branch(&self) -> &'p str {
        let via = self.header("Via");
        via.split_once("branch=")
            .map_or("", |(_, branch)| branch.split(';').next().unwrap_or_default())
    }

    pub(super) fn is_inside_a_dialog(&self) -> bool {
        self.header("To").contains(";tag=")
    }

    /// A response: what RFC 3261 §8.2.6.2 has copied, then `extra` headers, each with its line's end, and a body.
    pub(super) fn response(&self, status: &str, tag: &str, extra: &str, body: &str) -> String {
        const COPIED: [&str; 5] = ["Via", "From", "Call-ID", "CSeq", "Record-Route"];
        let mut text = String::with_capacity(self.head.len() + extra.len() + body.len() + 64);
        let _ = write!(text, "SIP/2.0 {status}\r\n");
        for (name, line) in self.lines() {
            if COPIED.iter().any(|copied| name.eq_ignore_ascii_case(copied)) {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        let to = self.header("To");
        let _ = write!(text, "To: {to}");
        if !to.contains(";tag=") {
            let _ = write!(text, ";tag={tag}");
        }
        let _ = write!(text, "\r\n{extra}Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] =
        b"INVITE sip:3000007@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKa;rport\r\n\
        From: <sip:o@h>;tag=f\r\nTo: <sip:3000007@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nX: y\r\n\r\nv=0\r\n";

    #[test]
    fn a_response_copies_what_it_must_and_names_the_phone() {
        let invite = Request::parse(INVITE).unwrap();
        assert_eq!(
            (invite.method, invite.number, invite.branch()),
            ("INVITE", "3000007", "z9hG4bKa")
        );
        assert!(!invite.is_inside_a_dialog());
        assert_eq!(
            invite.response("200 OK", "t", "Contact: <sip:3000007@127.0.0.1>\r\n", "v=0\r\n"),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bKa;rport\r\nFrom: <sip:o@h>;tag=f\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\nTo: <sip:3000007@h>;tag=t\r\nContact: <sip:3000007@127.0.0.1>\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        );
    }

    #[test]
    fn what_is_no_request_is_none() {
        for bytes in [
            &b"SIP/2.0 200 OK\r\n\r\n"[..],
            b"INVITE",
            b"\xff\r\n\r\n",
            b"INVITE tel:1 SIP/2.0\r\n\r\n",
        ] {
            assert!(Request::parse(bytes).is_none());
        }
    }
}
