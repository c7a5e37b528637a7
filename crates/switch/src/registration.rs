//! REGISTER: makes our Contact known to a trunk, and keeps it known (RFC 3261 §10.2).
//!
//! The binding is asked for again ahead of its end, withdrawn when the switch leaves, and tried again with growing pauses
//! when the registrar refuses or is silent.

use std::time::Duration;

use call::Silence;
use sabotage::Fault;
use sip::{
    CSeq, CallIdHeader, Message, Method, Moment, Tx,
    digest::{Authenticator, Subject},
};

use crate::{
    out_of_call::OutOfCall,
    output::{Answer, Event},
    settings::Registration,
    switch::Switch,
    ways::Way,
};

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long leaving waits for a registrar.
const FAREWELL: Duration = Duration::from_secs(2);
/// A registrar may ask for a password, call a nonce stale and the time too short; then it is enough.
const ATTEMPTS: u32 = 8;

/// One trunk's binding, and what is being done about it.
pub(crate) struct Registering {
    settings: Registration,
    /// What is asked for.
    expires: Duration,
    cseq: u32,
    authenticator: Authenticator,
    attempts: u32,
    pause: Duration,
    /// The registrar may hold a Contact of ours.
    is_bound: bool,
    /// That of the last REGISTER, without `<>`.
    contact: String,
    step: Step,
    state: State,
}

enum Step {
    /// The next refresh begins then.
    At(Moment),
    /// A name or a connection is waited for.
    Waiting(Moment),
    /// There was none: the next try is then, or when there is one.
    Nowhere(Moment),
    /// A REGISTER waits for its answer.
    Sent(Tx),
    Over,
}

/// What is known of the binding, as it was last told.
#[derive(PartialEq, Eq)]
enum State {
    Unknown,
    Registered,
    Failing(String),
}

impl Registering {
    pub(crate) fn new(settings: Registration) -> Self {
        Self {
            expires: settings.expires,
            pause: settings.retry,
            settings,
            cseq: 0,
            authenticator: Authenticator::default(),
            attempts: 0,
            is_bound: false,
            contact: String::new(),
            step: Step::At(Moment::default()),
            state: State::Unknown,
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Moment> {
        match self.step {
            Step::At(at) | Step::Waiting(at) | Step::Nowhere(at) => Some(at),
            Step::Sent(_) | Step::Over => None,
        }
    }
}

impl Switch {
    /// Withdraws what registrars know of us, and answers when they have said so, or soon after. No call may live any more.
    pub fn leave(&mut self, request: u64) {
        let until = self.now + FAREWELL;
        if let Some((requests, _)) = &mut self.leaving {
            return requests.push(request);
        }
        self.leaving = Some((vec![request], until));
        for trunk in 0..self.trunks.len() {
            let bound = |registering: &&mut Registering| registering.is_bound;
            let registering = self.trunks[trunk].registering.as_mut().filter(bound);
            if let Some(registering) = registering.filter(|_| !self.settings.sabotage.is(Fault::BindingStays)) {
                registering.expires = Duration::ZERO;
                registering.attempts = 0;
                registering.authenticator = Authenticator::default();
                // Said once more after this one, it would bind us again.
                if let Step::Sent(before) = &registering.step {
                    self.transactions.stop(before);
                }
                self.register(trunk);
            } else if let Some(registering) = &mut self.trunks[trunk].registering {
                registering.step = Step::Over;
            }
        }
        self.answer_when_all_have_left();
    }

    pub(crate) fn answer_when_all_have_left(&mut self) {
        let Some((_, until)) = self.leaving else { return };
        let is_over = |registering: &Registering| matches!(registering.step, Step::Over);
        let trunks = self.trunks.iter();
        if until <= self.now || trunks.filter_map(|trunk| trunk.registering.as_ref()).all(is_over) {
            for request in self.leaving.take().into_iter().flat_map(|(requests, _)| requests) {
                self.answer(request, Answer::Left);
            }
        }
    }

    pub(crate) fn wake_registration(&mut self, trunk: usize) {
        let now = self.now;
        let Some(registering) = &mut self.trunks[trunk].registering else {
            return;
        };
        match registering.step {
            Step::At(at) | Step::Nowhere(at) if at <= now => {
                // Anew each time: registrars change their nonce between two refreshes without calling it stale.
                registering.authenticator = Authenticator::default();
                registering.attempts = 0;
                self.register(trunk);
            }
            Step::Waiting(until) if until <= now => self.registrar_is_nowhere(trunk, "it cannot be reached".to_owned()),
            Step::At(_) | Step::Waiting(_) | Step::Nowhere(_) | Step::Sent(_) | Step::Over => {}
        }
    }

    /// Its name is found: who has tried in vain meanwhile waits no longer, either.
    pub(crate) fn register_when_found(&mut self, trunk: usize) {
        let now = self.now;
        if let Some(registering) = &mut self.trunks[trunk].registering
            && matches!(registering.step, Step::Nowhere(_))
        {
            registering.step = Step::At(now);
            self.wake_registration(trunk);
            return self.schedule_trunk(trunk);
        }
        self.register_when_connected(trunk);
    }

    pub(crate) fn register_when_connected(&mut self, trunk: usize) {
        let registering = self.trunks[trunk].registering.as_ref();
        if registering.is_some_and(|registering| matches!(registering.step, Step::Waiting(_))) {
            self.register(trunk);
            self.schedule_trunk(trunk);
        }
    }

    /// What a registration waits for will not come.
    pub(crate) fn not_registered(&mut self, trunk: usize, why: &str) {
        let registering = self.trunks[trunk].registering.as_ref();
        if registering.is_some_and(|registering| matches!(registering.step, Step::Waiting(_))) {
            self.registrar_is_nowhere(trunk, why.to_owned());
            self.schedule_trunk(trunk);
        }
    }

    /// Registers once, with the password when it was asked for.
    fn register(&mut self, trunk: usize) {
        let until = self.now + self.settings.connect_limit;
        let host = self.settings.trunks[trunk].first_hop.host.clone();
        self.refresh_addresses(&host);
        let way = match self.local(trunk) {
            Some(local) => match self.way_to_trunk(trunk) {
                Way::Open(path) => Some((local, path)),
                Way::Wait(_) => None,
                Way::None(why) => return self.registrar_is_nowhere(trunk, why.to_string()),
            },
            None => None,
        };
        let Some(registering) = &mut self.trunks[trunk].registering else {
            return;
        };
        let Some((local, path)) = way else {
            // From when it was first waited for: a name that is never found must not be waited for without end.
            if !matches!(registering.step, Step::Waiting(_)) {
                registering.step = Step::Waiting(until);
            }
            return;
        };
        registering.cseq = registering.cseq.saturating_add(1);
        registering.attempts += 1;
        let call_id = CallIdHeader::new(self.names.of("register", trunk as u64));
        let key = &self.settings.identity.branch_key;
        let subject = Subject {
            method: &Method::Register,
            uri: &registering.settings.request_uri,
            body: b"",
            cnonce: &key.cnonce(&call_id, registering.cseq),
        };
        let mut headers = vec![("Expires", registering.expires.as_secs().to_string())];
        if let Some(credentials) = &self.settings.trunks[trunk].credentials {
            let answers = registering.authenticator.authorize(credentials, subject);
            headers.extend(answers.into_iter().map(|answer| (answer.name, answer.value)));
        }
        let outgoing = OutOfCall {
            request_uri: &registering.settings.request_uri,
            from: &registering.settings.address_of_record,
            from_tag: &self.names.of("register-tag", trunk as u64),
            to: &registering.settings.address_of_record,
            call_id: &call_id,
            cseq: CSeq {
                number: registering.cseq,
                method: Method::Register,
            },
            headers: &headers,
        }
        .print(&self.settings, trunk, &local);
        // Once it is on its way, the registrar may hold the binding whatever comes back.
        registering.is_bound = true;
        registering.contact = local.contact;
        registering.step = Step::Sent(outgoing.tx.clone());
        self.transactions.send(self.now, path, outgoing.tx, outgoing.bytes);
        self.transmit_due();
    }

    /// A response to a REGISTER; false when it is to none of ours.
    pub(crate) fn handle_register_response(&mut self, tx: &Tx, message: &Message<'_>) -> bool {
        let Some(trunk) = self.registrar(tx) else { return false };
        self.trunks[trunk].heard_at = Some(self.now);
        let status = message.status().unwrap_or_default();
        if status < 200 {
            return true;
        }
        let has_credentials = self.settings.trunks[trunk].credentials.is_some();
        let Some(registering) = &mut self.trunks[trunk].registering else {
            return true;
        };
        let may_try_again = registering.attempts < ATTEMPTS;
        let is_leaving = registering.expires.is_zero() && !self.settings.sabotage.is(Fault::BindingForLonger);
        match status {
            200..=299 if registering.expires.is_zero() => {
                registering.step = Step::Over;
                registering.is_bound = false;
            }
            200..=299 => {
                let granted = message
                    .granted_expiry(&registering.contact)
                    .map(|seconds| Duration::from_secs(seconds.max(1).into()));
                self.registered(trunk, granted);
            }
            401 | 407 if !has_credentials => {
                let why = "the registrar asks for a password and none is configured";
                self.registration_failed(trunk, why.to_owned());
            }
            401 | 407 if may_try_again => match registering.authenticator.challenged(&message.response().challenges) {
                Ok(()) => self.register(trunk),
                Err(why) => self.registration_failed(trunk, format!("registrar: {why}")),
            },
            423 if may_try_again && !is_leaving => {
                let least = message.min_expires().map(|seconds| Duration::from_secs(seconds.into()));
                match least.filter(|least| *least > registering.expires) {
                    Some(least) => {
                        registering.expires = least;
                        self.register(trunk);
                    }
                    None => self.registration_failed(trunk, "the registrar answers 423".to_owned()),
                }
            }
            _ => self.registration_failed(trunk, format!("the registrar answers {status}")),
        }
        self.schedule_trunk(trunk);
        self.answer_when_all_have_left();
        true
    }

    /// No response to a REGISTER will come; false when it is to none of ours.
    pub(crate) fn handle_register_silence(&mut self, tx: &Tx, silence: Silence) -> bool {
        let Some(trunk) = self.registrar(tx) else { return false };
        let why = match silence {
            Silence::TimedOut | Silence::NobodyThere => "registrar: no answer",
            Silence::Unreachable | Silence::ConnectionLost => "registrar: nobody takes what is sent there",
        };
        self.registration_failed(trunk, why.to_owned());
        self.schedule_trunk(trunk);
        true
    }

    fn registered(&mut self, trunk: usize, granted: Option<Duration>) {
        let now = self.now;
        let Some(registering) = &mut self.trunks[trunk].registering else {
            return;
        };
        registering.pause = registering.settings.retry;
        let mut wait = ahead_of(granted.unwrap_or(registering.expires));
        if self.settings.sabotage.is(Fault::BindingLapses) {
            wait *= 2;
        }
        registering.step = Step::At(now + wait);
        if registering.state != State::Registered {
            registering.state = State::Registered;
            let name = self.settings.trunks[trunk].name.clone();
            self.tell(Event::Registered(name));
        }
    }

    fn registration_failed(&mut self, trunk: usize, why: String) {
        let now = self.now;
        let number = self.names.of(
            "pause",
            u64::from(self.trunks[trunk].registering.as_ref().map_or(0, |it| it.cseq)),
        );
        let Some(registering) = &mut self.trunks[trunk].registering else {
            return;
        };
        if registering.expires.is_zero() {
            registering.step = Step::Over;
            return self.answer_when_all_have_left();
        }
        let pause = jittered(registering.pause, number.as_bytes()[0]);
        registering.pause = (registering.pause * 2).min(LONGEST_PAUSE);
        registering.step = Step::At(now + pause);
        let state = State::Failing(why.clone());
        if registering.state != state {
            registering.state = state;
            let trunk = self.settings.trunks[trunk].name.clone();
            self.tell(Event::RegisterFailed { trunk, why });
        }
    }

    fn registrar_is_nowhere(&mut self, trunk: usize, why: String) {
        self.registration_failed(trunk, why);
        if let Some(registering) = &mut self.trunks[trunk].registering
            && let Step::At(again) = registering.step
        {
            registering.step = Step::Nowhere(again);
        }
    }

    fn registrar(&self, tx: &Tx) -> Option<usize> {
        self.trunks.iter().position(|trunk| {
            let registering = trunk.registering.as_ref();
            registering.is_some_and(|registering| matches!(&registering.step, Step::Sent(sent) if sent == tx))
        })
    }
}

/// Four fifths of the time, and never later than 30 s before the end of a long one.
fn ahead_of(granted: Duration) -> Duration {
    (granted * 4 / 5).max(granted.saturating_sub(Duration::from_secs(30)))
}

/// Between half and the whole of it, so that many clients of a registrar that comes back do not ask in step.
fn jittered(pause: Duration, byte: u8) -> Duration {
    pause - pause * u32::from(byte) / 512
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_is_refreshed_ahead_of_its_end() {
        assert_eq!(ahead_of(Duration::from_secs(10)), Duration::from_secs(8));
        assert_eq!(ahead_of(Duration::from_secs(3600)), Duration::from_secs(3570));
    }

    #[test]
    fn a_pause_is_never_shorter_than_half_of_it() {
        for byte in 0..=255 {
            let pause = jittered(Duration::from_secs(8), byte);
            assert!(
                pause > Duration::from_secs(4) && pause <= Duration::from_secs(8),
                "{pause:?}"
            );
        }
    }
}
