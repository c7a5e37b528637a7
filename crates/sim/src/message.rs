//! SIP messages as the model sees them: only what decides about a call.

use std::rc::Rc;

use sip::{
    Branch, CSeq, CallIdHeader, Challenge, Method, Outgoing, Reply, Request, Response, SessionExpires, SessionHeaders,
    Tag, uri,
};

pub(crate) const CALL_ID: &str = "call@onhook";

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";

/// Who sends and receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    House,
    Proxy,
    Phone(usize),
}

/// How a request is challenged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Nothing,
    Md5,
    Sha256,
    /// The stronger one is to be chosen.
    Both,
    /// An algorithm that nobody knows.
    Unknown,
}

impl Asks {
    fn challenges(self, proxy: bool) -> Vec<Challenge> {
        let one = |algorithm: &str| Challenge {
            proxy,
            value: format!(r#"Digest realm="pbx", nonce="n", qop="auth", algorithm={algorithm}"#),
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::Md5 => vec![one("MD5")],
            Self::Sha256 => vec![one("SHA-256")],
            Self::Both => vec![one("MD5"), one("SHA-256")],
            Self::Unknown => vec![one("SHA-7")],
        }
    }
}

/// A request, or a response to one when `status` is not 0.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) status: u16,
    pub(crate) method: Method,
    pub(crate) number: u32,
    pub(crate) branch: Rc<str>,
    pub(crate) from: Rc<str>,
    pub(crate) to: Rc<str>,
    pub(crate) uri: Rc<str>,
    pub(crate) contact: Option<Rc<str>>,
    /// The header with credentials, of a request.
    pub(crate) credentials: Option<Rc<str>>,
    pub(crate) asks: Asks,
    pub(crate) sdp: bool,
    pub(crate) session: SessionHeaders,
}

impl Message {
    /// Takes apart what the machine has printed.
    pub(crate) fn of(outgoing: &Outgoing) -> Self {
        let (head, body) = outgoing.text.split_once("\r\n\r\n").unwrap_or((&outgoing.text, ""));
        let mut lines = head.split("\r\n");
        let uri = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let mut message = Self {
            status: 0,
            method: outgoing.tx.method.clone(),
            number: 0,
            branch: "".into(),
            from: "".into(),
            to: "".into(),
            uri: uri.into(),
            contact: None,
            credentials: None,
            asks: Asks::Nothing,
            sdp: !body.is_empty(),
            session: SessionHeaders::default(),
        };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name {
                "Via" => {
                    let branch = value.split(';').find_map(|part| part.strip_prefix("branch="));
                    message.branch = branch.unwrap_or_default().into();
                }
                "From" => message.from = value.into(),
                "To" => message.to = value.into(),
                "CSeq" => {
                    let number = value.split(' ').next().and_then(|number| number.parse().ok());
                    message.number = number.unwrap_or_default();
                }
                "Session-Expires" => message.session.expires = SessionExpires::parse(value),
                "Authorization" | "Proxy-Authorization" => message.credentials = Some(value.into()),
                _ => {}
            }
        }
        message
    }

    /// A response to this request; `tag` is added where the request has none in its `To`.
    pub(crate) fn answered(&self, status: u16, tag: Option<&str>) -> Self {
        let to = match (self.to_tag(), tag) {
            (None, Some(tag)) => format!("{};tag={tag}", self.to).into(),
            _ => self.to.clone(),
        };
        Self {
            status,
            to,
            contact: None,
            credentials: None,
            sdp: false,
            session: SessionHeaders::default(),
            ..self.clone()
        }
    }

    /// The ACK of a refusal: a part of the INVITE's own transaction (RFC 3261 §17.1.1.3).
    pub(crate) fn acknowledging(&self, refusal: &Self) -> Self {
        Self {
            method: Method::Ack,
            to: refusal.to.clone(),
            sdp: false,
            ..self.clone()
        }
    }

    pub(crate) fn sender_tag(&self) -> Option<&str> {
        uri::tag(&self.from)
    }

    pub(crate) fn to_tag(&self) -> Option<&str> {
        uri::tag(&self.to)
    }

    pub(crate) fn is_request(&self) -> bool {
        self.status == 0
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.method == Method::Invite && (200..300).contains(&self.status)
    }

    /// Whether the credentials fit what was asked for.
    pub(crate) fn satisfies(&self, asks: Asks) -> bool {
        let algorithm = match asks {
            Asks::Nothing => return true,
            Asks::Md5 => "MD5",
            Asks::Sha256 | Asks::Both => "SHA-256",
            Asks::Unknown => return false,
        };
        let credentials = self.credentials.as_deref().unwrap_or_default();
        credentials
            .split(", ")
            .any(|part| part.strip_prefix("algorithm=") == Some(algorithm))
    }

    fn cseq(&self) -> CSeq {
        CSeq {
            number: self.number,
            method: self.method.clone(),
        }
    }

    fn body(&self) -> Vec<u8> {
        if self.sdp { SDP.into() } else { Vec::new() }
    }

    pub(crate) fn to_response(&self) -> Response {
        Response {
            status: self.status,
            reason: "Said So".to_owned(),
            branch: Branch::new(&*self.branch),
            call_id: CallIdHeader::new(CALL_ID),
            from: self.from.to_string(),
            to: self.to.to_string(),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq(),
            contact: self.contact.as_deref().map(str::to_owned),
            record_route: Vec::new(),
            session: self.session,
            challenges: self.asks.challenges(self.status == 407),
            retry_after: None,
            content_type: None,
            body: self.body(),
        }
    }

    pub(crate) fn to_request(&self) -> Request {
        Request {
            method: self.method.clone(),
            request_uri: self.uri.to_string(),
            call_id: CallIdHeader::new(CALL_ID),
            from: self.from.to_string(),
            from_tag: self.sender_tag().map(Tag::new),
            to: self.to.to_string(),
            to_tag: self.to_tag().map(Tag::new),
            cseq: self.cseq(),
            contact: None,
            record_route: Vec::new(),
            session: self.session,
            content_type: None,
            body: self.body(),
        }
    }

    /// Our answer to a request of a phone.
    pub(crate) fn replied(&self, reply: &Reply) -> Self {
        Self {
            sdp: reply.body.is_some(),
            ..self.answered(reply.status, None)
        }
    }

    /// As it stands in a ladder.
    pub(crate) fn label(&self) -> String {
        let tag = self.to_tag().map(|tag| format!(" {tag}")).unwrap_or_default();
        let credentials = if self.credentials.is_some() {
            " with credentials"
        } else {
            ""
        };
        match self.status {
            0 => format!("{} {}{tag}{credentials}", self.method, self.number),
            status => format!("{status} ({} {}){tag}", self.method, self.number),
        }
    }
}
