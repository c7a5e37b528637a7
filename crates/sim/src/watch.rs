//! What must hold, checked at every step by what is seen from outside: what left and came, what is durable, what was told. And
//! what is counted on the way.
//!
//! `dialogs` has the rules about messages, `ways` those about which way they go, `routes` those about where a request inside a dialog is to go,
//! `repeats` those about what is sent again, `duties` those about what has to happen by when, `places` and `load` those about bounds, `records` those
//! about what is written, `answers` those about answers and what can be asked, `trunks` those about trunks, `hooks` those about phones.

mod answers;
mod dialogs;
mod duties;
mod excuses;
mod happened;
mod hooks;
mod load;
mod places;
mod records;
mod repeats;
mod routes;
mod situations;
mod trunks;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    rc::Rc,
};

use call::{End, EndCause, Wish};
use sip::{Method, Path, SessionExpires};
use switch::{Known, Switch, journal::CallKey};

use crate::{
    Tally,
    digest::Digest,
    message::{At, Message},
    scenario::{Millis, Scenario},
    world::World,
};
use dialogs::Dialog;
use duties::Duty;
pub use excuses::Excuse;
use repeats::Sent;
use routes::Target;
pub use situations::Situation;
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
    /// Nobody has the id of this call.
    Undelivered(usize),
    /// The word about an entry.
    Written(u64),
    /// Where this trunk is.
    Found(usize, Option<IpAddr>),
    /// This trunk has answered a request of its own; `granted`, that we are registered, and for how many seconds.
    Trunk {
        trunk: usize,
        from: IpAddr,
        granted: Option<u32>,
    },
    /// An OPTIONS to this trunk met nobody.
    Refused(usize),
    /// What became of this connection, and of this name, and whether it was found.
    Dialled(u64),
    LookedUp(String, bool),
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
    /// Calls that this process has found and not taken up, and those of them that it has said it would take up.
    left: BTreeSet<CallKey>,
    said: BTreeSet<CallKey>,
    /// Those of them who were taken up ahead of the others, since somebody spoke of them; and those that were taken up within a T1.
    hurried: BTreeSet<CallKey>,
    lately: BTreeMap<CallKey, Millis>,
    /// What is to be done for calls, by call and by when.
    duties: BTreeMap<(usize, Duty), Millis>,
    due: BTreeSet<(Millis, usize, Duty)>,
    /// Requests by UDP, by when they leave once more; and refusals that were not ACKed.
    repeats: BTreeSet<(Millis, usize, Rc<str>, Method)>,
    refusals: BTreeSet<(usize, Rc<str>)>,
    /// INVITEs that nothing has come back to: which way they went, and when.
    unanswered: BTreeMap<(usize, Rc<str>), (Path, Millis)>,
    /// Names that were found.
    found: BTreeSet<String>,
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
    /// Which trunk it goes by, and whether it may go by another one.
    trunk: Option<usize>,
    goes_by_any: bool,
    /// When a connection of one of its phones last failed, broke or hung.
    broken: Millis,
    keys: Vec<CallKey>,
    dialogs: BTreeMap<String, Dialog>,
    /// Where the phone of each remote tag has said that its requests go.
    targets: BTreeMap<Rc<str>, Target>,
    /// What was heard of it, by whichever process: that it rings, that it was answered, and what each 2xx said of session timers.
    was_ringing: bool,
    was_answered: bool,
    agreed: BTreeMap<Rc<str>, SessionExpires>,
    /// Final responses that came before their call was taken up, and are heard then.
    early: BTreeSet<(Rc<str>, Method)>,
    /// Requests of ours, of this process.
    sent_requests: BTreeMap<(Rc<str>, Method), Sent>,
    /// Requests of ours: their branches and methods, and which way they went first.
    requests: BTreeMap<(Rc<str>, Method), Path>,
    /// Where its INVITE went, while nothing has come back; and an INVITE or UPDATE of ours inside the dialog that is not answered, by its branch.
    unheard: Option<Path>,
    refresh: Option<Rc<str>>,
    /// A hang-up was handed in, or its client was gone before it had an answer.
    asked: bool,
    /// BYEs that were answered while the call waited to be taken up: their answers are heard when it is.
    answered_early: BTreeSet<Rc<str>>,
    /// BYEs of phones that this process has answered, by their branches.
    heard_byes: BTreeSet<Rc<str>>,
    /// An INVITE was refused in a way that another one may meet.
    is_called_again: bool,
    /// INVITEs that were sent for it.
    invites: u32,
    abandoned: bool,
    promised: Option<Millis>,
    /// Which of its keys have ended in this process: a crash may leave two, its own and that of an answer when it was forgotten.
    ended_keys: BTreeSet<CallKey>,
    /// The end that was told in this process, and in which turn.
    ended: Option<(End, u64)>,
    ended_at: Millis,
    /// One was told before the call was forgotten and answered once more.
    had_ended: bool,
    /// When a CANCEL of it last left.
    cancelled_at: Millis,
    /// A connection was wanted for it at its end.
    ended_waiting: bool,
    known: Option<Known>,
    /// Whether the journal has refused the wish or the end, and whether an answer.
    end_refused: bool,
    answer_refused: bool,
    taken_up: Millis,
    /// A process was killed that had not written down one of its phones, since the disk had refused that.
    is_unrecorded: bool,
    /// Three processes died of it, and nobody takes it up any more.
    is_left_alone: bool,
    /// How long the session of each phone may go on unrefreshed, and since when nothing is heard of it.
    sessions: BTreeMap<usize, (Millis, Option<Millis>)>,
}

impl CallWatch {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
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

    /// Which trunk a call goes by.
    pub(crate) fn trunk_of(&self, call: usize) -> Option<usize> {
        self.calls[call].trunk
    }

    pub(crate) fn does_a_stray_go_by_any(&self) -> bool {
        self.calls.iter().any(|call| call.goes_by_any)
    }

    pub(crate) fn fail(&mut self, rule: &'static str, how: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { rule, how: how() });
        }
    }

    pub(crate) fn crashed(&mut self, scenario: &Scenario) {
        self.tally.crashes += 1;
        self.trunks = TrunkWatch::begin(scenario);
        for call in &mut self.calls {
            let is_up = call.keys.iter().any(|key| self.holding.contains(key));
            call.is_unrecorded |= call.answer_refused && is_up;
        }
        self.holding.clear();
        self.left.clear();
        self.said.clear();
        self.unacked.clear();
        self.hurried.clear();
        self.lately.clear();
        self.duties.clear();
        self.due.clear();
        self.repeats.clear();
        self.refusals.clear();
        self.unanswered.clear();
        self.found.clear();
        for call in &mut self.calls {
            call.ended = None;
            call.ended_keys.clear();
            call.had_ended = false;
            call.known = None;
            call.unheard = None;
            call.refresh = None;
            call.sent_requests.clear();
            call.early.clear();
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
            Heard::Message(call, message) => {
                self.watch.meet_heard(call, &message);
                self.heard_message(call, &message);
            }
            Heard::Placed => self.watch.tally.placed += 1,
            Heard::Left(call) => self.watch.calls[call].abandoned = true,
            Heard::HungUp(call) => {
                let left = self
                    .watch
                    .left
                    .iter()
                    .filter(|key| self.house.keys.get(key) == Some(&call));
                self.watch.hurried.extend(left);
                self.watch.tally.hang_ups += 1;
                self.watch.meet_hang_up(call);
                self.watch.calls[call].asked = true;
            }
            Heard::Dialled(number) => self.streams.is_told(number),
            Heard::LookedUp(host, is_found) => {
                self.names.is_told(&host);
                if is_found {
                    self.watch.found.insert(host);
                }
            }
            Heard::Undelivered(call) => {
                self.watch.calls[call].asked = true;
                self.promised(call);
            }
            Heard::Closed(path) => {
                self.watch.meet_loss(&path);
                self.forget_what_was_out_on(&path);
            }
            Heard::Found(trunk, at) => self.watch.trunks[trunk].is_found(at, self.now),
            Heard::Trunk { trunk, from, granted } => self.watch.trunks[trunk].has_answered(from, granted, self.now),
            Heard::Refused(trunk) => self.watch.trunks[trunk].has_refused(self.now),
            Heard::Written(number) => self.house.disk.word_is_given(number),
            Heard::Leftovers(keys) => {
                let deaths = |key: &CallKey| self.house.disk.deaths_of(*key);
                let taken: Vec<_> = keys.into_iter().filter(|key| deaths(key) < 3).collect();
                self.watch.tally.left += taken.len() as u64;
                self.watch.holding.extend(&taken);
                self.watch.left.extend(taken);
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
        // The end of one whose place is free already may wait to be handed over.
        let (live, holding) = (switch.live() + switch.load().ends, self.watch.holding.len());
        if live != holding {
            self.watch.fail("a grant is returned once", || {
                format!("{live} places are held by {holding} calls at {now} ms")
            });
        }
        self.check_load(switch);
        self.check_acks();
        self.check_repeats();
        self.check_duties();
        self.check_trunks();
    }
}

/// Whether the far end, and not the journal, has decided.
fn is_of_journal(end: &End) -> bool {
    matches!(end.cause, EndCause::NotJournaled | EndCause::Wished(Wish::NotJournaled))
}
