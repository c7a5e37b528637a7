//! A phone: rings, answers, refuses, is hung up or hangs up; a UAS of RFC 3261 with the liberties it allows.

mod dialog;
mod liberties;
mod session;

use std::rc::Rc;

use sip::{Method, Refresher, SessionExpires, SessionHeaders, Transport};

use crate::{
    message::{At, Message, Node},
    network::Purpose,
    scenario::{Liberty, Millis, Outcome, Quarrel},
    world::{Event, World},
};

/// How long a phone rings that nobody answers and nobody cancels.
const RINGS_AT_MOST: Millis = 200_000;

#[derive(Default)]
pub(crate) struct Phone {
    pub(crate) legs: Vec<Leg>,
    pub(crate) gone: bool,
    byes_refused: u64,
    /// Sessions that were too small.
    too_small: u32,
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
    Liberty(Liberty),
}

impl Phone {
    /// Whether this tag names a dialog of it.
    pub(crate) fn has_tag(&self, tag: Option<&str>) -> bool {
        tag.is_some_and(|tag| self.legs.iter().any(|leg| leg.tag == tag))
    }
}

impl World {
    pub(crate) fn phone_hears(&mut self, at: At, from: Node, message: &Rc<Message>) {
        if self.phone(at).gone {
            return;
        }
        if !message.is_request() {
            return self.phone_hears_response(at, from, message);
        }
        match message.method {
            Method::Invite if message.to_tag().is_none() => self.phone_invited(at, from, message),
            Method::Ack => self.phone_acked(at, message),
            Method::Cancel => self.phone_cancelled(at, from, message),
            _ => self.phone_asked(at, from, message),
        }
    }

    fn phone_invited(&mut self, at: At, from: Node, invite: &Rc<Message>) {
        let legs = &self.phone(at).legs;
        if let Some(leg) = legs.iter().find(|leg| leg.invite.branch == invite.branch) {
            // A retransmission. A 2xx is repeated by its own timer (RFC 6026 §7.1).
            if let Some(last) = leg.last.clone().filter(|last| !last.is_answer()) {
                self.send(Node::Phone(at), from, &last);
            }
            return;
        }
        let script = self.script(at);
        let leg = self.phone(at).legs.len();
        let letter = ["", "b", "c", "d", "e"]
            .get(leg)
            .map_or_else(|| format!("x{leg}"), |letter| (*letter).to_owned());
        self.phone(at).legs.push(Leg {
            tag: format!("p{}{letter}-{}", at.phone + 1, invite.name),
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
            let asks = script.asks_invite;
            self.asks(asks);
            let refusal = Message {
                asks,
                ..invite.answered(asks.status(401, invite.number), Some("ua"))
            };
            return self.phone_refuses_with(at, leg, refusal);
        }
        if let Some(refusal) = self.session_is_too_small(at, invite) {
            return self.phone_refuses_with(at, leg, refusal);
        }
        self.leg(at, leg).hook = Hook::Ringing;
        if script.tries {
            self.phone_responds(at, leg, 100);
        }
        self.after(
            script.rings_after,
            Event::Phone {
                at,
                leg,
                act: Act::Ring,
            },
        );
        let (wait, act) = match script.outcome {
            Outcome::Answer | Outcome::Refuse(_) => (script.rings_for, Act::Decide),
            Outcome::RingOn => (RINGS_AT_MOST, Act::RingNoMore),
        };
        self.after(script.rings_after + wait, Event::Phone { at, leg, act });
    }

    /// A provisional response.
    fn phone_responds(&mut self, at: At, leg: usize, status: u16) {
        let this = self.leg(at, leg);
        let tag = (status > 100).then_some(this.tag.as_str());
        let response = Rc::new(this.invite.answered(status, tag));
        this.last = Some(response.clone());
        let via = this.via;
        self.send(Node::Phone(at), via, &response);
    }

    fn phone_refuses(&mut self, at: At, leg: usize, status: u16) {
        let this = self.leg(at, leg);
        let refusal = this.invite.answered(status, Some(&this.tag));
        let refusal = Message {
            more: self.refers_elsewhere(at, status),
            ..refusal
        };
        self.phone_refuses_with(at, leg, refusal);
    }

    fn phone_refuses_with(&mut self, at: At, leg: usize, refusal: Message) {
        self.hook(at, leg, Hook::Down);
        let refusal = Rc::new(refusal);
        let this = self.leg(at, leg);
        this.last = Some(refusal.clone());
        let via = this.via;
        let repeat = self.send_repeatedly(Node::Phone(at), via, refusal, Purpose::Refusal);
        self.leg(at, leg).repeat = Some(repeat);
    }

    pub(crate) fn phone_acts(&mut self, at: At, leg: usize, act: Act) {
        if self.phone(at).gone {
            return;
        }
        let hook = self.leg(at, leg).hook;
        let script = self.script(at);
        match (act, hook) {
            (Act::Ring, Hook::Ringing) => self.phone_rings(at, leg),
            (Act::Decide, Hook::Ringing) => match script.outcome {
                Outcome::Refuse(status) => self.phone_refuses(at, leg, status),
                Outcome::Answer | Outcome::RingOn => self.phone_answers(at, leg),
            },
            (Act::RingNoMore, Hook::Ringing) => self.phone_refuses(at, leg, 480),
            // No BYE of the callee before its 2xx is ACKed (RFC 3261 §15).
            (Act::HangUp, Hook::Up) if self.leg(at, leg).acked => self.phone_byes(at, leg),
            (Act::HangUp, Hook::Up) => self.after(100, Event::Phone { at, leg, act }),
            (Act::Reinvite, Hook::Up) if self.leg(at, leg).acked => {
                let with_offer = self.lane("offer", at.call).below(2) == 0;
                self.phone_requests(at, leg, Method::Invite, with_offer, SessionHeaders::default());
            }
            (Act::Refresh, Hook::Up) => self.phone_refreshes(at, leg),
            (Act::Liberty(liberty), Hook::Up) if self.leg(at, leg).acked => self.phone_takes_liberty(at, leg, liberty),
            (Act::Reinvite | Act::Liberty(_), Hook::Up) => self.after(100, Event::Phone { at, leg, act }),
            (
                Act::Ring
                | Act::Decide
                | Act::RingNoMore
                | Act::HangUp
                | Act::Reinvite
                | Act::Refresh
                | Act::Liberty(_),
                _,
            ) => {}
        }
    }

    fn phone_answers(&mut self, at: At, leg: usize) {
        let script = self.script(at);
        self.hook(at, leg, Hook::Up);
        let transport = self.leg(at, leg).transport();
        let (now, contact, route) = (self.now, self.contact(at, transport), self.recorded(at, transport));
        let this = self.leg(at, leg);
        this.answered_at = now;
        let session = script.session.filter(|_| this.invite.session.expires.is_some());
        let answer = Rc::new(Message {
            contact: Some(contact),
            route,
            sdp: script.usable_sdp,
            session: script.says(script.quarrel.map_or(session, |quarrel| quarrel.answers(session))),
            ..this.invite.answered(200, Some(&this.tag))
        });
        this.last = Some(answer.clone());
        let via = this.via;
        let repeat = self.send_repeatedly(Node::Phone(at), via, answer, Purpose::PhoneAnswer { at, leg });
        self.leg(at, leg).repeat = Some(repeat);
        // One that raises the interval later is not held to the first one.
        let is_held = !matches!(script.quarrel, Some(Quarrel::TooSmall(_)));
        self.watch.in_session(at, session.filter(|_| is_held));
        let both = script.quarrel.is_some_and(Quarrel::refreshes_too);
        let refreshes_after = session
            .filter(|session| both || session.refresher == Some(Refresher::Uas))
            .map(half);
        let liberties = script.liberties.asks.into_iter().flatten();
        let liberties = liberties.map(|(wait, liberty)| (Some(wait), Act::Liberty(liberty)));
        let acts = [
            (script.hangs_up_after, Act::HangUp),
            (script.reinvites_after, Act::Reinvite),
            (refreshes_after, Act::Refresh),
        ];
        for (wait, act) in acts.into_iter().chain(liberties) {
            if let Some(wait) = wait {
                self.after(wait, Event::Phone { at, leg, act });
            }
        }
    }

    /// No ACK within 64·T1: the session is over (RFC 3261 §13.3.1.4).
    pub(crate) fn phone_never_acked(&mut self, at: At, leg: usize) {
        if !self.phone(at).gone && self.leg(at, leg).hook == Hook::Up {
            self.phone_byes(at, leg);
        }
    }

    fn phone_acked(&mut self, at: At, ack: &Message) {
        let legs = &mut self.phone(at).legs;
        let found = legs.iter_mut().find(|leg| {
            // A refusal's ACK has the INVITE's branch, a 2xx's ACK has the dialog's tag.
            ack.branch == leg.invite.branch || (ack.to_tag() == Some(&leg.tag) && ack.number == leg.invite.number)
        });
        if let Some(leg) = found {
            leg.acked = true;
            let repeat = leg.repeat;
            self.stop_repeat(at.call, repeat);
            return;
        }
        let of_reinvite = |leg: &&mut Leg| {
            ack.to_tag() == Some(&leg.tag) && leg.reinvited.is_some_and(|(number, _)| number == ack.number)
        };
        let repeat = self.phone(at).legs.iter_mut().find(of_reinvite);
        let repeat = repeat.and_then(|leg| leg.reinvited.take()).map(|(_, repeat)| repeat);
        self.stop_repeat(at.call, repeat);
    }

    fn phone_cancelled(&mut self, at: At, from: Node, cancel: &Message) {
        let mut legs = self.phone(at).legs.iter();
        let found = legs.position(|leg| leg.invite.branch == cancel.branch);
        let status = if found.is_some() { 200 } else { 481 };
        let status = self.script(at).liberties.cancel.unwrap_or(status);
        if status > 0 {
            let response = Rc::new(cancel.answered(status, Some("ua")));
            self.send(Node::Phone(at), from, &response);
        }
        if let Some(leg) = found
            && self.leg(at, leg).hook == Hook::Ringing
        {
            self.phone_refuses(at, leg, 487);
        }
    }

    pub(crate) fn phone_vanishes(&mut self, at: At) {
        self.phone(at).gone = true;
        self.watch.vanished(at, self.now);
        self.ladder.note(self.now, || format!("{at} vanishes"));
        for repeat in &mut self.parties[at.call].repeats {
            repeat.alive &= repeat.from() != Node::Phone(at);
        }
    }

    fn hook(&mut self, at: At, leg: usize, hook: Hook) {
        let this = self.leg(at, leg);
        let before = std::mem::replace(&mut this.hook, hook);
        if before != hook {
            self.ladder.note(self.now, || format!("{at} is {}", hook.name()));
            match hook {
                Hook::Ringing => {}
                Hook::Up => self.is_off_hook(at),
                Hook::Down => self.check_down(at, leg, before),
            }
        }
    }
}

/// When a session is refreshed (RFC 4028 §10).
fn half(session: SessionExpires) -> Millis {
    Millis::from(session.interval) * 500
}

impl Leg {
    /// How the INVITE came.
    pub(crate) fn transport(&self) -> Transport {
        self.invite.path.map_or(Transport::Udp, |path| path.transport)
    }

    pub(crate) fn branch(&self) -> &Rc<str> {
        &self.invite.branch
    }

    /// Of the INVITE's CSeq.
    pub(crate) fn invite_number(&self) -> u32 {
        self.invite.number
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
