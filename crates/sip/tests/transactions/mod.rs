//! Transactions on a virtual clock: one input, then exactly these outputs.
#![allow(dead_code, unreachable_pub, reason = "every test file uses the part it needs")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

pub mod model;
pub mod script;

use std::{fmt::Debug, time::Duration};

use sip::{
    Branch, ForClient, ForServer, Message, Method, Moment, Path, ServerId, Timers, TransactionEvent, Transactions,
    Transport, Tx,
};

pub fn at(milliseconds: u64) -> Moment {
    Moment::after_start(Duration::from_millis(milliseconds))
}

fn path(transport: Transport) -> Path {
    Path {
        transport,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([192, 0, 2, 2], 5070).into(),
    }
}

pub fn udp() -> Path {
    path(Transport::Udp)
}

pub fn tcp() -> Path {
    path(Transport::Tcp)
}

/// A request, of ours or of a peer: what its lines say.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub branch: String,
    pub sent_by: &'static str,
    pub to: &'static str,
    pub cseq: u32,
    pub more: &'static str,
}

/// One with a branch of our time.
pub fn request(method: &'static str, branch: &str) -> Request {
    Request {
        method,
        branch: format!("z9hG4bK{branch}"),
        sent_by: "192.0.2.1:5060",
        to: "<sip:100@192.0.2.2>",
        cseq: 1,
        more: "",
    }
}

impl Request {
    pub fn tx(&self) -> Tx {
        Tx {
            branch: Branch::new(&*self.branch),
            method: Method::parse(self.method),
        }
    }

    pub fn text(&self) -> String {
        let Self {
            method,
            branch,
            sent_by,
            to,
            cseq,
            more,
        } = self;
        format!(
            "{method} sip:100@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@192.0.2.1>;tag=from\r\nTo: {to}\r\nCall-ID: call@192.0.2.1\r\nCSeq: {cseq} {method}\r\n\
             {more}Content-Length: 0\r\n\r\n"
        )
    }

    /// A response to it, with this tag in its `To`.
    pub fn response(&self, status: u16, to_tag: &str) -> String {
        let Self {
            method,
            branch,
            sent_by,
            to,
            cseq,
            ..
        } = self;
        let to = if to.contains("tag=") {
            (*to).to_owned()
        } else {
            format!("{to};tag={to_tag}")
        };
        format!(
            "SIP/2.0 {status} Reason\r\nVia: SIP/2.0/UDP {sent_by};branch={branch};rport=5060\r\n\
             From: <sip:a@192.0.2.1>;tag=from\r\nTo: {to}\r\nCall-ID: call@192.0.2.1\r\nCSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    /// The ACK of its refusal with this tag (RFC 3261 §17.1.1.3).
    pub fn ack(&self, to_tag: &str) -> String {
        let Self {
            branch,
            sent_by,
            to,
            cseq,
            more,
            ..
        } = self;
        format!(
            "ACK sip:100@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:a@192.0.2.1>;tag=from\r\nTo: {to};tag={to_tag}\r\nCall-ID: call@192.0.2.1\r\nCSeq: {cseq} ACK\r\n\
             {more}Content-Length: 0\r\n\r\n"
        )
    }
}

/// What came out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Sent(Path, String),
    Event(TransactionEvent),
}

pub fn sent(path: Path, text: impl Into<String>) -> Output {
    Output::Sent(path, text.into())
}

pub fn timed_out(request: &Request) -> Output {
    Output::Event(TransactionEvent::TimedOut(request.tx()))
}

pub fn connection_lost(request: &Request) -> Output {
    Output::Event(TransactionEvent::ConnectionLost(request.tx()))
}

pub fn unreachable(request: &Request) -> Output {
    Output::Event(TransactionEvent::Unreachable(request.tx()))
}

pub fn over(id: ServerId) -> Output {
    Output::Event(TransactionEvent::Over(id))
}

pub fn never_acked(id: ServerId) -> Output {
    Output::Event(TransactionEvent::NeverAcked(id))
}

/// The transactions of one node, and what time it is there.
#[derive(Debug)]
pub struct Rig {
    pub transactions: Transactions,
    pub now: Moment,
}

impl Default for Rig {
    fn default() -> Self {
        Self::new(Timers::default())
    }
}

impl Rig {
    pub fn new(timers: Timers) -> Self {
        Self {
            transactions: Transactions::new(timers),
            now: at(0),
        }
    }

    pub fn send(&mut self, path: Path, request: &Request) {
        self.transactions
            .send(self.now, path, request.tx(), request.text().into_bytes());
    }

    /// Sends it and takes it off.
    pub fn sends(&mut self, path: Path, request: &Request) {
        self.send(path, request);
        self.gives([sent(path, request.text())]);
    }

    pub fn resume(&mut self, path: Path, request: &Request) {
        self.transactions
            .resume(self.now, path, request.tx(), request.text().into_bytes());
    }

    pub fn response(&mut self, text: &str) -> ForClient {
        let message = Message::parse(text.as_bytes()).expect("a message");
        self.transactions.handle_response(self.now, &message)
    }

    pub fn request(&mut self, path: Path, text: &str) -> ForServer {
        let message = Message::parse(text.as_bytes()).expect("a message");
        self.transactions.handle_request(self.now, path, &message)
    }

    /// A new request comes, and is accepted.
    pub fn accept(&mut self, path: Path, request: &Request) -> ServerId {
        let seen = self.request(path, &request.text());
        assert!(!matches!(seen, ForServer::Absorbed), "{seen:?}: {request:?}");
        self.accepts(path, request).expect("room for it")
    }

    /// The same, where there may be no room for it.
    pub fn accepts(&mut self, path: Path, request: &Request) -> Option<ServerId> {
        let text = request.text();
        let message = Message::parse(text.as_bytes()).expect("a message");
        self.transactions.accept(self.now, path, &message)
    }

    pub fn reply(&mut self, id: ServerId, status: u16, text: &str) {
        self.transactions.reply(self.now, id, status, text.as_bytes().to_vec());
    }

    /// Exactly this has come out since the last time: messages first, then events, each in their order.
    #[track_caller]
    pub fn gives(&mut self, outputs: impl IntoIterator<Item = Output>) {
        let expected: Vec<Output> = outputs.into_iter().collect();
        assert_same(&drain(&mut self.transactions), &expected, self.now);
    }

    /// Goes to `milliseconds` without anything coming out; timers that only end something may be due.
    #[track_caller]
    pub fn passes(&mut self, milliseconds: u64) {
        self.now = at(milliseconds);
        self.transactions.handle_timeout(self.now);
        self.gives([]);
    }

    /// Goes to `milliseconds`, whatever comes out.
    pub fn passes_to(&mut self, milliseconds: u64) {
        self.now = at(milliseconds);
        self.transactions.handle_timeout(self.now);
        drain(&mut self.transactions);
    }

    /// The next timer is this one, at this time; a nanosecond earlier nothing happens; then exactly this comes out.
    #[track_caller]
    pub fn fires(&mut self, timer: &'static str, milliseconds: u64, outputs: impl IntoIterator<Item = Output>) {
        let due = (at(milliseconds), timer);
        assert_eq!(self.transactions.poll_timeout(), Some(due));
        let early = Moment::after_start(due.0.since_start() - Duration::from_nanos(1));
        let load = self.transactions.load();
        self.transactions.handle_timeout(early);
        self.gives([]);
        assert_eq!(
            (self.transactions.poll_timeout(), self.transactions.load()),
            (Some(due), load)
        );
        self.now = due.0;
        self.transactions.handle_timeout(self.now);
        self.gives(outputs);
    }

    /// No timer runs and nothing is remembered.
    #[track_caller]
    pub fn is_empty(&self) {
        assert_eq!(self.transactions.poll_timeout(), None);
        assert_eq!(self.transactions.load(), sip::Load::default());
    }
}

pub fn drain(transactions: &mut Transactions) -> Vec<Output> {
    let mut outputs = Vec::new();
    while let Some(transmit) = transactions.poll_transmit() {
        outputs.push(sent(transmit.path, String::from_utf8(transmit.bytes).expect("text")));
    }
    while let Some(event) = transactions.poll_event() {
        outputs.push(Output::Event(event));
    }
    outputs
}

#[track_caller]
fn assert_same<T: Debug + PartialEq>(seen: &[T], expected: &[T], now: Moment) {
    assert!(
        seen == expected,
        "at {:?}\nseen: {seen:#?}\nexpected: {expected:#?}",
        now.since_start()
    );
}
