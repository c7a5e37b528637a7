//! A head, read once: whose message it is, how long it is, and what is wrong with it (RFC 3261 §8.2, §16.3).

use std::ops::Range;

use crate::{
    fields::CSeq,
    header_name::HeaderName,
    lines::{Line, Lines, MOST_LINES},
    method::Method,
    name_addr::NameAddr,
    outgoing::Reply,
    syntax::{is_blank, number, split},
    uri::{NoSipUri, SipUri},
};

use super::{Start, Unreadable, start_line::StartLine, via::TopVia};

/// The largest payload of a UDP datagram, and room for what a place in a line can count.
const LONGEST: usize = 65_535;

/// What is known of a message without its bytes: where what stands.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) start_line: StartLine,
    pub(crate) lines: Vec<Line>,
    pub(crate) body: Range<usize>,
    pub(crate) via: TopVia,
    pub(crate) call_id: Range<usize>,
    pub(crate) from_tag: Option<Range<usize>>,
    pub(crate) to_tag: Option<Range<usize>>,
    pub(crate) cseq: CSeq,
    pub(crate) fault: Option<Box<Reply>>,
}

impl Head {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > LONGEST {
            return Err(Unreadable("longer than any datagram"));
        }
        let mut lines = Lines::new(bytes);
        let first = lines.next().ok_or(Unreadable("no empty line"))?;
        if bytes[first.clone()].contains(&b'\n') {
            return Err(Unreadable("a folded start line"));
        }
        let start_line = StartLine::read(bytes, first)?;
        let mut wrong = Wrong {
            of_response: matches!(start_line.start, Start::Response(_)),
            first: None,
        };
        let fields = fields(bytes, &mut lines, &mut wrong)?;
        let mut head = Self {
            body: lines.position()..bytes.len(),
            lines: fields,
            via: TopVia::default(),
            call_id: 0..0,
            from_tag: None,
            to_tag: None,
            cseq: CSeq {
                number: 0,
                method: match &start_line.start {
                    Start::Request(method) => method.clone(),
                    Start::Response(_) => Method::Other(String::new()),
                },
            },
            start_line,
            fault: None,
        };
        let via = head.line(HeaderName::Via).ok_or(Unreadable("no Via"))?;
        match TopVia::read(bytes, via.value()) {
            Ok(via) => head.via = via,
            Err(why) => wrong.in_essence(why)?,
        }
        head.read_identity(bytes, &mut wrong)?;
        head.read_length(bytes, &mut wrong)?;
        head.fault = head.judge(bytes, wrong.first).map(Box::new);
        Ok(head)
    }

    /// The first line of a header.
    pub(crate) fn line(&self, header: HeaderName) -> Option<&Line> {
        self.lines.iter().find(|line| line.header == header)
    }

    fn read_identity(&mut self, bytes: &[u8], wrong: &mut Wrong) -> Result<(), Unreadable> {
        match self.line(HeaderName::CallId).map(Line::value) {
            Some(value) if is_word(&bytes[value.clone()]) => self.call_id = value,
            Some(_) => wrong.in_essence("a Call-ID that is none")?,
            None => wrong.in_essence("no Call-ID")?,
        }
        self.from_tag = self.tag_of(
            HeaderName::From,
            bytes,
            wrong,
            ["no From", "a From that ends in the middle"],
        )?;
        self.to_tag = self.tag_of(HeaderName::To, bytes, wrong, ["no To", "a To that ends in the middle"])?;
        let cseq = self.line(HeaderName::CSeq).ok_or("no CSeq");
        let cseq = cseq.and_then(|line| cseq_of(bytes, line.value()).ok_or("a CSeq that is none"));
        match cseq {
            Ok(cseq) => {
                if matches!(&self.start_line.start, Start::Request(method) if *method != cseq.method) {
                    wrong.in_essence("a CSeq with another method")?;
                }
                self.cseq = cseq;
            }
            Err(why) => wrong.in_essence(why)?,
        }
        Ok(())
    }

    fn tag_of(
        &self,
        header: HeaderName,
        bytes: &[u8],
        wrong: &mut Wrong,
        [missing, broken]: [&'static str; 2],
    ) -> Result<Option<Range<usize>>, Unreadable> {
        let Some(line) = self.line(header) else {
            wrong.in_essence(missing)?;
            return Ok(None);
        };
        let Some(read) = NameAddr::read(bytes, line.value()) else {
            wrong.in_essence(broken)?;
            return Ok(None);
        };
        match read.parameter(bytes, "tag") {
            Some(tag) if tag.is_empty() => wrong.beside("an empty tag"),
            Some(tag) if !is_word(&bytes[tag.clone()]) => wrong.in_essence("a tag that is none")?,
            tag => return Ok(tag),
        }
        Ok(None)
    }

    /// What follows the body in a datagram is no part of the message (RFC 3261 §18.3).
    fn read_length(&mut self, bytes: &[u8], wrong: &mut Wrong) -> Result<(), Unreadable> {
        let Some(line) = self.line(HeaderName::ContentLength) else {
            return Ok(());
        };
        let digits = &bytes[line.value()];
        match number::<usize>(digits) {
            Some(length) if length <= self.body.len() => self.body.end = self.body.start + length,
            Some(_) => wrong.in_essence("a Content-Length beyond the end")?,
            None => wrong.in_essence("a Content-Length that is none")?,
        }
        Ok(())
    }

    /// The refusal that a request deserves whatever it asks for.
    fn judge(&self, bytes: &[u8], wrong: Option<&'static str>) -> Option<Reply> {
        let Start::Request(method) = &self.start_line.start else {
            return None;
        };
        if !self.start_line.is_version_2 {
            return Some(Reply::status(505));
        }
        if let Some(why) = wrong {
            return Some(malformed(why));
        }
        let uri = std::str::from_utf8(&bytes[self.start_line.text.clone()]).unwrap_or_default();
        // Brackets do not belong there, but leave no doubt (RFC 4475 §3.1.2.7).
        let bare = uri.strip_prefix('<').and_then(|uri| uri.strip_suffix('>'));
        match SipUri::parse(bare.unwrap_or(uri)) {
            Ok(_) => {}
            Err(NoSipUri::Malformed) => return Some(malformed("a Request-URI that is none")),
            Err(NoSipUri::OtherScheme) => return Some(Reply::status(416)),
        }
        // A dialog may have agreed on them; CANCEL and ACK are not asked (RFC 3261 §8.2.2.3).
        if self.to_tag.is_some() || matches!(method, Method::Ack | Method::Cancel) {
            return None;
        }
        let required = self.required(bytes);
        (!required.is_empty()).then(|| Reply::status(420).with("Unsupported", required))
    }

    /// The extensions that the request insists on: outside of a dialog we have none.
    fn required(&self, bytes: &[u8]) -> String {
        let lines = self.lines.iter().filter(|line| line.header == HeaderName::Require);
        let tags = lines.flat_map(|line| split(bytes, line.value(), b','));
        let tags = tags
            .map(|tag| String::from_utf8_lossy(&bytes[tag]))
            .filter(|tag| !tag.is_empty());
        tags.collect::<Vec<_>>().join(", ")
    }
}

/// 400, and why (RFC 3261 §21.4.1, §20.43).
fn malformed(why: &str) -> Reply {
    Reply::status(400).with("Warning", format!("399 onhook \"{why}\""))
}

/// What is wrong with a message as it is read.
struct Wrong {
    of_response: bool,
    first: Option<&'static str>,
}

impl Wrong {
    /// Something that no answer depends on.
    fn beside(&mut self, why: &'static str) {
        self.first.get_or_insert(why);
    }

    /// Something that says whose message it is, or where it ends: a response without it is nobody's.
    fn in_essence(&mut self, why: &'static str) -> Result<(), Unreadable> {
        if self.of_response {
            return Err(Unreadable(why));
        }
        self.beside(why);
        Ok(())
    }
}

/// All header lines, up to the empty one.
fn fields(bytes: &[u8], lines: &mut Lines<'_>, wrong: &mut Wrong) -> Result<Vec<Line>, Unreadable> {
    let mut fields = Vec::with_capacity(16);
    let mut seen = 0_u64;
    for _ in 0..=MOST_LINES {
        let line = lines.next().ok_or(Unreadable("no empty line"))?;
        if line.is_empty() {
            if lines.has_bare_line_feed {
                wrong.beside("a line feed without its carriage return");
            }
            return Ok(fields);
        }
        let Some(field) = Line::read(bytes, line) else {
            wrong.beside("a line that is no header");
            continue;
        };
        if field.header.comes_once() {
            let bit = 1 << field.header as u8;
            match field.header {
                _ if seen & bit == 0 => {}
                HeaderName::ContentType | HeaderName::MaxForwards => wrong.beside("a header twice that comes once"),
                _ => wrong.in_essence("a header twice that comes once")?,
            }
            seen |= bit;
        }
        fields.push(field);
    }
    Err(Unreadable("too many lines"))
}

/// `1*DIGIT LWS Method`, less than 2^31 (RFC 3261 §20.16, §8.1.1.5).
fn cseq_of(bytes: &[u8], value: Range<usize>) -> Option<CSeq> {
    let text = &bytes[value];
    let end = text.iter().position(|byte| is_blank(*byte))?;
    let number = number::<u32>(&text[..end]).filter(|number| *number <= u32::MAX >> 1)?;
    let method = std::str::from_utf8(&text[end..]).ok()?.trim();
    crate::syntax::is_token(method.as_bytes()).then(|| CSeq {
        number,
        method: Method::parse(method),
    })
}

/// Text without blanks, such as no two readers take for two things.
fn is_word(bytes: &[u8]) -> bool {
    let is_part = |character: char| !character.is_control() && !character.is_whitespace();
    !bytes.is_empty() && std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_part))
}
