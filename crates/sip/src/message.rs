//! A message that came from outside: read once, looked at in place.

mod head;
mod outside_dialog;
mod reply;
mod start_line;
mod via;
mod views;

use std::{borrow::Cow, fmt, ops::Range};

use crate::{
    fields::CSeq, header_name::HeaderName, lines::Line, method::Method, outgoing::Reply, syntax::split, writer::Writer,
};
use head::Head;
pub use views::{Request, Response};

/// Why nothing can be done with what came: not even a refusal could be addressed, or it is a response that is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no SIP message: {0}")]
pub struct Unreadable(pub &'static str);

/// What a message begins with (RFC 3261 §7.1, §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Request(Method),
    Response(u16),
}

/// A message, as far as it had to be read to know whose it is. All else is read when it is asked for.
#[derive(Clone)]
pub struct Message<'b> {
    bytes: &'b [u8],
    head: Head,
}

impl<'b> Message<'b> {
    /// Reads a datagram, or one message that was cut from a stream: up to 64 KiB and 256 header lines.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] when nothing can be answered to it. What can be refused is a message with a [`fault`](Self::fault).
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Unreadable> {
        let head = Head::read(bytes)?;
        Ok(Self { bytes, head })
    }

    /// What it begins with.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.head.start_line.start
    }

    /// The method of a request; of a response, that of its `CSeq`.
    #[must_use]
    pub fn method(&self) -> &Method {
        match self.start() {
            Start::Request(method) => method,
            Start::Response(_) => &self.head.cseq.method,
        }
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start() {
            Start::Request(_) => None,
            Start::Response(status) => Some(*status),
        }
    }

    /// The reason phrase of a response; of a request, nothing.
    #[must_use]
    pub fn reason(&self) -> Cow<'_, str> {
        match self.start() {
            Start::Request(_) => Cow::Borrowed(""),
            Start::Response(_) => String::from_utf8_lossy(&self.bytes[self.head.start_line.text.clone()]),
        }
    }

    /// What is wrong with a request whatever it asks for, as the answer that says so (RFC 3261 §8.2): 400, 416, 420 or 505.
    ///
    /// Nothing answers an ACK: one with a fault is dropped.
    #[must_use]
    pub fn fault(&self) -> Option<&Reply> {
        self.head.fault.as_deref()
    }

    /// The Request-URI as it was written; of a response, nothing.
    #[must_use]
    pub fn request_uri(&self) -> &str {
        match self.start() {
            Start::Request(_) => self.text(&self.head.start_line.text),
            Start::Response(_) => "",
        }
    }

    /// The `branch` of the top Via (RFC 3261 §17.1.3, §17.2.3); empty where it has none, as RFC 2543 allows.
    #[must_use]
    pub fn branch(&self) -> &str {
        self.text(&self.head.via.branch)
    }

    /// Host and port of the top Via, as they were written.
    #[must_use]
    pub fn sent_by(&self) -> &str {
        self.text(&self.head.via.sent_by)
    }

    /// How many hops its Vias name. A response with more than one was meant for somebody else (RFC 3261 §8.1.3.3).
    #[must_use]
    pub fn vias(&self) -> usize {
        self.lines(HeaderName::Via)
            .map(|line| {
                split(self.bytes, line.value(), b',')
                    .filter(|via| !via.is_empty())
                    .count()
            })
            .sum()
    }

    #[must_use]
    pub fn call_id(&self) -> &str {
        self.text(&self.head.call_id)
    }

    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.head.from_tag.as_ref().map(|tag| self.text(tag))
    }

    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.head.to_tag.as_ref().map(|tag| self.text(tag))
    }

    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        &self.head.cseq
    }

    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.head.body.clone()]
    }

    /// The first value of a header by its full name; compact forms and folded lines are read, too.
    #[must_use]
    pub fn header<'s>(&'s self, name: &'s str) -> Option<Cow<'s, str>> {
        self.headers(name).next()
    }

    /// All lines of a header, one value a line, as they were written but for folding and for what is no UTF-8.
    pub fn headers<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> + 's {
        let header = HeaderName::read(name.as_bytes());
        let lines = self.lines(header).filter(move |line| {
            header != HeaderName::Unknown || line.name(self.bytes).eq_ignore_ascii_case(name.as_bytes())
        });
        lines.map(|line| self.unfolded(line))
    }

    /// Prints the message as it was read behind what `out` holds, in one spelling: names in full, one line a header.
    pub fn print(&self, out: &mut Vec<u8>) {
        let mut writer = match self.start() {
            Start::Request(method) => Writer::request(out, method, self.request_uri()),
            Start::Response(status) => Writer::response(out, *status, self.reason()),
        };
        for line in &self.head.lines {
            match line.header {
                HeaderName::Unknown => writer.name(line.name(self.bytes)),
                known => writer.name(known.as_str().as_bytes()),
            }
            writer.copy(&self.bytes[line.value()]);
            writer.end_line();
        }
        writer.end_as_read(self.body());
    }

    fn lines(&self, header: HeaderName) -> impl Iterator<Item = &Line> {
        self.head.lines.iter().filter(move |line| line.header == header)
    }

    fn values(&self, header: HeaderName) -> impl Iterator<Item = Cow<'_, str>> {
        self.lines(header).map(|line| self.unfolded(line))
    }

    fn unfolded(&self, line: &Line) -> Cow<'_, str> {
        let value = &self.bytes[line.value()];
        if !value.contains(&b'\n') && !value.contains(&b'\r') {
            return String::from_utf8_lossy(value);
        }
        let mut unfolded = Vec::with_capacity(value.len());
        crate::writer::unfold(&mut unfolded, value);
        Cow::Owned(String::from_utf8_lossy(&unfolded).into_owned())
    }

    /// What was found to be text when it was read.
    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()
    }
}

/// Shows whose it is, and nothing that may be a secret.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("start", self.start())
            .field("call_id", &self.call_id())
            .field("cseq", self.cseq())
            .field("fault", &self.fault().map(|fault| fault.status))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
