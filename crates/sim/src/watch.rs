//! What must hold, checked at every step by what is seen from outside: what left and came, what is durable, what was told. And
//! what is counted on the way.
//!
//! `dialogs` has the rules about messages, `answers` those about answers and what can be asked, `hooks` those about phones.

mod answers;
mod dialogs;
mod excuses;
mod hooks;
mod trunks;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    rc::Rc,
};

use call::{End, EndCause, Save, Wish};
use sip::{Method, Path, SessionExpires};
use switch::{
    Event, Known, Switch,
    journal::{CallKey, Entry},
};

use crate::{
    Tally,
    digest::Digest,
    message::{At, Message},
    sabotage::Sabotage,
    scenario::{Millis, Scenario},
    world::World,
};
use dialogs::Dialog;
pub use excuses::Excuse;
use trunks::TrunkWatch;

/// Broken: the name of the rule, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    pub how: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.how)
    }
}

/// What was handed to the switch.
pub(crate) enum Heard {
    Message(usize, Rc<Message>),
    Placed,
    Left(usize),
    HungUp(usize),
    /// The word about an entry.
    Written(u64),
    /// Where this trunk is.
    Found(usize, Option<IpAddr>),
    /// This trunk has answered a request of its own; `is_done`, that we are registered.
    Trunk {
        trunk: usize,
        is_done: bool,
    },
    /// What became of this connection, and what of this name.
    Dialled(u64),
    LookedUp(String),
    /// A connection is gone.
    Closed(Path),
    Leftovers(Vec<CallKey>),
}

#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) violation: Option<Violation>,
    pub(crate) tally: Tally,
    pub(crate) calls: Vec<CallWatch>,
    pub(crate) turns: u64,
    /// When the last process started.
    restarted: Millis,
    /// What this process knows of each trunk.
    trunks: Vec<TrunkWatch>,
    /// When a connection of each trunk last failed, broke or hung.
    broken: Vec<Millis>,
    /// Calls that hold a place: from their beginning until their end is said to the journal.
    holding: BTreeSet<CallKey>,
    /// Ends that were said, of all processes.
    given_back: u64,
    /// Calls that this process has found and not taken up, and those of them that it has said it would take up.
    left: BTreeSet<CallKey>,
    said: BTreeSet<CallKey>,
    /// Calls with a 2xx that was not ACKed.
    unacked: BTreeSet<usize>,
    /// Calls with a phone that has vanished out of a session.
    vanished: BTreeSet<usize>,
}

/// What is known of one call.
#[derive(Default)]
pub(crate) struct CallWatch {
    /// All that was sent for it, and when.
    pub(crate) sent: Digest,
    /// Which trunk it goes by.
    trunk: Option<usize>,
    /// When a connection of one of its phones last failed, broke or hung.
    broken: Millis,
    keys: Vec<CallKey>,
    dialogs: BTreeMap<String, Dialog>,
    /// The first dialog that was answered.
    first: Option<String>,
    /// Requests of ours: their branches and methods, and which way they went first.
    requests: BTreeMap<(Rc<str>, Method), Path>,
    /// A hang-up was handed in, or its client was gone before it had an answer.
    asked: bool,
    abandoned: bool,
    promised: Option<Millis>,
    /// The end that was told in this process, and in which turn.
    ended: Option<(End, u64)>,
    /// One was told before the call was forgotten and answered once more.
    had_ended: bool,
    /// A connection was wanted for it at its end.
    ended_waiting: bool,
    known: Option<Known>,
    /// Whether the journal has refused the wish or the end, and whether an answer.
    end_refused: bool,
    answer_refused: bool,
    taken_up: Millis,
    /// Three processes died of it, and nobody takes it up any more.
    is_left_alone: bool,
    /// How long the session of each phone may go on unrefreshed, and since when nothing is heard of it.
    sessions: BTreeMap<usize, (Millis, Option<Millis>)>,
}

impl CallWatch {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub(crate) fn first_tag(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// How it has ended, as far as it was told.
    pub(crate) fn told_end(&self) -> String {
        format!("{:?}", self.known.as_ref().map(|known| &known.information))
    }
}

impl Watch {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            calls: scenario.calls.iter().map(|_| CallWatch::default()).collect(),
            broken: vec![0; scenario.trunks.len()],
            trunks: TrunkWatch::begin(scenario),
            ..Self::default()
        }
    }

    pub(crate) fn fail(&mut self, rule: &'static str, how: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { rule, how: how() });
        }
    }

    pub(crate) fn crashed(&mut self, scenario: &Scenario) {
        self.tally.crashes += 1;
        self.trunks = TrunkWatch::begin(scenario);
        self.holding.clear();
        self.left.clear();
        self.said.clear();
        self.unacked.clear();
        for call in &mut self.calls {
            call.ended = None;
            call.had_ended = false;
            call.known = None;
            call.forget_dialogs();
        }
    }

    pub(crate) fn taking_up(&mut self, keys: &[CallKey]) {
        self.said.extend(keys);
    }

    /// A phone answers, and says this of session timers.
    pub(crate) fn in_session(&mut self, at: At, session: Option<SessionExpires>) {
        if let Some(session) = session {
            self.calls[at.call]
                .sessions
                .insert(at.phone, (Millis::from(session.interval) * 1000, None));
        }
    }

    pub(crate) fn vanished(&mut self, at: At, now: Millis) {
        if let Some((_, since)) = self.calls[at.call].sessions.get_mut(&at.phone) {
            since.get_or_insert(now);
            self.vanished.insert(at.call);
        }
    }
}

impl World {
    pub(crate) fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Message(call, message) => self.heard_message(call, &message),
            Heard::Placed => self.watch.tally.placed += 1,
            Heard::Left(call) => self.watch.calls[call].abandoned = true,
            Heard::HungUp(call) => {
                self.watch.tally.hang_ups += 1;
                self.watch.calls[call].asked = true;
            }
            Heard::Dialled(number) => self.streams.is_told(number),
            Heard::LookedUp(host) => self.names.is_told(&host),
            Heard::Closed(path) => self.forget_what_was_out_on(&path),
            Heard::Found(trunk, at) => self.watch.trunks[trunk].is_found(at, self.now),
            Heard::Trunk { trunk, is_done } => self.watch.trunks[trunk].has_answered(is_done),
            Heard::Written(number) => self.house.disk.word_is_given(number),
            Heard::Leftovers(keys) => {
                let deaths = |key: &CallKey| self.house.disk.deaths_of(*key);
                let taken: Vec<_> = keys.into_iter().filter(|key| deaths(key) < 3).collect();
                self.watch.tally.left += taken.len() as u64;
                if self.settings.sabotage != Sabotage::NoTakeUp {
                    self.watch.holding.extend(&taken);
                    self.watch.left.extend(taken);
                }
            }
        }
    }

    /// The switch tells what has happened.
    pub(crate) fn happened(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Placing {
                key, call_id, trunk, ..
            } => {
                let trunk = self.trunk_called(&trunk);
                self.check_placing(trunk);
                if let Some(call) = self.named(key, &call_id) {
                    self.watch.calls[call].trunk = trunk;
                }
                self.watch.holding.insert(key);
            }
            Event::Stray { key, call_id } => {
                self.watch.tally.strays += 1;
                if let Some(call) = self.named(key, &call_id) {
                    // It was forgotten: a 2xx that the network has kept until now may cost another BYE.
                    let watched = &mut self.watch.calls[call];
                    watched.had_ended |= watched.ended.take().is_some();
                    watched.forget_ends();
                }
                self.watch.holding.insert(key);
            }
            Event::Ended { key, end, .. } => self.check_end(key, end),
            Event::LeftoverLeftAlone(key) => {
                self.watch.tally.left_alone += 1;
                if let Some(call) = self.house.keys.get(&key) {
                    self.watch.calls[*call].is_left_alone = true;
                }
            }
            Event::LeftoverUnreadable(key) => self
                .watch
                .fail("what was written can be read", || format!("{key} at {now} ms")),
            Event::TurnedAway { path, .. } if !self.knows(&path) => {}
            Event::TurnedAway { what, .. } => {
                self.watch.fail("nobody who belongs here is turned away", || {
                    format!("{what} at {now} ms")
                });
            }
            Event::TrunkUp(trunk) => self.check_trunk_up(&trunk),
            Event::TrunkDown { trunk, .. } => self.check_trunk_down(&trunk),
            Event::Registered(trunk) => self.check_registered(&trunk),
            Event::Capped { .. } if self.scenario.bounds.are_small() => {}
            Event::Capped { .. } => self.watch.fail("no cap is met here", || format!("at {now} ms")),
            Event::Abandoned(_)
            | Event::NeverDelivered(_)
            | Event::NotSaved { .. }
            | Event::Unreachable { .. }
            | Event::Redirected { .. }
            | Event::UnusableAnswer { .. }
            | Event::LeftoversFound(_)
            | Event::LeftoverLast(_)
            | Event::RegisterFailed { .. }
            | Event::StaleAddresses { .. }
            | Event::FoundAgain(_)
            | Event::Live(_) => {}
        }
    }

    /// This key is for the call of this Call-ID.
    fn named(&mut self, key: CallKey, call_id: &str) -> Option<usize> {
        let name = call_id.strip_prefix("call-")?.strip_suffix("@onhook")?.parse().ok()?;
        let call = self.call_named(name)?;
        self.house.keys.insert(key, call);
        self.watch.calls[call].keys.push(key);
        Some(call)
    }

    pub(crate) fn check_entry(&mut self, entry: &Entry) {
        let now = self.now;
        if entry.save == Save::End {
            self.watch.given_back += u64::from(self.watch.holding.remove(&entry.key));
        } else {
            self.watch.holding.insert(entry.key);
        }
        let Some(call) = self.house.keys.get(&entry.key).copied() else {
            return;
        };
        let (turn, watched) = (self.watch.turns, &self.watch.calls[call]);
        let is_over = watched.ended.as_ref().is_some_and(|(_, ended)| *ended < turn);
        if is_over && matches!(entry.save, Save::Intent | Save::Answer | Save::Wish) {
            let save = entry.save;
            self.watch
                .fail("nothing leaves after the end", || format!("{save:?} at {now} ms"));
        }
    }

    pub(crate) fn refused(&mut self, entry: &Entry) {
        self.watch.tally.refused += 1;
        if let Some(call) = self.house.keys.get(&entry.key) {
            let watched = &mut self.watch.calls[*call];
            match entry.save {
                Save::Wish | Save::End => watched.end_refused = true,
                Save::Answer | Save::Fork(_) => watched.answer_refused = true,
                Save::Intent => {}
            }
        }
    }

    /// Leftovers have been taken up.
    pub(crate) fn check_taken_up(&mut self, keys: &[CallKey]) {
        let now = self.now;
        for key in keys {
            if !self.watch.said.contains(key) {
                self.watch
                    .fail("who is taken up was said to be", || format!("{key} at {now} ms"));
            }
            let trunk = self.house.keys.get(key).and_then(|call| self.watch.calls[*call].trunk);
            let at = trunk.map(|trunk| self.watch.trunks[trunk]);
            if at.is_some_and(|at| at.at.is_none()) {
                continue; // it still waits: there is no way to its phone
            }
            self.watch.left.remove(key);
            let deaths = self.house.disk.deaths_of(*key);
            let since = self.watch.restarted.max(at.map_or(0, |at| at.found_at));
            if deaths == 0 && now > since + 2000 {
                self.watch
                    .fail("leftovers are taken up at once", || format!("{key} at {now} ms"));
            }
            if let Some(call) = self.house.keys.get(key) {
                self.watch.calls[*call].taken_up = now;
            }
        }
    }

    /// After every turn.
    pub(crate) fn check_turn(&mut self, switch: &Switch) {
        let now = self.now;
        if let Some((due, why)) = switch.poll_timeout()
            && due < self.moment()
        {
            self.watch
                .fail("no timer lies in the past", || format!("{why} at {now} ms"));
        }
        let live = match self.settings.sabotage {
            Sabotage::GrantTwice if self.watch.given_back > 0 => switch.live().saturating_sub(1),
            Sabotage::GrantNever => switch.live() + self.watch.given_back as usize,
            _ => switch.live(),
        };
        let holding = self.watch.holding.len();
        if live != holding {
            self.watch.fail("a grant is returned once", || {
                format!("{live} places are held by {holding} calls at {now} ms")
            });
        }
        self.check_acks();
    }
}

/// Whether the far end, and not the journal, has decided.
fn is_of_journal(end: &End) -> bool {
    matches!(end.cause, EndCause::NotJournaled | EndCause::Wished(Wish::NotJournaled))
}
