//! Where messages begin and end on a stream (RFC 3261 §7.5, §18.3).

use crate::{
    header_name::HeaderName,
    lines::{Line, Lines, MOST_LINES},
    syntax::number,
};

const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// How much of a stream is taken for one message; 64 KiB at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBounds {
    /// Bytes of a head, its empty line included.
    pub head: usize,
    /// Bytes of head and body.
    pub message: usize,
}

impl Default for StreamBounds {
    /// 12 KiB and 16 KiB: four times what the longest message of RFC 4475 has.
    fn default() -> Self {
        Self {
            head: 12 * 1024,
            message: 16 * 1024,
        }
    }
}

/// What came on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A keep-alive that wants a CRLF as its answer (RFC 5626 §4.4.1).
    Ping,
    /// One whole message, head and body; nothing of it has been judged.
    Message(Vec<u8>),
}

/// Why a stream cannot be read on: where its next message begins is unknown, so it has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenStream {
    #[error("a head that is too long")]
    LongHead,
    #[error("a head with too many lines")]
    ManyLines,
    #[error("a message that is too long")]
    LongMessage,
    #[error("a message without a Content-Length")]
    NoLength,
    #[error("a message whose Content-Length is no length, or two of them")]
    OddLength,
}

/// Cuts a stream into messages.
///
/// Feed it what was read, then poll until there is nothing more: it holds one message and one piece at most. How long a message
/// may take is for the caller to watch, by [`is_between`](Self::is_between).
#[derive(Clone, Debug, Default)]
pub struct Framing {
    bounds: StreamBounds,
    bytes: Vec<u8>,
    /// What was given out of `bytes` already.
    begin: usize,
    /// How far behind `begin` no head ends.
    searched: usize,
    /// Length of the message whose head is there.
    length: Option<usize>,
}

impl Framing {
    #[must_use]
    pub fn new(bounds: StreamBounds) -> Self {
        Self {
            bounds,
            ..Self::default()
        }
    }

    /// Takes what was read.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`BrokenStream`], as soon as it is known, and again each time.
    pub fn poll(&mut self) -> Result<Option<Frame>, BrokenStream> {
        loop {
            let rest = &self.bytes[self.begin..];
            if rest.starts_with(EMPTY_LINE) {
                self.begin += EMPTY_LINE.len();
                return Ok(Some(Frame::Ping));
            }
            // One line end alone answers a ping, or stands before a message (RFC 3261 §7.5). Or it is half a ping.
            if EMPTY_LINE.starts_with(rest) {
                return Ok(None);
            }
            if !rest.starts_with(b"\r\n") {
                return self.message();
            }
            self.begin += 2;
        }
    }

    /// Whether no message has begun: what was fed has been given out, but for line ends.
    #[must_use]
    pub fn is_between(&self) -> bool {
        EMPTY_LINE.starts_with(&self.bytes[self.begin..])
    }

    fn message(&mut self) -> Result<Option<Frame>, BrokenStream> {
        let rest = &self.bytes[self.begin..];
        let length = match self.length {
            Some(length) => length,
            None => {
                let ends = rest[self.searched..].iter().zip(self.searched + 1..);
                let head = ends
                    .filter(|(byte, _)| **byte == b'\n')
                    .map(|(_, end)| end)
                    .find(|end| rest[..*end].ends_with(EMPTY_LINE));
                // What cannot fit is not waited for.
                if head.unwrap_or(rest.len()) > self.bounds.head.min(self.bounds.message) {
                    return Err(BrokenStream::LongHead);
                }
                let Some(head) = head else {
                    self.searched = rest.len();
                    return Ok(None);
                };
                let length = head.saturating_add(body_length(&rest[..head])?);
                if length > self.bounds.message {
                    return Err(BrokenStream::LongMessage);
                }
                length
            }
        };
        let Some(message) = rest.get(..length) else {
            self.length = Some(length);
            return Ok(None);
        };
        let message = Frame::Message(message.to_vec());
        self.begin += length;
        (self.searched, self.length) = (0, None);
        Ok(Some(message))
    }
}

/// What the head says; it has to say it on a stream (RFC 3261 §18.3).
fn body_length(head: &[u8]) -> Result<usize, BrokenStream> {
    let mut lines = Lines::new(head);
    let mut length = None;
    // The start line is judged with the message.
    let _ = lines.next();
    for _ in 0..=MOST_LINES {
        let Some(line) = lines.next().filter(|line| !line.is_empty()) else {
            return length.ok_or(BrokenStream::NoLength);
        };
        let of_length = |line: &Line| line.header == HeaderName::ContentLength;
        let Some(line) = Line::read(head, line).filter(of_length) else {
            continue;
        };
        let digits = &head[line.value()];
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        // More digits than any message has bytes.
        let read = is_number.then(|| number(digits).unwrap_or(usize::MAX));
        match (read, length) {
            (Some(read), None) => length = Some(read),
            (Some(read), Some(before)) if read == before => {}
            _ => return Err(BrokenStream::OddLength),
        }
    }
    Err(BrokenStream::ManyLines)
}

#[cfg(test)]
mod tests;
