//! As much of SIP's wire format as a phone needs that only ever copies headers.

use std::fmt::Write as _;

pub(super) struct Message {
    start: String,
    headers: Vec<(String, String)>,
}

impl Message {
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let text = str::from_utf8(packet).ok()?;
        let (head, _) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Self { start, headers })
    }

    /// `None` for a response.
    pub(super) fn method(&self) -> Option<&str> {
        let method = self.start.split(' ').next()?;
        (!method.starts_with("SIP/")).then_some(method)
    }

    /// `None` for a request.
    pub(super) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The user of the Request-URI: the number that was dialled.
    pub(super) fn number(&self) -> Option<&str> {
        Some(self.start.split_once(" sip:")?.1.split_once('@')?.0)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn branch(&self) -> &str {
        self.header("Via").map_or("", |via| parameter(via, "branch"))
    }

    pub(super) fn tag_of_to(&self) -> &str {
        self.header("To").map_or("", |to| parameter(to, "tag"))
    }

    pub(super) fn tag_of_from(&self) -> &str {
        self.header("From").map_or("", |from| parameter(from, "tag"))
    }

    /// What the message is about, in a response: the method of `CSeq`.
    pub(super) fn of_method(&self) -> &str {
        self.header("CSeq")
            .and_then(|cseq| cseq.split(' ').next_back())
            .unwrap_or("")
    }

    /// A response to this request, ready for `extra` headers (each with its line end) and a body.
    pub(super) fn response(&self, line: &str, tag: &str, extra: &str, body: &str) -> String {
        let mut text = format!("SIP/2.0 {line}\r\n");
        for (name, value) in &self.headers {
            let copied = ["via", "from", "call-id", "cseq", "record-route"];
            if copied.contains(&name.to_ascii_lowercase().as_str()) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        let to = self.header("To").unwrap_or("");
        let tag = if self.tag_of_to().is_empty() && !tag.is_empty() {
            format!(";tag={tag}")
        } else {
            String::new()
        };
        let _ = write!(
            text,
            "To: {to}{tag}\r\n{extra}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        text
    }
}

fn parameter<'v>(value: &'v str, name: &str) -> &'v str {
    value
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(own, _)| own.eq_ignore_ascii_case(name))
        .map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_copies_what_it_must_and_names_the_leg() {
        let invite = Message::parse(
            b"INVITE sip:4711@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;rport;branch=z9hG4bKa\r\n\
              From: <sip:o@h>;tag=f\r\nTo: <sip:4711@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nX: y\r\n\r\n",
        )
        .unwrap();
        assert_eq!((invite.method(), invite.number()), (Some("INVITE"), Some("4711")));
        assert_eq!((invite.branch(), invite.tag_of_to()), ("z9hG4bKa", ""));
        let answer = invite.response("200 OK", "t", "", "");
        let answer = Message::parse(answer.as_bytes()).unwrap();
        assert_eq!(
            (answer.status(), answer.tag_of_to(), answer.tag_of_from()),
            (Some(200), "t", "f")
        );
        assert_eq!((answer.of_method(), answer.branch()), ("INVITE", "z9hG4bKa"));
        assert_eq!(answer.header("X"), None);
    }
}
