//! Where one request ends and the next begins, read beside hyper from the same bytes.
//!
//! hyper and the proxy in front of it must agree on that, or one client's bytes become another's request (request
//! smuggling, RFC 9112 §11.2). hyper follows the RFC where that is lenient; here every head that two readers could
//! understand differently is refused. What a request means, and all the rest of its syntax, is hyper's matter.

/// The longest head of a request, in bytes.
pub(super) const HEAD_LIMIT: usize = 32 * 1024;

/// Why a head is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHead {
    #[error("a line does not end in CR LF")]
    LineEnd,
    #[error("a header is folded")]
    Folded,
    #[error("a header's name is not a token")]
    Name,
    #[error("Content-Length is not one number, said once")]
    Length,
    #[error("Transfer-Encoding is not chunked, said once")]
    Encoding,
    #[error("there is both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    #[error("there is not exactly one Host")]
    Host,
    #[error("the head is too long")]
    TooLong,
}

/// Follows the bytes of a connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// The line that has begun, without its CR LF.
    line: Vec<u8>,
    heads: u64,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Between,
    Head(Head),
    /// Bytes of the body that are to come.
    Body(u64),
    /// In a chunked body.
    Chunked(Chunk),
    /// Where this body ends is in doubt, and hyper's to find: the connection closes after it, so nothing can hide behind.
    Lost,
}

/// Where in a chunked body (RFC 9112 §7.1). Chunks with extensions, and trailers, are not followed.
#[derive(Clone, Copy, Debug)]
enum Chunk {
    /// In the size of a chunk, of which so many digits have come.
    Size {
        size: u32,
        digits: u8,
    },
    /// The CR behind it has come.
    SizeEnd(u32),
    /// Bytes of the chunk that are to come.
    Data(u32),
    /// The chunk is over, its CR LF to come; then the LF alone.
    DataCr,
    DataLf,
    /// The last chunk is over, the empty line to come that ends the body; then the LF alone.
    LastCr,
    LastLf,
}

/// Longer sizes do not fit, or have zeros that say nothing.
const SIZE_DIGITS: u8 = 8;

/// What the lines of a head said so far.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    /// Whether there was a request line, and it was of HTTP/1.1, where a Host is obligatory (RFC 9112 §3.2).
    needs_host: Option<bool>,
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
}

impl Framing {
    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// When a head among them must not be acted on: why, and how many bytes before that may be.
    pub(super) fn see(&mut self, bytes: &[u8]) -> Result<(), (BadHead, usize)> {
        let mut rest = bytes;
        self.follow(&mut rest).map_err(|bad| (bad, bytes.len() - rest.len()))
    }

    fn follow(&mut self, bytes: &mut &[u8]) -> Result<(), BadHead> {
        while let Some(&first) = bytes.first() {
            match &mut self.place {
                Place::Lost => return Ok(()),
                Place::Body(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = Place::Between;
                    }
                    *bytes = &bytes[taken..];
                }
                Place::Chunked(Chunk::Data(left)) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= taken as u32;
                    if *left == 0 {
                        self.place = Place::Chunked(Chunk::DataCr);
                    }
                    *bytes = &bytes[taken..];
                }
                Place::Chunked(chunk) => {
                    self.place = chunk.next(first);
                    *bytes = &bytes[1..];
                }
                Place::Between => self.place = Place::Head(Head::default()),
                Place::Head(head) => {
                    head.bytes += 1;
                    if head.bytes > HEAD_LIMIT {
                        return Err(BadHead::TooLong);
                    }
                    if first == b'\n' {
                        if self.line.pop() != Some(b'\r') {
                            return Err(BadHead::LineEnd);
                        }
                        if let Some(next) = head.line(&self.line)? {
                            self.place = next;
                            self.heads += 1;
                        }
                        self.line.clear();
                    } else if self.line.last() == Some(&b'\r') {
                        return Err(BadHead::LineEnd);
                    } else {
                        self.line.push(first);
                    }
                    *bytes = &bytes[1..];
                }
            }
        }
        Ok(())
    }

    /// Whether a head has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Whether all that was seen are whole requests.
    pub(super) fn is_between(&self) -> bool {
        matches!(self.place, Place::Between)
    }

    /// Whether the end of the body that follows the latest head is in doubt.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.place, Place::Lost)
    }

    /// Heads that were seen whole.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }
}

impl Head {
    /// Takes one line; the empty one ends the head and tells what comes next.
    fn line(&mut self, line: &[u8]) -> Result<Option<Place>, BadHead> {
        match (self.needs_host, line.first()) {
            // Empty lines before a request are passed over (RFC 9112 §2.2): old clients end their bodies with one.
            (None, None) => Ok(None),
            (None, Some(_)) => {
                self.needs_host = Some(line.ends_with(b"HTTP/1.1"));
                Ok(None)
            }
            (Some(needs_host), None) => self.end(needs_host).map(Some),
            (Some(_), Some(b' ' | b'\t')) => Err(BadHead::Folded),
            (Some(_), Some(_)) => self.header(line).map(|()| None),
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), BadHead> {
        let colon = line.iter().position(|&byte| byte == b':').ok_or(BadHead::Name)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return Err(BadHead::Name);
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            // Digits alone: `parse` would take a sign, too. Some readers take a leading zero for octal.
            let digits = str::from_utf8(value).ok();
            let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            let digits = digits.filter(|digits| *digits == "0" || !digits.starts_with('0'));
            let length = digits.and_then(|digits| digits.parse().ok()).ok_or(BadHead::Length)?;
            if self.length.replace(length).is_some() {
                return Err(BadHead::Length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(BadHead::Encoding);
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    fn end(&self, needs_host: bool) -> Result<Place, BadHead> {
        if self.hosts > 1 || (needs_host && self.hosts == 0) {
            return Err(BadHead::Host);
        }
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err(BadHead::LengthAndEncoding),
            (None, true) => Ok(Place::Chunked(Chunk::START)),
            (None | Some(0), false) => Ok(Place::Between),
            (Some(length), false) => Ok(Place::Body(length)),
        }
    }
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };

    /// What this byte leads to.
    fn next(self, byte: u8) -> Place {
        let next = match (self, byte) {
            (Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < SIZE_DIGITS => Self::Size {
                size: size << 4 | char::from(byte).to_digit(16).unwrap_or_default(),
                digits: digits + 1,
            },
            (Self::Size { size, digits: 1.. }, b'\r') => Self::SizeEnd(size),
            (Self::SizeEnd(0), b'\n') => Self::LastCr,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::LastCr, b'\r') => Self::LastLf,
            (Self::LastLf, b'\n') => return Place::Between,
            _ => return Place::Lost,
        };
        Place::Chunked(next)
    }
}

/// `tchar` of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sees the bytes at once and one by one, which must not differ.
    fn see(bytes: &str) -> Result<Framing, BadHead> {
        let mut whole = Framing::default();
        let seen = whole.see(bytes.as_bytes());
        let mut slow = Framing::default();
        let by_bytes = bytes.as_bytes().chunks(1).try_for_each(|byte| slow.see(byte));
        let seen = seen.map_err(|(bad, _)| bad);
        assert_eq!(seen, by_bytes.map_err(|(bad, _)| bad));
        let places = |framing: &Framing| {
            let (between, in_head) = (framing.is_between(), framing.is_in_head());
            (framing.heads(), between, in_head, framing.is_lost())
        };
        assert_eq!(places(&whole), places(&slow));
        seen.map(|()| whole)
    }

    #[test]
    fn requests_are_told_apart_by_their_lengths() {
        let framing = see("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(framing.is_between());
        assert_eq!(framing.heads(), 1, "what looks like a head is the body");
        let framing = see("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\nGET").unwrap();
        assert!(framing.is_in_head());
        assert_eq!(framing.heads(), 2);
    }

    fn see_chunked(body: &str) -> Framing {
        see(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding:CHUNKED\r\n\r\n{body}"
        ))
        .unwrap()
    }

    #[test]
    fn the_end_of_a_chunked_body_is_found() {
        for body in [
            "0\r\n\r\n",
            "00000000\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00000005\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
            "a\r\n0\r\n\r\nGET /\r\n0\r\n\r\n",
            "1B\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n0\r\n\r\n",
        ] {
            let framing = see_chunked(body);
            assert!(framing.is_between() && framing.heads() == 1, "{body:?}");
            let framing = see_chunked(&format!("{body}GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert!(framing.is_between() && framing.heads() == 2, "{body:?}");
            let framing = see_chunked(&body[..body.len() - 1]);
            assert!(!framing.is_between() && !framing.is_lost(), "{body:?}");
        }
    }

    #[test]
    fn behind_a_chunked_body_whose_end_is_in_doubt_nothing_is_seen() {
        for body in [
            "\r\n",
            "\n",
            "0\n\n",
            "0\r\r\n",
            "0\r\n\n",
            "0\r\n\r\r\n",
            "0\r\nX: y\r\n\r\n",
            "0 \r\n\r\n",
            " 0\r\n\r\n",
            "0;a=b\r\n\r\n",
            "000000000\r\n\r\n",
            "100000000\r\n",
            "5;a=b\r\nhello\r\n0\r\n\r\n",
            "5\t\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5_0\r\nhello\r\n0\r\n\r\n",
            "5\nhello\n0\n\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello!\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n",
            "5\r\nhello\r\n\r\n0\r\n\r\n",
        ] {
            let framing = see_chunked(&format!("{body}GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert!(framing.is_lost() && framing.heads() == 1, "{body:?}");
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for (lines, expected) in [
            ("Content-Length: 4\r\nContent-Length: 4", BadHead::Length),
            ("Content-Length: 4\r\nContent-Length: 5", BadHead::Length),
            ("Content-Length: 4, 4", BadHead::Length),
            ("Content-Length: +4", BadHead::Length),
            ("Content-Length: -4", BadHead::Length),
            ("Content-Length: 0x4", BadHead::Length),
            ("Content-Length: 010", BadHead::Length),
            ("Content-Length: 4 4", BadHead::Length),
            ("Content-Length:", BadHead::Length),
            ("Content-Length: 99999999999999999999", BadHead::Length),
            (
                "Content-Length: 4\r\nTransfer-Encoding: chunked",
                BadHead::LengthAndEncoding,
            ),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 4",
                BadHead::LengthAndEncoding,
            ),
            ("Transfer-Encoding: gzip, chunked", BadHead::Encoding),
            ("Transfer-Encoding: chunked, identity", BadHead::Encoding),
            ("Transfer-Encoding: identity", BadHead::Encoding),
            ("Transfer-Encoding: xchunked", BadHead::Encoding),
            ("Transfer-Encoding: \"chunked\"", BadHead::Encoding),
            ("Transfer-Encoding: \u{b}chunked", BadHead::Encoding),
            ("Transfer-Encoding:", BadHead::Encoding),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                BadHead::Encoding,
            ),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                BadHead::Encoding,
            ),
            ("Transfer-Encoding : chunked", BadHead::Name),
            ("Transfer-Encoding\t: chunked", BadHead::Name),
            ("Content-Length : 4", BadHead::Name),
            ("Content_Length", BadHead::Name),
            (": 4", BadHead::Name),
            ("X: 1\r\n Content-Length: 4", BadHead::Folded),
            ("X: 1\r\n\tfolded", BadHead::Folded),
            ("X: 1\nContent-Length: 4", BadHead::LineEnd),
            ("X: 1\rContent-Length: 4", BadHead::LineEnd),
            ("X: 1\r\r\nContent-Length: 4", BadHead::LineEnd),
            ("Host: y", BadHead::Host),
        ] {
            let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n");
            assert_eq!(see(&head).err(), Some(expected), "{lines:?}");
        }
        for (head, expected) in [
            ("GET / HTTP/1.1\n\n", BadHead::LineEnd),
            ("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", BadHead::LineEnd),
            ("GET / HTTP/1.1\r\n\r\n", BadHead::Host),
            ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", BadHead::Folded),
        ] {
            assert_eq!(see(head).err(), Some(expected), "{head:?}");
        }
    }

    #[test]
    fn what_comes_before_a_bad_head_is_left_alone() {
        let good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let (bad, at) = Framing::default().see(format!("{good}GET /\n").as_bytes()).unwrap_err();
        assert_eq!((bad, at), (BadHead::LineEnd, good.len() + "GET /".len()));
    }

    #[test]
    fn heads_without_end_are_not_kept() {
        for endless in ["x", "X: y\r\n"] {
            let head = format!("GET / HTTP/1.1\r\nHost: x\r\n{}", endless.repeat(HEAD_LIMIT));
            assert_eq!(see(&head).err(), Some(BadHead::TooLong), "{endless:?}");
        }
        let empty_lines = "\r\n".repeat(HEAD_LIMIT);
        assert_eq!(see(&empty_lines).err(), Some(BadHead::TooLong));
    }
}
