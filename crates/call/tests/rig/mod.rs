//! One call, one virtual clock, and a peer made of the machine's own printed requests.
//!
//! Every input method hands one thing in; [`Rig::gives`] then says what must have come out, all of it and in order.
//! Whatever is sent is checked for being a well-formed message on the way (see [`Sent::check`]).
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "every test file uses the part it needs"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod heard;
mod surroundings;

use std::time::Duration;

use call::{Call, Event, MediaCommand, Output, Phase, Placement, Save, Silence, Surroundings};
use sip::{
    Branch, CSeq, CallIdHeader, Challenge, Method, Moment, Outgoing, Reply, Request, Response, SessionExpires,
    SessionHeaders, Tag, Tx, uri,
};

pub(crate) use surroundings::{MAX_DURATION, RING, SESSION_EXPIRES, T1, TRANSACTION, key, media, surroundings};

/// What a phone answers to our offer.
pub const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                          m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

pub fn placement() -> Placement {
    Placement {
        trunk: "pbx".to_owned(),
        request_uri: "sip:4711@pbx.example".to_owned(),
        from: "<sip:onhook@example.org>".to_owned(),
        routes: Vec::new(),
        destination: "sip:192.0.2.5:5060".to_owned(),
        path: None,
        call_id: CallIdHeader::new("call@onhook"),
        local_tag: Tag::new("ours"),
    }
}

/// A printed request, taken apart again.
#[derive(Clone, Debug)]
pub struct Sent {
    pub tx: Tx,
    pub destination: String,
    pub text: String,
    pub method: String,
    pub request_uri: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Sent {
    pub fn new(outgoing: Outgoing) -> Self {
        let text = String::from_utf8(outgoing.bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
        let mut lines = head.split("\r\n");
        let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
        assert_eq!((start.len(), start[2]), (3, "SIP/2.0"), "request line: {start:?}");
        let headers = lines
            .map(|line| line.split_once(": ").expect("name: value"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let sent = Self {
            method: start[0].to_owned(),
            request_uri: start[1].to_owned(),
            headers,
            body: body.to_owned(),
            tx: outgoing.tx,
            destination: outgoing.destination,
            text: text.clone(),
        };
        sent.check();
        sent
    }

    /// What RFC 3261 §8.1.1 asks of every request.
    fn check(&self) {
        for name in ["Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Content-Length"] {
            assert_eq!(self.all(name).len(), 1, "{name} once in\n{}", self.text);
        }
        for (name, value) in &self.headers {
            assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
            assert!(!value.contains(char::is_control), "{name}: {value:?}");
        }
        assert_eq!(self.tx.method.as_str(), self.method);
        assert!(self.header("CSeq").ends_with(&format!(" {}", self.method)));
        assert_eq!(self.branch(), self.tx.branch);
        assert_eq!(self.header("Content-Length"), self.body.len().to_string());
        assert_eq!(self.body.is_empty(), self.all("Content-Type").is_empty());
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.all(name)
            .first()
            .unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    pub fn branch(&self) -> Branch {
        let via = self.header("Via");
        let start = via.find("branch=").expect("a branch") + "branch=".len();
        Branch::new(via[start..].split(';').next().unwrap())
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    pub fn to_tag(&self) -> Option<&str> {
        uri::tag(self.header("To"))
    }

    /// A response of the peer, with this To tag when the request has none yet.
    pub fn response(&self, status: u16, tag: Option<&str>) -> Response {
        let to = match (self.to_tag(), tag) {
            (None, Some(tag)) => format!("{};tag={tag}", self.header("To")),
            _ => self.header("To").to_owned(),
        };
        Response {
            status,
            reason: format!("Reason {status}"),
            branch: self.branch(),
            call_id: CallIdHeader::new(self.header("Call-ID")),
            from: self.header("From").to_owned(),
            to_tag: uri::tag(&to).map(Tag::new),
            to,
            cseq: CSeq {
                number: self.cseq(),
                method: Method::parse(&self.method),
            },
            contact: tag.map(|tag| format!("sip:{tag}@192.0.2.9:5070")),
            record_route: Vec::new(),
            challenges: Vec::new(),
            retry_after: None,
            session: SessionHeaders::default(),
            content_type: None,
            body: Vec::new(),
        }
    }

    fn label(&self) -> String {
        match self.to_tag() {
            Some(tag) => format!("{} {} {tag}", self.method, self.cseq()),
            None => format!("{} {}", self.method, self.cseq()),
        }
    }
}

/// What a message with this `Session-Expires` of a peer that knows session timers says.
pub fn session(expires: &str) -> SessionHeaders {
    SessionHeaders {
        expires: Some(SessionExpires::parse(expires).expect("Session-Expires")),
        timer: true,
        ..SessionHeaders::default()
    }
}

pub fn www(value: &str) -> Challenge {
    Challenge {
        proxy: false,
        value: value.to_owned(),
    }
}

pub fn proxy(value: &str) -> Challenge {
    Challenge {
        proxy: true,
        value: value.to_owned(),
    }
}

pub const MD5: &str = r#"Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5"#;
pub const SHA256: &str = r#"Digest realm="pbx", nonce="n2", qop="auth", algorithm=SHA-256"#;

pub struct Rig {
    pub call: Call,
    pub now: Moment,
    pub sent: Vec<Sent>,
    pub replies: Vec<Reply>,
    noted: Vec<String>,
    heard: heard::Heard,
    pub media: Vec<MediaCommand>,
    pub events: Vec<Event>,
    peer_cseq: u32,
    forks: u32,
}

impl Rig {
    pub fn new(placement: Placement, surroundings: Surroundings) -> Self {
        Self::of(Call::place(placement, surroundings))
    }

    pub fn of(call: Call) -> Self {
        Self {
            heard: heard::Heard::of(&call),
            call,
            now: Moment::after_start(Duration::from_secs(1000)),
            sent: Vec::new(),
            replies: Vec::new(),
            noted: Vec::new(),
            media: Vec::new(),
            events: Vec::new(),
            peer_cseq: 0,
            forks: 0,
        }
    }

    // The phases of a call, in order.

    pub fn placing() -> Self {
        let mut rig = Self::new(placement(), surroundings());
        rig.gives(["save Intent"]);
        rig
    }

    pub fn calling() -> Self {
        let mut rig = Self::placing();
        rig.saved(Save::Intent).gives(["INVITE 1"]);
        rig
    }

    pub fn trying() -> Self {
        let mut rig = Self::calling();
        rig.provisional(100).gives([]);
        rig
    }

    pub fn early() -> Self {
        let mut rig = Self::trying();
        rig.provisional(180).gives([]);
        rig
    }

    pub fn held() -> Self {
        let mut rig = Self::calling();
        rig.disconnect().gives(["save Wish"]);
        rig
    }

    pub fn cancelling() -> Self {
        let mut rig = Self::early();
        rig.disconnect().gives(["CANCEL 1", "save Wish"]);
        rig
    }

    pub fn answered() -> Self {
        let mut rig = Self::early();
        rig.answer("phone").gives(["save Answer"]);
        rig
    }

    pub fn confirmed() -> Self {
        let mut rig = Self::answered();
        rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
        rig
    }

    /// A call that is up, whose 2xx spoke of session timers.
    pub fn in_session(expires: &str, update: bool) -> Self {
        let mut rig = Self::early();
        let mut answer = rig.answer_of("phone");
        answer.session = session(expires);
        answer.session.update = update;
        rig.deliver(&answer).gives(["save Answer"]);
        rig.saved(Save::Answer).gives(["ACK 1 phone", "media start"]);
        rig
    }

    /// The same, and half of the interval has gone by.
    pub fn refreshing(update: bool) -> Self {
        let mut rig = Self::in_session("300;refresher=uac", update);
        let refresh = if update { "UPDATE 2 phone" } else { "INVITE 2 phone" };
        rig.pass(SESSION_EXPIRES / 2).gives([refresh, "save Answer"]);
        rig
    }

    pub fn terminating() -> Self {
        let mut rig = Self::confirmed();
        rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
        rig
    }

    pub fn ended() -> Self {
        let mut rig = Self::terminating();
        rig.response_to("BYE", 200).gives(["save End"]);
        rig
    }

    // Inputs.

    pub fn saved(&mut self, save: Save) -> &mut Self {
        self.call.handle_saved(save, self.now);
        self
    }

    pub fn save_failed(&mut self, save: Save) -> &mut Self {
        self.call.handle_save_failed(save, self.now);
        self
    }

    pub fn disconnect(&mut self) -> &mut Self {
        self.call.disconnect(self.now);
        self
    }

    /// A provisional to the last INVITE.
    pub fn provisional(&mut self, status: u16) -> &mut Self {
        self.response_to("INVITE", status)
    }

    /// A 200 with a usable session description to the last INVITE, from the phone with this tag.
    pub fn answer(&mut self, tag: &str) -> &mut Self {
        let response = self.answer_of(tag);
        self.deliver(&response)
    }

    /// The same from another fork than the call's phone; the journal takes its dialog at once.
    #[track_caller]
    pub fn fork(&mut self, tag: &str) -> &mut Self {
        let response = self.answer_of(tag);
        self.deliver_fork(&response)
    }

    #[track_caller]
    pub fn deliver_fork(&mut self, response: &Response) -> &mut Self {
        let number = self.forks;
        self.forks += 1;
        self.deliver(response);
        assert_eq!(self.drain(), [format!("save Fork({number})")]);
        self.saved(Save::Fork(number))
    }

    pub fn answer_of(&self, tag: &str) -> Response {
        let mut response = self.last("INVITE").response(200, Some(tag));
        response.body = ANSWER.as_bytes().to_vec();
        response
    }

    /// A response to the last request of this method.
    pub fn response_to(&mut self, method: &str, status: u16) -> &mut Self {
        let response = self.last(method).response(status, Some("phone"));
        self.deliver(&response)
    }

    pub fn challenge(&mut self, method: &str, status: u16, challenges: &[Challenge]) -> &mut Self {
        let mut response = self.last(method).response(status, Some("phone"));
        response.challenges = challenges.to_vec();
        self.deliver(&response)
    }

    /// As the SIP room does: 2xx to INVITE by one door, everything else by the other.
    pub fn deliver(&mut self, response: &Response) -> &mut Self {
        if response.cseq.method == Method::Invite && (200..300).contains(&response.status) {
            self.call.handle_answer(response, self.now);
        } else {
            self.call.handle_response(response, self.now);
        }
        self
    }

    pub fn silence(&mut self, method: &str, silence: Silence) -> &mut Self {
        let tx = self.last(method).tx.clone();
        self.call.handle_silence(&tx, silence, self.now);
        self
    }

    /// A request of the phone inside the call's dialog, with the next CSeq number.
    pub fn peer_request(&mut self, method: Method, body: &str) -> Request {
        self.peer_cseq += 1;
        Request {
            request_uri: "sip:onhook@192.0.2.1:5060".to_owned(),
            call_id: CallIdHeader::new("call@onhook"),
            from: "<sip:4711@pbx.example>;tag=phone".to_owned(),
            from_tag: Some(Tag::new("phone")),
            to: "<sip:onhook@example.org>;tag=ours".to_owned(),
            to_tag: Some(Tag::new("ours")),
            cseq: CSeq {
                number: self.peer_cseq,
                method: method.clone(),
            },
            method,
            contact: None,
            record_route: Vec::new(),
            session: SessionHeaders::default(),
            content_type: (!body.is_empty()).then(|| "application/sdp".to_owned()),
            body: body.as_bytes().to_vec(),
        }
    }

    pub fn peer(&mut self, method: Method, body: &str) -> &mut Self {
        let request = self.peer_request(method, body);
        self.receive(&request)
    }

    pub fn receive(&mut self, request: &Request) -> &mut Self {
        let reply = self.call.handle_request(request, self.now);
        self.note_outputs();
        if let Some(reply) = reply {
            self.noted.push(format!("reply {}", reply.status));
            self.replies.push(reply);
        }
        self
    }

    /// Lets the clock run; timers fire at their own time.
    pub fn pass(&mut self, time: Duration) -> &mut Self {
        let end = self.now + time;
        while let Some((due, _)) = self.call.poll_timeout().filter(|(due, _)| *due <= end) {
            assert!(due >= self.now, "a timer lies in the past");
            self.now = due;
            self.call.handle_timeout(due);
        }
        self.now = end;
        self
    }

    // Outputs.

    /// Exactly these outputs, in this order.
    #[track_caller]
    pub fn gives<const N: usize>(&mut self, expected: [&str; N]) -> &mut Self {
        assert_eq!(self.drain(), expected);
        self
    }

    pub fn drain(&mut self) -> Vec<String> {
        self.note_outputs();
        std::mem::take(&mut self.noted)
    }

    fn note_outputs(&mut self) {
        while let Some(output) = self.call.poll_output() {
            let label = self.note(output);
            self.noted.extend(label);
        }
        assert_eq!(self.heard, heard::Heard::of(&self.call), "told, and asked");
    }

    /// The same clock and phones, with another call.
    pub fn replace(&mut self, call: Call) {
        self.heard = heard::Heard::taken_up(&call);
        self.call = call;
    }

    /// Events are noted apart from what is to be done.
    fn note(&mut self, output: Output) -> Option<String> {
        let label = match output {
            Output::Save(save) => format!("save {save:?}"),
            Output::Send(outgoing) => {
                let sent = Sent::new(outgoing);
                let label = sent.label();
                self.sent.push(sent);
                label
            }
            Output::Resume(invite) => format!("resume {}", invite.tx.method),
            Output::Stop(tx) => format!("stop {}", tx.method),
            Output::Media(command) => {
                self.media.push(command.clone());
                match command {
                    MediaCommand::Start(_) => "media start".to_owned(),
                    MediaCommand::Change(_) => "media change".to_owned(),
                    MediaCommand::Stop => "media stop".to_owned(),
                }
            }
            Output::Event(event) => {
                self.heard.hear(&event);
                self.events.push(event);
                return None;
            }
        };
        Some(label)
    }

    #[track_caller]
    pub fn last(&self, method: &str) -> &Sent {
        let found = self.sent.iter().rev().find(|sent| sent.method == method);
        found.unwrap_or_else(|| panic!("no {method} was sent"))
    }

    pub fn count(&self, method: &str) -> usize {
        self.sent.iter().filter(|sent| sent.method == method).count()
    }

    #[track_caller]
    pub fn ends(&mut self, cause: call::EndCause, confirmed: bool) -> &mut Self {
        assert_eq!(self.call.phase(), Phase::Ended(call::End { cause, confirmed }));
        self
    }
}
