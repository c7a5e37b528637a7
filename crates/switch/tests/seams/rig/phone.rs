//! What has left, and what the far end says to it.

use sip::Path;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// What left, and which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) text: String,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> &str {
        header(&self.text, name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }
}

pub(super) fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The far end's response to a request of ours, with its To tag, its Contact, and to an INVITE's 200 a description.
pub(crate) fn answer(request: &Sent, status: u16) -> String {
    answer_with(request, status, "phone", &["Contact: <sip:phone@192.0.2.5:5060>"])
}

pub(crate) fn answer_with(request: &Sent, status: u16, tag: &str, headers: &[&str]) -> String {
    let to = request.header("To");
    let to = match to.contains(";tag=") || status == 100 {
        true => to.to_owned(),
        false => format!("{to};tag={tag}"),
    };
    let is_answer = status == 200 && request.text.starts_with("INVITE");
    let body = if is_answer { SDP } else { "" };
    let mut lines = vec![
        format!("SIP/2.0 {status} Reason"),
        format!("Via: {}", request.header("Via")),
        format!("From: {}", request.header("From")),
        format!("To: {to}"),
        format!("Call-ID: {}", request.header("Call-ID")),
        format!("CSeq: {}", request.header("CSeq")),
    ];
    lines.extend(headers.iter().map(|line| (*line).to_owned()));
    if is_answer {
        lines.push("Content-Type: application/sdp".to_owned());
    }
    lines.push(format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    lines.join("\r\n")
}

/// A request of the phone inside the call of this INVITE.
pub(crate) fn from_phone(invite: &Sent, method: &str, cseq: u32) -> String {
    let is_offer = method == "INVITE";
    let body = if is_offer { SDP } else { "" };
    let content = if is_offer {
        "Content-Type: application/sdp\r\n"
    } else {
        ""
    };
    format!(
        "{method} sip:onhook@192.0.2.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bK-{}-{method}-{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:phone@192.0.2.5:5060>\r\n{content}Content-Length: {}\r\n\r\n{body}",
        invite.header("Call-ID"),
        invite.header("To"),
        invite.header("From"),
        invite.header("Call-ID"),
        body.len()
    )
}
