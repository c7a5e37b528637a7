//! Rules about what has to happen by some moment: a session is refreshed, a phone does not ring or talk for ever, a BYE that was lost is said
//! again. They are looked at after the turns of that moment, so a turn that comes late is none too late.

use std::rc::Rc;

use sip::{Method, Refresher};

use crate::{
    message::Message,
    scenario::{Millis, T1},
    world::World,
};

/// What is to be done for a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Duty {
    /// The session with this dialog is to be refreshed (RFC 4028 §10), by us.
    Refresh(Rc<str>),
    /// It is to be hung up: it has lasted as long as may be.
    HangUp(Rc<str>),
    /// What rings is to be taken back: it has rung as long as may be.
    RingNoMore,
    /// A BYE whose connection is gone is to be said again.
    ByeAgain(Rc<str>),
}

impl Duty {
    fn rule(&self) -> &'static str {
        match self {
            Self::Refresh(_) => "a session is refreshed by half of its interval",
            Self::HangUp(_) => "no call is longer than may be",
            Self::RingNoMore => "nobody rings longer than may be",
            Self::ByeAgain(_) => "what was lost with its connection is said again",
        }
    }
}

impl World {
    fn is_due(&mut self, call: usize, duty: Duty, at: Millis) {
        self.is_done(call, &duty);
        self.watch.duties.insert((call, duty.clone()), at);
        self.watch.due.insert((at, call, duty));
    }

    fn is_done(&mut self, call: usize, duty: &Duty) {
        let of = (call, duty.clone());
        if let Some(at) = self.watch.duties.remove(&of) {
            self.watch.due.remove(&(at, of.0, of.1));
        }
    }

    /// A BYE was said, by whichever side.
    fn is_hung_up(&mut self, call: usize, tag: &Rc<str>) {
        for duty in [Duty::Refresh, Duty::HangUp, Duty::ByeAgain] {
            self.is_done(call, &duty(tag.clone()));
        }
    }

    /// The call has ended: nothing is due any more.
    pub(super) fn all_is_done(&mut self, call: usize) {
        let duties = self.watch.duties.keys().filter(|(of, _)| *of == call).cloned();
        for (_, duty) in duties.collect::<Vec<_>>() {
            self.is_done(call, &duty);
        }
    }

    pub(super) fn duties_of_heard(&mut self, call: usize, message: &Message) {
        let own = |message: &Message| -> Rc<str> { message.sender_tag().unwrap_or_default().into() };
        match (&message.method, message.status) {
            (Method::Invite, 200..300) => {
                self.is_done(call, &Duty::RingNoMore);
                if let (Some(tag), Some(expires)) = (message.to_tag(), message.session.expires) {
                    self.watch.calls[call].agreed.insert(tag.into(), expires);
                }
            }
            // The phone does it, moves the session on, or has hung up.
            (Method::Invite | Method::Update, 0) => self.is_done(call, &Duty::Refresh(own(message))),
            (Method::Bye, 0) => self.is_hung_up(call, &own(message)),
            _ => {}
        }
    }

    /// A request leaves for the first time.
    pub(super) fn duties_of_sent(&mut self, call: usize, request: &Message) {
        let now = self.now;
        let tag: Option<Rc<str>> = request.to_tag().map(Into::into);
        match (&request.method, tag) {
            (Method::Invite, None) => {
                let duty = Duty::RingNoMore;
                // Credentials do not buy the phone more time to ring.
                if !self.watch.duties.contains_key(&(call, duty.clone())) {
                    self.is_due(call, duty, now + self.scenario.ring_limit);
                }
            }
            (Method::Cancel, _) => self.is_done(call, &Duty::RingNoMore),
            (Method::Invite | Method::Update, Some(tag)) => self.is_done(call, &Duty::Refresh(tag)),
            (Method::Bye, Some(tag)) => self.is_hung_up(call, &tag),
            _ => {}
        }
    }

    /// The first ACK of a dialog leaves: it is up.
    pub(super) fn duties_of_dialog(&mut self, call: usize, tag: &str) {
        let (now, tag): (_, Rc<str>) = (self.now, tag.into());
        self.is_due(call, Duty::HangUp(tag.clone()), now + self.scenario.max_duration);
        let agreed = self.watch.calls[call].agreed.get(&tag).copied();
        let is_ours = |refresher| matches!(refresher, Some(Refresher::Uac) | None);
        let Some(session) = agreed.filter(|session| self.scenario.session_timers && is_ours(session.refresher)) else {
            return;
        };
        let interval = Millis::from(session.interval.max(sip::SHORTEST_INTERVAL)) * 1000;
        self.is_due(call, Duty::Refresh(tag), now + interval / 2);
    }

    /// A BYE was out on a connection that is gone.
    pub(super) fn bye_is_lost(&mut self, call: usize, tag: &str) {
        self.is_due(call, Duty::ByeAgain(tag.into()), self.now + 8 * T1);
    }

    /// After every turn.
    pub(super) fn check_duties(&mut self) {
        let now = self.now;
        while let Some((at, ..)) = self.watch.due.first()
            && *at <= now
        {
            let Some((at, call, duty)) = self.watch.due.pop_first() else {
                return;
            };
            let again = match self.has_trunk_since(call) {
                _ if self.is_dialling_for(call) => Some(now + 1000),
                // What had no way is tried again that much later.
                Some(found_at) if now <= found_at + 8 * T1 => Some(found_at + 8 * T1 + 1),
                _ => None,
            };
            if let Some(again) = again {
                self.watch.due.insert((again, call, duty.clone()));
                self.watch.duties.insert((call, duty), again);
                continue;
            }
            self.watch.duties.remove(&(call, duty.clone()));
            let is_lost_again = matches!(duty, Duty::ByeAgain(_)) && self.broken(call) + 8 * T1 <= at;
            let is_excused = self.has_no_trunk(call) || self.broken(call) > 0 && !is_lost_again;
            let rings = duty != Duty::RingNoMore || self.watch.calls[call].rings();
            if rings && !is_excused {
                let rule = duty.rule();
                self.watch.fail(rule, || {
                    format!("call {} at {now} ms: {duty:?}, due at {at} ms", call + 1)
                });
            }
        }
    }
}
