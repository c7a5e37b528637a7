//! Our response to a request, printed (RFC 3261 §8.2.6).

use std::{net::SocketAddr, ops::Range};

use crate::{
    fields::Tag,
    header_name::HeaderName,
    lines::Line,
    method::Method,
    outgoing::Reply,
    status::reason_phrase,
    syntax::{parameter, split},
    uri,
    writer::Writer,
};

use super::Message;

impl Message<'_> {
    /// Prints our response to this request behind what `out` holds. `to_tag` is added where the request has none
    /// (RFC 3261 §8.2.6.2); the top Via says where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
    ///
    /// What is copied from the request is copied as it was written, but for folding. What it lacks is left out.
    pub fn print_reply(&self, out: &mut Vec<u8>, source: SocketAddr, to_tag: &Tag, reply: &Reply, server: &str) {
        let mut writer = Writer::response(out, reply.status, reason_phrase(reply.status));
        let mut is_top = true;
        for line in self.lines(HeaderName::Via) {
            writer.name(b"Via");
            if std::mem::take(&mut is_top) && !self.head.via.whole.is_empty() {
                self.copy_top_via(&mut writer, line, source);
            } else {
                writer.copy(&self.bytes[line.value()]);
            }
            writer.end_line();
        }
        if *self.method() == Method::Invite && (101..300).contains(&reply.status) {
            self.copy_lines(&mut writer, HeaderName::RecordRoute); // RFC 3261 §12.1.1
        }
        self.copy_lines(&mut writer, HeaderName::From);
        match self.head.line(HeaderName::To) {
            Some(line) if reply.status != 100 && self.head.to_tag.is_none() => {
                writer.name(b"To");
                writer.copy(&self.bytes[line.value()]);
                writer.more(format_args!(";tag={to_tag}"));
                writer.end_line();
            }
            _ => self.copy_lines(&mut writer, HeaderName::To),
        }
        self.copy_lines(&mut writer, HeaderName::CallId);
        self.copy_lines(&mut writer, HeaderName::CSeq);
        if reply.status == 100 {
            self.copy_lines(&mut writer, HeaderName::Timestamp); // RFC 3261 §8.2.6.1
        }
        for (name, value) in &reply.headers {
            writer.header(name, value);
        }
        writer.header("Server", server);
        writer.end(
            reply
                .body
                .as_ref()
                .map(|(content_type, body)| (*content_type, body.as_bytes())),
        );
    }

    fn copy_lines(&self, writer: &mut Writer<'_>, header: HeaderName) {
        // Of what came twice and must not, the first was believed.
        let most = if header.comes_once() { 1 } else { usize::MAX };
        for line in self.lines(header).take(most) {
            writer.copy_header(header.as_str(), &self.bytes[line.value()]);
        }
    }

    /// Whatever it says of where it was received is replaced: only we know that.
    fn copy_top_via(&self, writer: &mut Writer<'_>, line: &Line, source: SocketAddr) {
        let (bytes, via) = (self.bytes, &self.head.via);
        let is = |part: &Range<usize>, name: &str| {
            let (found, _) = parameter(bytes, part.clone());
            bytes[found].eq_ignore_ascii_case(name.as_bytes())
        };
        let mut asks = false;
        for (at, part) in split(bytes, via.whole.clone(), b';').enumerate() {
            if at > 0 && is(&part, "rport") {
                asks = true;
                continue;
            }
            if part.is_empty() || (at > 0 && is(&part, "received")) {
                continue;
            }
            if at > 0 {
                writer.copy(b";");
            }
            writer.copy(&bytes[part]);
        }
        let host = uri::host_port_of(self.sent_by()).map_or("", |(host, _)| host);
        let ip = source.ip().to_canonical();
        if asks || uri::ip(host) != Some(ip) {
            writer.more(format_args!(";received={ip}"));
        }
        if asks {
            writer.more(format_args!(";rport={}", source.port()));
        }
        writer.copy(&bytes[via.whole.end..line.value().end]);
    }
}
