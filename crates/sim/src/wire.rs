//! Bytes: messages of phones and proxies are printed here in the hand of each, and ours are read by a reader that has nothing in
//! common with the one that ships, so that the two do not agree on a misreading.

use std::{fmt::Write as _, net::SocketAddr, rc::Rc};

use sip::{Method, Path, Refresher, SessionExpires, SessionHeaders};

use crate::{
    message::{Asks, HOUSE, Message},
    scenario::Hand,
};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.0.9\r\ns=-\r\nc=IN IP4 198.51.0.9\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";

/// The Call-ID of a call of this name.
pub(crate) fn call_id(name: u32) -> String {
    format!("call-{name}@onhook")
}

/// What a phone or a proxy puts on the wire.
pub(crate) fn print(message: &Message, hand: Hand, path: &Path) -> Vec<u8> {
    let mut out = String::with_capacity(1024);
    let own_via;
    let via = if message.status == 0 {
        let _ = write!(out, "{} sip:onhook@192.0.2.1:5060 SIP/2.0\r\n", message.method);
        own_via = format!(
            "{} {};branch={}",
            path.transport.sent_protocol(),
            path.remote,
            message.branch
        );
        own_via.as_str()
    } else {
        let _ = write!(out, "SIP/2.0 {} Said So\r\n", message.status);
        own_via = message.via.replace(";rport", ";received=192.0.2.1;rport=5060");
        own_via.as_str()
    };
    let mut pen = Pen { out, hand };
    pen.line("Via", "v", via);
    if message.is_request() {
        pen.line("Max-Forwards", "Max-Forwards", "70");
    }
    pen.line("From", "f", &message.from);
    pen.line("To", "t", &message.to);
    pen.line("Call-ID", "i", &call_id(message.name));
    pen.line("CSeq", "CSeq", &format!("{} {}", message.number, message.method));
    if let Some(contact) = &message.contact {
        pen.line("Contact", "m", &format!("<{contact}>"));
    }
    if let Some(route) = &message.route {
        pen.list("Record-Route", route);
    }
    if !message.is_request() {
        let name = match message.status {
            401 => "WWW-Authenticate",
            407 => "Proxy-Authenticate",
            _ => "",
        };
        for challenge in message
            .asks
            .challenges(message.number)
            .iter()
            .filter(|_| !name.is_empty())
        {
            pen.line(name, name, challenge);
        }
    }
    let SessionHeaders {
        expires,
        min_se,
        timer,
        update,
    } = message.session;
    if let Some(min_se) = min_se {
        pen.line("Min-SE", "Min-SE", &min_se.to_string());
    }
    if let Some(expires) = expires {
        pen.line("Session-Expires", "x", &printed(expires));
    }
    if timer {
        pen.line("Supported", "k", "timer");
    }
    if update {
        pen.line("Allow", "Allow", "INVITE, ACK, CANCEL, BYE, UPDATE");
    }
    pen.out.push_str(message.more.as_deref().unwrap_or_default());
    let body = if message.sdp { SDP } else { "" };
    if message.sdp {
        pen.line("Content-Type", "c", "application/sdp");
    }
    pen.line("Content-Length", "l", &body.len().to_string());
    let mut out = pen.out;
    out.push_str("\r\n");
    out.push_str(body);
    out.into_bytes()
}

struct Pen {
    out: String,
    hand: Hand,
}

impl Pen {
    /// On a line each, or on one (RFC 3261 §7.3.1).
    fn list(&mut self, name: &str, list: &str) {
        match self.hand {
            Hand::Plain => list.split(", ").for_each(|value| self.line(name, name, value)),
            Hand::Compact | Hand::Baroque => self.line(name, name, list),
        }
    }

    fn line(&mut self, long: &str, short: &str, value: &str) {
        let _ = match self.hand {
            Hand::Plain => write!(self.out, "{long}: {value}\r\n"),
            Hand::Compact => write!(self.out, "{short}:{value}\r\n"),
            Hand::Baroque => write!(self.out, "{} :\r\n\t {value} \r\n", long.to_ascii_uppercase()),
        };
    }
}

fn printed(expires: SessionExpires) -> String {
    let refresher = match expires.refresher {
        Some(Refresher::Uac) => ";refresher=uac",
        Some(Refresher::Uas) => ";refresher=uas",
        None => "",
    };
    format!("{}{refresher}", expires.interval)
}

/// Reads what we have sent, and nothing that is not said in the form in which we say everything.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Message, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no end of the header")?;
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let mut words = start.splitn(3, ' ');
    let (first, second, third) = (words.next(), words.next(), words.next());
    let (first, second) = (first.unwrap_or_default(), second.ok_or("no start line")?);
    let status = if first == "SIP/2.0" {
        second.parse().map_err(|_| "no status")?
    } else {
        0
    };
    if status == 0 && third != Some("SIP/2.0") {
        return Err("no SIP/2.0");
    }
    let empty: Rc<str> = "".into();
    let mut message = Message {
        name: u32::MAX,
        status,
        method: Method::Invite,
        number: 0,
        via: empty.clone(),
        branch: empty.clone(),
        from: empty.clone(),
        to: empty,
        contact: None,
        credentials: None,
        asks: Asks::Nothing,
        sdp: !body.is_empty(),
        session: SessionHeaders::default(),
        uri: (status == 0).then(|| second.into()),
        route: None,
        more: None,
        path: None,
    };
    let (mut length, mut forwards, mut vias) = (None, false, 0);
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or("a line that is no header")?;
        match name {
            "Via" => {
                vias += 1;
                let branch = value.split(';').find_map(|part| part.strip_prefix("branch="));
                message.branch = branch.ok_or("no branch")?.into();
                message.via = value.into();
            }
            "Max-Forwards" => forwards = true,
            "From" => message.from = value.into(),
            "To" => message.to = value.into(),
            "Call-ID" => {
                let name = value
                    .strip_prefix("call-")
                    .and_then(|rest| rest.strip_suffix("@onhook"));
                message.name = name.and_then(|name| name.parse().ok()).ok_or("a Call-ID of nobody")?;
            }
            "CSeq" => {
                let (number, method) = value.split_once(' ').ok_or("no CSeq")?;
                message.number = number.parse().map_err(|_| "no CSeq number")?;
                message.method = method_of(method).ok_or("an unknown method")?;
            }
            "Route" => {
                let before = message.route.map_or(String::new(), |before| format!("{before}, "));
                message.route = Some(format!("{before}{value}").into());
            }
            "Contact" => message.contact = Some(value.trim_matches(['<', '>']).into()),
            "Session-Expires" => message.session.expires = session(value),
            "Authorization" | "Proxy-Authorization" => message.credentials = Some(value.into()),
            "Content-Length" => length = value.parse::<usize>().ok(),
            _ => {}
        }
    }
    if length != Some(body.len()) {
        return Err("a wrong Content-Length");
    }
    if status == 0 && (first != message.method.as_str() || !forwards) {
        return Err("a CSeq of another method, or no Max-Forwards");
    }
    if status == 0
        && (vias != 1
            || !message.branch.starts_with("z9hG4bK")
            || !OURS.iter().any(|ours| message.via.starts_with(ours)))
    {
        return Err("a Via that is not ours");
    }
    if message.from.is_empty() || message.to.is_empty() || message.number == 0 || message.name == u32::MAX {
        return Err("a header that is missing");
    }
    Ok(message)
}

const OURS: [&str; 3] = [
    "SIP/2.0/UDP 192.0.2.1:5060;",
    "SIP/2.0/TCP 192.0.2.1:5060;",
    "SIP/2.0/TLS 192.0.2.1:5061;",
];

fn method_of(name: &str) -> Option<Method> {
    Some(match name {
        "INVITE" => Method::Invite,
        "ACK" => Method::Ack,
        "CANCEL" => Method::Cancel,
        "BYE" => Method::Bye,
        "UPDATE" => Method::Update,
        "OPTIONS" => Method::Options,
        "INFO" => Method::Info,
        "NOTIFY" => Method::Notify,
        "SUBSCRIBE" | "MESSAGE" | "PRACK" | "REFER" | "ODD" => Method::Other(name.to_owned()),
        _ => return None,
    })
}

fn session(value: &str) -> Option<SessionExpires> {
    let (interval, rest) = value.split_once(';').unwrap_or((value, ""));
    Some(SessionExpires {
        interval: interval.parse().ok()?,
        refresher: match rest.strip_prefix("refresher=") {
            Some("uac") => Some(Refresher::Uac),
            Some("uas") => Some(Refresher::Uas),
            _ => None,
        },
    })
}

/// Our own address as the peers see it.
pub(crate) fn house() -> SocketAddr {
    HOUSE.into()
}
