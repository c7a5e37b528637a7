//! A call and whatever may happen to it, in any order. It never panics, wants no timer in the past, sends no INVITE once it is
//! to end, stays ended, and comes to rest when nothing more happens.
#![no_main]

#[path = "../../crates/call/tests/rig/surroundings.rs"]
#[allow(dead_code, reason = "one function of it is used here")]
mod surroundings;

use std::time::Duration;

use call::{Call, Output, Placement, Save, Silence};
use sip::{CSeq, CallIdHeader, Challenge, Method, Moment, Outgoing, Request, Response, SessionHeaders, Tag, uri};
use surroundings::surroundings;

const ANSWER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
const STATUSES: [u16; 12] = [100, 180, 200, 302, 401, 407, 408, 481, 486, 487, 503, 603];
const METHODS: [&str; 8] = ["BYE", "INVITE", "UPDATE", "OPTIONS", "INFO", "NOTIFY", "ACK", "MESSAGE"];

fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(": ");
    text.lines().find_map(value).unwrap_or_default()
}

struct Fuzzed {
    call: Call,
    now: Moment,
    sent: Vec<Outgoing>,
    saving: Vec<Save>,
}

impl Fuzzed {
    fn drain(&mut self) {
        let wished = self.call.record().wish.is_some();
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Save(save) => self.saving.push(save),
                Output::Send(outgoing) => {
                    assert!(
                        !wished || outgoing.tx.method != Method::Invite,
                        "an INVITE after the wish to end"
                    );
                    self.sent.push(outgoing);
                }
                Output::Resume(_) | Output::Stop(_) | Output::Media(_) | Output::Event(_) => {}
            }
        }
        assert!(
            self.call.poll_timeout().is_none_or(|(due, _)| due >= self.now),
            "a timer lies in the past"
        );
    }

    fn response(&self, which: u8, status: u16, phone: u8) -> Option<Response> {
        let asked: Vec<_> = self.sent.iter().filter(|sent| sent.tx.method != Method::Ack).collect();
        let request = asked.get(usize::from(which) % asked.len().max(1))?;
        let text = std::str::from_utf8(&request.bytes).expect("text");
        let to = header(text, "To");
        let to = match uri::tag(to) {
            Some(_) => to.to_owned(),
            None => format!("{to};tag=phone{}", phone % 3),
        };
        let number = header(text, "CSeq").split(' ').next()?.parse().ok()?;
        let challenge = |value: &str| Challenge {
            proxy: status == 407,
            value: value.into(),
        };
        Some(Response {
            status,
            reason: "Fuzzed".into(),
            branch: request.tx.branch.clone(),
            call_id: CallIdHeader::new("call@onhook"),
            from: header(text, "From").into(),
            to_tag: uri::tag(&to).map(Tag::new),
            to,
            cseq: CSeq {
                number,
                method: request.tx.method.clone(),
            },
            contact: Some("sip:phone@192.0.2.9".into()),
            record_route: Vec::new(),
            session: SessionHeaders::default(),
            challenges: match status {
                401 | 407 => vec![challenge(r#"Digest realm="pbx", nonce="n", qop="auth""#)],
                _ => Vec::new(),
            },
            retry_after: None,
            content_type: None,
            body: ANSWER.into(),
        })
    }

    fn happen(&mut self, kind: u8, which: u8, detail: u8) {
        let now = self.now;
        match kind % 8 {
            0 | 1 if !self.saving.is_empty() => {
                let save = self.saving.remove(usize::from(which) % self.saving.len());
                if detail < 230 {
                    self.call.handle_saved(save, now);
                } else {
                    self.call.handle_save_failed(save, now);
                }
            }
            0..=3 => {
                let status = STATUSES[usize::from(detail) % STATUSES.len()];
                let Some(response) = self.response(which, status, detail / 16) else {
                    return;
                };
                if status == 200 && response.cseq.method == Method::Invite {
                    self.call.handle_answer(&response, now);
                } else {
                    self.call.handle_response(&response, now);
                }
            }
            4 => {
                let silence = match detail % 4 {
                    0 => Silence::TimedOut,
                    2 => Silence::ConnectionLost,
                    1 => Silence::NobodyThere,
                    _ => Silence::Unreachable,
                };
                let request = self.sent.get(usize::from(which) % self.sent.len().max(1));
                if let Some(tx) = request.map(|request| request.tx.clone()) {
                    self.call.handle_silence(&tx, silence, now);
                }
            }
            5 => {
                let method = Method::parse(METHODS[usize::from(detail) % METHODS.len()]);
                let tag = Tag::new(format!("phone{}", detail / 8 % 3));
                let request = Request {
                    request_uri: "sip:onhook@192.0.2.1".into(),
                    call_id: CallIdHeader::new("call@onhook"),
                    from: format!("<sip:4711@pbx.example>;tag={tag}"),
                    from_tag: Some(tag),
                    to: "<sip:onhook@example.org>;tag=ours".into(),
                    to_tag: Some(Tag::new("ours")),
                    cseq: CSeq {
                        number: which.into(),
                        method: method.clone(),
                    },
                    contact: None,
                    record_route: Vec::new(),
                    session: SessionHeaders::default(),
                    content_type: None,
                    body: if detail < 128 { ANSWER.into() } else { Vec::new() },
                    method,
                };
                match request.method {
                    Method::Ack => self.call.handle_ack(&request),
                    _ => drop(self.call.handle_request(&request, self.now)),
                }
            }
            6 => match detail % 6 {
                0 => self.call.disconnect(now),
                1 => self.call.media_finished(now),
                2 => self.call.media_failed(now),
                3 => self.call.drain(now),
                4 => self.call.handle_never_acked(now),
                // The process was killed: the next one takes the call up from its record.
                _ => {
                    self.saving.clear();
                    self.call = Call::take_up(self.call.record().clone(), 1, surroundings(), now);
                }
            },
            _ => self.pass(Duration::from_millis(u64::from(which) * u64::from(detail) * 10)),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((due, _)) = self.call.poll_timeout().filter(|(due, _)| *due <= end) {
            self.now = due;
            self.call.handle_timeout(due);
            self.drain();
        }
        self.now = end;
    }
}

libfuzzer_sys::fuzz_target!(|events: Vec<(u8, u8, u8)>| {
    let placement = Placement {
        trunk: "pbx".into(),
        request_uri: "sip:4711@pbx.example".into(),
        from: "<sip:onhook@example.org>".into(),
        routes: Vec::new(),
        destination: "sip:192.0.2.5:5060".into(),
        path: None,
        call_id: CallIdHeader::new("call@onhook"),
        local_tag: Tag::new("ours"),
    };
    let mut fuzzed = Fuzzed {
        call: Call::place(placement, surroundings()),
        now: Moment::default(),
        sent: Vec::new(),
        saving: Vec::new(),
    };
    fuzzed.drain();
    for (kind, which, detail) in events.into_iter().take(200) {
        let cause = fuzzed.call.end().map(|end| end.cause.clone());
        fuzzed.happen(kind, which, detail);
        fuzzed.drain();
        assert!(
            cause.is_none() || cause.as_ref() == fuzzed.call.end().map(|end| &end.cause),
            "the end has changed"
        );
    }
    // Nothing more comes from outside but the journal.
    fuzzed.call.disconnect(fuzzed.now);
    fuzzed.drain();
    for _ in 0..10 {
        while let Some(save) = fuzzed.saving.pop() {
            fuzzed.call.handle_saved(save, fuzzed.now);
            fuzzed.drain();
        }
        fuzzed.pass(Duration::from_secs(100));
    }
    assert!(fuzzed.call.is_drained(), "{:?}", fuzzed.call);
    assert_eq!(fuzzed.call.poll_timeout(), None);
});
