//! A phone: rings, answers, refuses, is hung up or hangs up; a UAS of RFC 3261 with the liberties it allows.

use std::rc::Rc;

use sip::{Method, Refresher, SessionExpires, SessionHeaders};

use crate::{
    message::{CALL_ID, Message, Node},
    scenario::{Millis, Outcome, Script},
    world::{Event, Purpose, World},
};

/// How long a phone rings that nobody answers and nobody cancels.
const RINGS_AT_MOST: Millis = 200_000;

#[derive(Default)]
pub(crate) struct Phone {
    pub(crate) legs: Vec<Leg>,
    pub(crate) gone: bool,
    byes_refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Ringing,
    /// Off-hook.
    Up,
    Down,
}

/// One INVITE, and the dialog that came of it.
pub(crate) struct Leg {
    pub(crate) tag: String,
    invite: Rc<Message>,
    /// Who sent the INVITE: responses go back there.
    via: Node,
    pub(crate) hook: Hook,
    pub(crate) answered_at: Millis,
    /// The last response to the INVITE, for its retransmissions.
    last: Option<Rc<Message>>,
    repeat: Option<usize>,
    acked: bool,
    remote_number: u32,
    number: u32,
    byed: bool,
    /// Our responses to requests in the dialog.
    served: Vec<(Rc<str>, Rc<Message>)>,
    /// Our 2xx to a re-INVITE: the number of that, and its repetition.
    reinvited: Option<(u32, usize)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Ring,
    Decide,
    RingNoMore,
    HangUp,
    Reinvite,
    /// Refreshes the session, again and again (RFC 4028 §9).
    Refresh,
}

impl World {
    pub(crate) fn phone_hears(&mut self, phone: usize, from: Node, message: &Rc<Message>) {
        if self.phones[phone].gone {
            return;
        }
        if !message.is_request() {
            return self.phone_hears_response(phone, from, message);
        }
        match message.method {
            Method::Invite if message.to_tag().is_none() => self.phone_invited(phone, from, message),
            Method::Ack => self.phone_acked(phone, message),
            Method::Cancel => self.phone_cancelled(phone, from, message),
            _ => self.phone_asked(phone, from, message),
        }
    }

    fn phone_invited(&mut self, phone: usize, from: Node, invite: &Rc<Message>) {
        let known = self.phones[phone]
            .legs
            .iter()
            .find(|leg| leg.invite.branch == invite.branch);
        if let Some(leg) = known {
            // A retransmission. A 2xx is repeated by its own timer (RFC 6026 §7.1).
            if let Some(last) = leg.last.clone().filter(|last| !last.is_answer()) {
                self.send(Node::Phone(phone), from, &last);
            }
            return;
        }
        let script = self.scenario.phones[phone];
        let leg = self.phones[phone].legs.len();
        self.phones[phone].legs.push(Leg {
            tag: format!("p{}{}", phone + 1, ["", "b", "c", "d", "e"].get(leg).unwrap_or(&"x")),
            invite: invite.clone(),
            via: from,
            hook: Hook::Down,
            answered_at: 0,
            last: None,
            repeat: None,
            acked: false,
            remote_number: invite.number,
            number: 0,
            byed: false,
            served: Vec::new(),
            reinvited: None,
        });
        if !invite.satisfies(script.asks_invite) {
            let refusal = Message {
                asks: script.asks_invite,
                ..invite.answered(401, Some("ua"))
            };
            return self.phone_refuses_with(phone, leg, refusal);
        }
        self.phones[phone].legs[leg].hook = Hook::Ringing;
        if script.tries {
            self.phone_responds(phone, leg, 100);
        }
        self.after(
            script.rings_after,
            Event::Phone {
                phone,
                leg,
                act: Act::Ring,
            },
        );
        let (wait, act) = match script.outcome {
            Outcome::Answer | Outcome::Refuse(_) => (script.rings_for, Act::Decide),
            Outcome::RingOn => (RINGS_AT_MOST, Act::RingNoMore),
        };
        self.after(script.rings_after + wait, Event::Phone { phone, leg, act });
    }

    /// A provisional response.
    fn phone_responds(&mut self, phone: usize, leg: usize, status: u16) {
        let this = &mut self.phones[phone].legs[leg];
        let tag = (status > 100).then_some(this.tag.as_str());
        let response = Rc::new(this.invite.answered(status, tag));
        this.last = Some(response.clone());
        let via = this.via;
        self.send(Node::Phone(phone), via, &response);
    }

    fn phone_refuses(&mut self, phone: usize, leg: usize, status: u16) {
        let this = &self.phones[phone].legs[leg];
        let refusal = this.invite.answered(status, Some(&this.tag));
        self.phone_refuses_with(phone, leg, refusal);
    }

    fn phone_refuses_with(&mut self, phone: usize, leg: usize, refusal: Message) {
        self.hook(phone, leg, Hook::Down);
        let refusal = Rc::new(refusal);
        let this = &mut self.phones[phone].legs[leg];
        this.last = Some(refusal.clone());
        let via = this.via;
        let repeat = self.send_repeatedly(Node::Phone(phone), via, refusal, Purpose::Refusal);
        self.phones[phone].legs[leg].repeat = Some(repeat);
    }

    pub(crate) fn phone_acts(&mut self, phone: usize, leg: usize, act: Act) {
        if self.phones[phone].gone {
            return;
        }
        let hook = self.phones[phone].legs[leg].hook;
        let script = self.scenario.phones[phone];
        match (act, hook) {
            (Act::Ring, Hook::Ringing) => self.phone_responds(phone, leg, 180),
            (Act::Decide, Hook::Ringing) => match script.outcome {
                Outcome::Refuse(status) => self.phone_refuses(phone, leg, status),
                Outcome::Answer | Outcome::RingOn => self.phone_answers(phone, leg),
            },
            (Act::RingNoMore, Hook::Ringing) => self.phone_refuses(phone, leg, 480),
            // No BYE of the callee before its 2xx is ACKed (RFC 3261 §15).
            (Act::HangUp, Hook::Up) if self.phones[phone].legs[leg].acked => self.phone_byes(phone, leg),
            (Act::HangUp, Hook::Up) => self.after(100, Event::Phone { phone, leg, act }),
            (Act::Reinvite, Hook::Up) if self.phones[phone].legs[leg].acked => {
                let with_offer = self.tape.below(2) == 0;
                self.phone_requests(phone, leg, Method::Invite, with_offer, SessionHeaders::default());
            }
            (Act::Refresh, Hook::Up) => self.phone_refreshes(phone, leg),
            (Act::Reinvite, Hook::Up) => self.after(100, Event::Phone { phone, leg, act }),
            (Act::Ring | Act::Decide | Act::RingNoMore | Act::HangUp | Act::Reinvite | Act::Refresh, _) => {}
        }
    }

    fn phone_answers(&mut self, phone: usize, leg: usize) {
        let script = self.scenario.phones[phone];
        self.hook(phone, leg, Hook::Up);
        let now = self.now;
        let this = &mut self.phones[phone].legs[leg];
        this.answered_at = now;
        let session = script.session.filter(|_| this.invite.session.expires.is_some());
        let answer = Rc::new(Message {
            contact: Some(format!("sip:{phone}@192.0.2.9").into()),
            sdp: script.usable_sdp,
            session: script.says(session),
            ..this.invite.answered(200, Some(&this.tag))
        });
        this.last = Some(answer.clone());
        let via = this.via;
        let repeat = self.send_repeatedly(Node::Phone(phone), via, answer, Purpose::PhoneAnswer { phone, leg });
        self.phones[phone].legs[leg].repeat = Some(repeat);
        self.watch.in_session(phone, session);
        let refreshes_after = session
            .filter(|session| session.refresher == Some(Refresher::Uas))
            .map(half);
        for (wait, act) in [
            (script.hangs_up_after, Act::HangUp),
            (script.reinvites_after, Act::Reinvite),
            (refreshes_after, Act::Refresh),
        ] {
            if let Some(wait) = wait {
                self.after(wait, Event::Phone { phone, leg, act });
            }
        }
    }

    /// No ACK within 64·T1: the session is over (RFC 3261 §13.3.1.4).
    pub(crate) fn phone_never_acked(&mut self, phone: usize, leg: usize) {
        if !self.phones[phone].gone && self.phones[phone].legs[leg].hook == Hook::Up {
            self.phone_byes(phone, leg);
        }
    }

    fn phone_byes(&mut self, phone: usize, leg: usize) {
        self.hook(phone, leg, Hook::Down);
        let this = &mut self.phones[phone].legs[leg];
        this.byed = true;
        let repeat = this.repeat;
        self.stop_repeat(repeat);
        self.phone_requests(phone, leg, Method::Bye, false, SessionHeaders::default());
    }

    fn phone_refreshes(&mut self, phone: usize, leg: usize) {
        let script = self.scenario.phones[phone];
        let Some(session) = script.session else { return };
        if self.phones[phone].legs[leg].acked {
            let says = script.says(Some(SessionExpires {
                refresher: Some(Refresher::Uac),
                ..session
            }));
            let method = if script.updates { Method::Update } else { Method::Invite };
            self.phone_requests(phone, leg, method, false, says);
        }
        let act = Act::Refresh;
        self.after(half(session), Event::Phone { phone, leg, act });
    }

    fn phone_requests(&mut self, phone: usize, leg: usize, method: Method, sdp: bool, session: SessionHeaders) {
        let this = &mut self.phones[phone].legs[leg];
        this.number += 1;
        let request = Rc::new(Message {
            status: 0,
            branch: format!("z9hG4bK-{}-{}", this.tag, this.number).into(),
            method,
            number: this.number,
            from: format!("{};tag={}", this.invite.to, this.tag).into(),
            to: this.invite.from.clone(),
            uri: CALL_ID.into(),
            contact: None,
            credentials: None,
            asks: crate::message::Asks::Nothing,
            sdp,
            session,
        });
        self.send_repeatedly(
            Node::Phone(phone),
            Node::House,
            request,
            Purpose::PhoneClient { phone, leg },
        );
    }

    fn phone_hears_response(&mut self, phone: usize, from: Node, response: &Rc<Message>) {
        let of_this = |message: &Message| message.branch == response.branch && message.method == response.method;
        let found = self.repeats.iter_mut().find_map(|repeat| match repeat.purpose {
            Purpose::PhoneClient { phone: of, leg } if of == phone && of_this(repeat.message()) => Some((leg, repeat)),
            _ => None,
        });
        let Some((leg, repeat)) = found else { return };
        if response.status < 200 {
            return;
        }
        let first = std::mem::replace(&mut repeat.alive, false);
        let refresh = repeat.message().session.expires.is_some();
        if response.method == Method::Invite {
            let request = repeat.message().clone();
            let branch = if response.status < 300 {
                format!("{}-ack", request.branch).into()
            } else {
                request.branch.clone()
            };
            let ack = Message {
                method: Method::Ack,
                sdp: response.status < 300 && !request.sdp,
                branch,
                ..request
            };
            self.send(Node::Phone(phone), from, &Rc::new(ack));
        }
        // Nobody knows the session any more (RFC 4028 §10).
        if first && refresh && response.status == 481 && self.phones[phone].legs[leg].hook == Hook::Up {
            self.phone_byes(phone, leg);
        }
    }

    fn phone_acked(&mut self, phone: usize, ack: &Message) {
        let legs = &mut self.phones[phone].legs;
        let found = legs.iter_mut().find(|leg| {
            // A refusal's ACK has the INVITE's branch, a 2xx's ACK has the dialog's tag.
            ack.branch == leg.invite.branch || (ack.to_tag() == Some(&leg.tag) && ack.number == leg.invite.number)
        });
        if let Some(leg) = found {
            leg.acked = true;
            let repeat = leg.repeat;
            self.stop_repeat(repeat);
            return;
        }
        let of_reinvite = |leg: &&mut Leg| {
            ack.to_tag() == Some(&leg.tag) && leg.reinvited.is_some_and(|(number, _)| number == ack.number)
        };
        let repeat = self.phones[phone].legs.iter_mut().find(of_reinvite);
        let repeat = repeat.and_then(|leg| leg.reinvited.take()).map(|(_, repeat)| repeat);
        self.stop_repeat(repeat);
    }

    fn phone_cancelled(&mut self, phone: usize, from: Node, cancel: &Message) {
        let found = self.phones[phone]
            .legs
            .iter()
            .position(|leg| leg.invite.branch == cancel.branch);
        let status = if found.is_some() { 200 } else { 481 };
        let response = Rc::new(cancel.answered(status, Some("ua")));
        self.send(Node::Phone(phone), from, &response);
        if let Some(leg) = found
            && self.phones[phone].legs[leg].hook == Hook::Ringing
        {
            self.phone_refuses(phone, leg, 487);
        }
    }

    /// BYE, and whatever else there may be inside the dialog.
    fn phone_asked(&mut self, phone: usize, from: Node, request: &Rc<Message>) {
        let script = self.scenario.phones[phone];
        let leg = self.phones[phone].legs.iter().position(|leg| {
            request.to_tag() == Some(leg.tag.as_str()) && request.sender_tag() == leg.invite.sender_tag()
        });
        let Some(leg) = leg else {
            let response = Rc::new(request.answered(481, None));
            return self.send(Node::Phone(phone), from, &response);
        };
        let refused = self.phones[phone].byes_refused;
        let this = &mut self.phones[phone].legs[leg];
        if let Some((_, response)) = this.served.iter().find(|(branch, _)| *branch == request.branch) {
            let response = response.clone();
            return self.send(Node::Phone(phone), from, &response);
        }
        let mut response = request.answered(200, None);
        if this.hook != Hook::Up {
            response.status = 481;
        } else if request.number <= this.remote_number {
            response.status = 500; // RFC 3261 §12.2.2
        } else if !request.satisfies(script.asks_bye) {
            response.status = 401;
            response.asks = script.asks_bye;
        } else if request.method == Method::Bye && refused < script.refuses_byes {
            response.status = 503;
        }
        this.remote_number = this.remote_number.max(request.number);
        match (&request.method, response.status) {
            (Method::Bye, _) => {}
            (Method::Invite, 200) => {
                response.contact = Some(format!("sip:{phone}@192.0.2.9").into());
                response.sdp = true;
                response.session = script.says(request.session.expires);
            }
            (Method::Update, 200) if !script.updates => response.status = 405,
            (_, 200) => response.session = script.says(request.session.expires),
            _ => {}
        }
        let response = Rc::new(response);
        this.served.push((request.branch.clone(), response.clone()));
        let repeats = [this.repeat, this.reinvited.map(|(_, repeat)| repeat)];
        match (&request.method, response.status) {
            (Method::Bye, 200) => {
                for repeat in repeats {
                    self.stop_repeat(repeat);
                }
                self.hook(phone, leg, Hook::Down);
            }
            (Method::Bye, 503) => self.phones[phone].byes_refused += 1,
            (Method::Invite, 200) => {
                let purpose = Purpose::PhoneAnswer { phone, leg };
                let repeat = self.send_repeatedly(Node::Phone(phone), from, response, purpose);
                self.phones[phone].legs[leg].reinvited = Some((request.number, repeat));
                return;
            }
            _ => {}
        }
        self.send(Node::Phone(phone), from, &response);
    }

    pub(crate) fn phone_vanishes(&mut self, phone: usize) {
        self.phones[phone].gone = true;
        self.watch.vanished(phone, self.now);
        self.ladder.note(self.now, || format!("phone {} vanishes", phone + 1));
        for repeat in &mut self.repeats {
            repeat.alive &= repeat.from() != Node::Phone(phone);
        }
    }

    fn hook(&mut self, phone: usize, leg: usize, hook: Hook) {
        let this = &mut self.phones[phone].legs[leg];
        let before = std::mem::replace(&mut this.hook, hook);
        if before != hook {
            self.ladder
                .note(self.now, || format!("phone {} is {}", phone + 1, hook.name()));
            if hook == Hook::Down {
                self.check_down(phone, leg, before);
            }
        }
    }
}

impl Script {
    fn says(&self, expires: Option<SessionExpires>) -> SessionHeaders {
        SessionHeaders {
            expires,
            min_se: None,
            timer: expires.is_some(),
            update: self.updates,
        }
    }
}

/// When a session is refreshed (RFC 4028 §10).
fn half(session: SessionExpires) -> Millis {
    Millis::from(session.interval) * 500
}

impl Leg {
    pub(crate) fn branch(&self) -> &Rc<str> {
        &self.invite.branch
    }

    /// Whether the phone has hung up by itself.
    pub(crate) fn said_bye(&self) -> bool {
        self.byed
    }
}

impl Hook {
    fn name(self) -> &'static str {
        match self {
            Self::Ringing => "ringing",
            Self::Up => "off-hook",
            Self::Down => "on-hook",
        }
    }
}
