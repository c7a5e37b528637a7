//! A message that came from outside: read once, looked at in place.

use std::{borrow::Cow, net::SocketAddr, ops::Range};

use crate::{
    message::{Branch, CSeq, CallIdHeader, Challenge, Method, Reply, Request, Response, Tag},
    session_headers::SessionHeaders,
    uri,
};

/// Hops of a recorded route that are kept: nobody's calls pass so many proxies.
const HOPS: usize = 32;

/// Why nothing can be done with what came: not even a refusal could be addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no SIP message: {0}")]
pub struct Unreadable(pub &'static str);

/// What a message begins with (RFC 3261 §7.1, §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request(Method),
    Response(u16),
}

/// A message, as far as it had to be read to know whose it is.
#[derive(Clone, Debug)]
pub struct Message<'b> {
    bytes: &'b [u8],
    start: Start,
    lines: Vec<Line>,
    body: Range<usize>,
    branch: Range<usize>,
    cseq: CSeq,
    fault: Option<Reply>,
}

#[derive(Clone, Debug)]
struct Line {
    name: Range<usize>,
    value: Range<usize>,
}

impl<'b> Message<'b> {
    /// Reads a datagram, or one message that was cut from a stream.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when nothing can be answered to it. What can be refused is a message with a [`fault`](Self::fault).
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        let end = find(bytes, b"\r\n\r\n").ok_or(Unreadable("no empty line"))?;
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Unreadable("no text"))?;
        let mut at = text.find("\r\n").unwrap_or(text.len());
        let first = &text[..at];
        let start = match first.strip_prefix("SIP/2.0 ") {
            Some(rest) => {
                let status = rest.get(..3).and_then(|status| status.parse().ok());
                Start::Response(status.ok_or(Unreadable("no status"))?)
            }
            None => {
                let (method, _) = first.split_once(' ').ok_or(Unreadable("no start line"))?;
                Start::Request(Method::parse(method))
            }
        };
        let mut lines: Vec<Line> = Vec::new();
        while at < end {
            let begin = at + 2;
            at = text[begin..].find("\r\n").map_or(end, |length| begin + length);
            let line = &text[begin..at];
            if line.starts_with([' ', '\t']) {
                if let Some(last) = lines.last_mut() {
                    last.value.end = at;
                }
                continue;
            }
            let colon = line.find(':').ok_or(Unreadable("a line without a colon"))?;
            let name = begin..begin + line[..colon].trim_end().len();
            let value = line[colon + 1..].trim();
            let from = begin + colon + 1 + (line[colon + 1..].len() - line[colon + 1..].trim_start().len());
            lines.push(Line {
                name,
                value: from..from + value.len(),
            });
        }
        let body = end + 4;
        let mut message = Self {
            bytes,
            start,
            lines,
            body: body..bytes.len(),
            branch: 0..0,
            cseq: CSeq {
                number: 0,
                method: Method::Ack,
            },
            fault: None,
        };
        if let Some(length) = message
            .header("Content-Length")
            .and_then(|value| value.parse::<usize>().ok())
        {
            message.body.end = message.body.end.min(body + length);
        }
        let cseq = message.header("CSeq").ok_or(Unreadable("no CSeq"))?;
        let (number, method) = cseq.trim().split_once(' ').ok_or(Unreadable("no CSeq"))?;
        message.cseq = CSeq {
            number: number.parse().map_err(|_| Unreadable("no CSeq number"))?,
            method: Method::parse(method.trim()),
        };
        let via = message.line("Via").ok_or(Unreadable("no Via"))?.value.clone();
        let parameter = text[via.clone()].find(";branch=").ok_or(Unreadable("no branch"))?;
        let from = via.start + parameter + ";branch=".len();
        let length = text[from..via.end].find([';', ',', ' ']).unwrap_or(via.end - from);
        message.branch = from..from + length;
        for name in ["Call-ID", "From", "To"] {
            message.line(name).ok_or(Unreadable("a header is missing"))?;
        }
        Ok(message)
    }

    /// What it begins with.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The method of a request; of a response, that of its `CSeq`.
    #[must_use]
    pub fn method(&self) -> &Method {
        match &self.start {
            Start::Request(method) => method,
            Start::Response(_) => &self.cseq.method,
        }
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request(_) => None,
            Start::Response(status) => Some(status),
        }
    }

    /// What is wrong with a request whatever it asks for, as the answer that says so (RFC 3261 §8.2).
    #[must_use]
    pub fn fault(&self) -> Option<&Reply> {
        self.fault.as_ref()
    }

    /// The Request-URI as it was written; of a response, nothing.
    #[must_use]
    pub fn request_uri(&self) -> &str {
        let first = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = std::str::from_utf8(first).unwrap_or_default().split(' ');
        match self.start {
            Start::Request(_) => words.nth(1).unwrap_or_default(),
            Start::Response(_) => "",
        }
    }

    /// The `branch` of the top Via (RFC 3261 §17.1.3, §17.2.3).
    #[must_use]
    pub fn branch(&self) -> &str {
        self.text(&self.branch)
    }

    /// Host and port of the top Via, as they were written.
    #[must_use]
    pub fn sent_by(&self) -> &str {
        let via = self.line("Via").map_or("", |line| self.text(&line.value));
        let value = via.split([';', ',']).next().unwrap_or_default().trim();
        value.split_once([' ', '\t']).map_or("", |(_, sent_by)| sent_by.trim())
    }

    /// How many hops its Vias name.
    #[must_use]
    pub fn vias(&self) -> usize {
        self.headers("Via").map(|value| uri::split_list(&value).len()).sum()
    }

    #[must_use]
    pub fn call_id(&self) -> &str {
        self.line("Call-ID").map_or("", |line| self.text(&line.value))
    }

    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.line("From").and_then(|line| uri::tag(self.text(&line.value)))
    }

    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.line("To").and_then(|line| uri::tag(self.text(&line.value)))
    }

    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        &self.cseq
    }

    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.clone()]
    }

    /// The first value of a header by its full name; compact forms and folded lines are read, too.
    #[must_use]
    pub fn header<'s>(&'s self, name: &'s str) -> Option<Cow<'s, str>> {
        self.headers(name).next()
    }

    /// All lines of a header, one value a line, as they were written but for folding.
    pub fn headers<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> + 's {
        let lines = self
            .lines
            .iter()
            .filter(move |line| is_named(self.text(&line.name), name));
        lines.map(|line| unfolded(self.text(&line.value)))
    }

    /// What a call sees of a response.
    #[must_use]
    pub fn response(&self) -> Response {
        let of = |name| self.header(name).unwrap_or_default().into_owned();
        let first = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let reason = String::from_utf8_lossy(first.get(12..).unwrap_or_default())
            .trim()
            .to_owned();
        let challenges = |name: &'static str, proxy| {
            self.headers(name).map(move |value| Challenge {
                proxy,
                value: value.into_owned(),
            })
        };
        let mut record_route = self.record_route();
        Response {
            status: self.status().unwrap_or_default(),
            reason,
            branch: Branch::new(self.branch()),
            call_id: CallIdHeader::new(self.call_id()),
            from: of("From"),
            to: of("To"),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq.clone(),
            contact: self.contact(),
            // Who recorded last stands first, the farthest from the caller: the nearest are kept.
            record_route: record_route.split_off(record_route.len().saturating_sub(HOPS)),
            challenges: challenges("WWW-Authenticate", false)
                .chain(challenges("Proxy-Authenticate", true))
                .collect(),
            retry_after: self.header("Retry-After").and_then(|value| leading_number(&value)),
            session: self.session(),
            content_type: self.header("Content-Type").map(Cow::into_owned),
            body: self.body().to_vec(),
        }
    }

    /// What a call sees of a request.
    #[must_use]
    pub fn request(&self) -> Request {
        let of = |name| self.header(name).unwrap_or_default().into_owned();
        let mut record_route = self.record_route();
        record_route.truncate(HOPS);
        Request {
            method: self.method().clone(),
            request_uri: self.request_uri().to_owned(),
            call_id: CallIdHeader::new(self.call_id()),
            from: of("From"),
            from_tag: self.from_tag().map(Tag::new),
            to: of("To"),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq.clone(),
            contact: self.contact(),
            record_route,
            session: self.session(),
            content_type: self.header("Content-Type").map(Cow::into_owned),
            body: self.body().to_vec(),
        }
    }

    /// Prints our response to this request behind what `out` holds. `to_tag` is added where the request has none
    /// (RFC 3261 §8.2.6.2); the top Via says where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn print_reply(&self, out: &mut Vec<u8>, source: SocketAddr, to_tag: &Tag, reply: &Reply, server: &str) {
        let mut text = format!("SIP/2.0 {} {}\r\n", reply.status, reason_phrase(reply.status));
        let mut line = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        };
        for (at, via) in self.headers("Via").enumerate() {
            let value = if at == 0 {
                via_from(&via, source)
            } else {
                via.into_owned()
            };
            line("Via", &value);
        }
        if *self.method() == Method::Invite && (101..300).contains(&reply.status) {
            for route in self.headers("Record-Route") {
                line("Record-Route", &route);
            }
        }
        line("From", &self.header("From").unwrap_or_default());
        let to = self.header("To").unwrap_or_default();
        if reply.status == 100 || self.to_tag().is_some() {
            line("To", &to);
        } else {
            line("To", &format!("{to};tag={to_tag}"));
        }
        line("Call-ID", self.call_id());
        line("CSeq", &self.header("CSeq").unwrap_or_default());
        for (name, value) in &reply.headers {
            line(name, value);
        }
        line("Server", server);
        let body = reply.body.as_ref();
        if let Some((content_type, _)) = body {
            line("Content-Type", content_type);
        }
        line("Content-Length", &body.map_or(0, |(_, body)| body.len()).to_string());
        text.push_str("\r\n");
        text.push_str(body.map_or("", |(_, body)| body));
        out.extend_from_slice(text.as_bytes());
    }

    fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| is_named(self.text(&line.name), name))
    }

    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()
    }

    fn contact(&self) -> Option<String> {
        let value = self.header("Contact")?;
        let first = uri::split_list(&value).first().copied()?;
        Some(uri::addr_spec(first).to_owned()).filter(|uri| !uri.is_empty() && uri != "*")
    }

    fn record_route(&self) -> Vec<String> {
        let values = self.headers("Record-Route");
        values
            .flat_map(|value| {
                uri::split_list(&value)
                    .into_iter()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn session(&self) -> SessionHeaders {
        let mut session = SessionHeaders::default();
        for name in ["Session-Expires", "Min-SE", "Supported", "Require", "Allow"] {
            for value in self.headers(name) {
                session.note(name, &value);
            }
        }
        session
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn is_named(written: &str, name: &str) -> bool {
    let compact = match name {
        "Via" => "v",
        "From" => "f",
        "To" => "t",
        "Call-ID" => "i",
        "Contact" => "m",
        "Content-Type" => "c",
        "Content-Length" => "l",
        "Supported" => "k",
        "Session-Expires" => "x",
        _ => name,
    };
    written.eq_ignore_ascii_case(name) || written.eq_ignore_ascii_case(compact)
}

fn unfolded(value: &str) -> Cow<'_, str> {
    if value.contains('\r') {
        Cow::Owned(value.split("\r\n").map(str::trim).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(value)
    }
}

fn via_from(via: &str, source: SocketAddr) -> String {
    let (top, rest) = via.split_once(',').map_or((via, None), |(top, rest)| (top, Some(rest)));
    let asks = top
        .split(';')
        .any(|parameter| parameter.trim().eq_ignore_ascii_case("rport"));
    let mut value = top
        .split(';')
        .filter(|parameter| !parameter.trim().eq_ignore_ascii_case("rport"))
        .collect::<Vec<_>>()
        .join(";");
    value.push_str(&format!(";received={}", source.ip()));
    if asks {
        value.push_str(&format!(";rport={}", source.port()));
    }
    if let Some(rest) = rest {
        value.push(',');
        value.push_str(rest);
    }
    value
}

fn leading_number(text: &str) -> Option<u32> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// The phrase for a status of ours (RFC 3261 §21).
fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "Version Not Supported",
        603 => "Decline",
        _ => "Unknown",
    }
}
