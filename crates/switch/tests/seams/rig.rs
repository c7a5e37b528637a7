//! A switch with settings, a clock that the test turns, and a world that says only what the test says.
//!
//! Texts go in, texts come out: each turn gives everything that the switch wants done, in order, as short words (see [`word`]).
//! What was sent is kept in full. The disk is silent until the test speaks for it.

mod crash;
mod phone;
mod settings;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use call::Save;
use dial::WallTime;
use sip::{Moment, Path};
use switch::{
    Event, Known, Output, Settings, Switch,
    journal::{CallKey, Entry, IdHash},
};

pub(crate) use crash::next_process;
pub(crate) use phone::{Sent, answer, answer_with, from_phone};
pub(crate) use settings::{
    CONNECT_LIMIT, OURS, OWNER, PATIENCE, PHONE, T1, TRUNK, connection_from, found, id, order, path, settings,
    settings_tcp, tcp, trunk, udp,
};
use words::{answer_word, word};

/// What the clock on the wall says at the start.
const WALL: Duration = Duration::from_secs(1_800_000_000);

pub(crate) struct Rig {
    pub(crate) switch: Switch,
    /// Since the start.
    pub(crate) now: Duration,
    /// What the clock on the wall would say at the start, as it is set now.
    pub(crate) wall: Duration,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<Event>,
    pub(crate) answers: Vec<(u64, String)>,
    /// What the disk has said nothing about.
    pub(crate) entries: Vec<Entry>,
    /// All that was ever written, by call.
    pub(crate) written: Vec<Entry>,
    pub(crate) connects: Vec<(u64, SocketAddr)>,
    /// What can be asked about each call.
    pub(crate) known: BTreeMap<IdHash, Known>,
    /// Which call is which, and how many of its intents are durable.
    placing: BTreeMap<String, CallKey>,
    intents: BTreeMap<CallKey, usize>,
    /// CSeq numbers of the INVITEs that were seen to leave.
    invites: BTreeMap<CallKey, BTreeSet<String>>,
}

impl Rig {
    /// With one trunk by UDP.
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    /// With one trunk by TCP.
    pub(crate) fn tcp() -> Self {
        Self::with(settings_tcp())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let mut rig = Self {
            switch: Switch::new(settings, Moment::default(), WallTime::after_epoch(WALL)),
            now: Duration::ZERO,
            wall: WALL,
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            entries: Vec::new(),
            written: Vec::new(),
            connects: Vec::new(),
            known: BTreeMap::new(),
            placing: BTreeMap::new(),
            intents: BTreeMap::new(),
            invites: BTreeMap::new(),
        };
        rig.turn(|_| {});
        rig
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::after_start(self.now)
    }

    /// One turn at this time, and all that it wants done, but for events and who may connect.
    pub(crate) fn turn(&mut self, input: impl FnOnce(&mut Switch)) -> Vec<String> {
        self.switch
            .begin_turn(self.moment(), WallTime::after_epoch(self.wall + self.now));
        input(&mut self.switch);
        self.switch.end_turn();
        self.drain()
    }

    fn drain(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        let mut journal = None;
        while let Some(output) = self.switch.poll_output() {
            assert_eq!(journal, None, "the batch is the last output, and {output:?} follows");
            words.extend(word(&output));
            match output {
                Output::Transmit(transmit) => self.see(Sent {
                    path: transmit.path,
                    text: String::from_utf8_lossy(&transmit.bytes).into_owned(),
                }),
                Output::Connect { number, remote, .. } => self.connects.push((number, remote)),
                Output::Journal(entries) => {
                    journal = Some(entries.len());
                    self.entries.extend(entries.iter().cloned());
                    self.written.extend(entries);
                }
                Output::Snapshot(id, Some(known)) => drop(self.known.insert(id, known)),
                Output::Snapshot(id, None) => drop(self.known.remove(&id)),
                Output::Answer(request, answer) => {
                    let is_first = self.answers.iter().all(|(answered, _)| *answered != request);
                    assert!(is_first, "request {request} is answered a second time: {answer:?}");
                    self.answers.push((request, answer_word(&answer)));
                }
                Output::Event(event) => {
                    if let Event::Placing { key, call_id, .. } = &event {
                        self.placing.insert(call_id.clone(), *key);
                    }
                    self.events.push(event);
                }
                _ => {}
            }
        }
        words
    }

    /// Keeps what has left; no INVITE has before its intent is durable (promise 3).
    fn see(&mut self, sent: Sent) {
        let key = sent
            .text
            .starts_with("INVITE")
            .then(|| self.placing.get(sent.header("Call-ID")));
        if let Some(key) = key.flatten()
            && !sent.header("To").contains(";tag=")
        {
            let invites = self.invites.entry(*key).or_default();
            invites.insert(sent.header("CSeq").to_owned());
            let intents = self.intents.get(key).copied().unwrap_or_default();
            assert!(
                invites.len() <= intents,
                "an INVITE leaves whose intent is not durable: {sent:?}"
            );
        }
        self.sent.push(sent);
    }

    /// The journal's word about this entry.
    pub(crate) fn note(&mut self, entry: &Entry, durable: bool) {
        if durable && entry.save == Save::Intent {
            *self.intents.entry(entry.key).or_default() += 1;
        }
    }

    /// Lets so much time pass, from one timeout to the next.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut words = Vec::new();
        let mut turns = 0;
        while let Some((due, why)) = self.switch.poll_timeout().filter(|(due, _)| due.since_start() <= end) {
            turns = if due.since_start() > self.now { 0 } else { turns + 1 };
            assert!(turns < 100, "{why} is due again and again at {:?}", self.now);
            self.now = self.now.max(due.since_start());
            words.extend(self.turn(|_| {}));
        }
        self.now = end;
        words
    }

    /// Lets time pass until the switch waits for nothing any more, or for nobody but its trunks.
    pub(crate) fn rest(&mut self, longest: Duration) -> Vec<String> {
        let mut words = self.durable();
        let end = self.now + longest;
        while let Some((due, _)) = self.switch.poll_timeout().filter(|(due, _)| due.since_start() <= end) {
            let wait = due.since_start().saturating_sub(self.now);
            words.extend(self.pass(wait));
            words.extend(self.durable());
        }
        words
    }

    /// The disk takes all that waits for it.
    pub(crate) fn durable(&mut self) -> Vec<String> {
        self.disk(true)
    }

    /// The disk takes none of it.
    pub(crate) fn not_durable(&mut self) -> Vec<String> {
        self.disk(false)
    }

    fn disk(&mut self, durable: bool) -> Vec<String> {
        let entries = std::mem::take(&mut self.entries);
        if entries.is_empty() {
            return Vec::new();
        }
        for entry in &entries {
            self.note(entry, durable);
        }
        self.turn(|switch| {
            for entry in entries {
                switch.written(entry.number, durable);
            }
        })
    }

    pub(crate) fn hear(&mut self, path: Path, text: &str) -> Vec<String> {
        self.turn(|switch| switch.handle_message(path, text.as_bytes()))
    }

    /// The trunk says so.
    pub(crate) fn trunk_says(&mut self, text: &str) -> Vec<String> {
        self.hear(udp(TRUNK), text)
    }

    pub(crate) fn place(&mut self, number: u64) -> Vec<String> {
        self.turn(|switch| switch.place(number, order(number), PATIENCE))
    }

    pub(crate) fn disconnect(&mut self, request: u64, number: u64) -> Vec<String> {
        self.turn(|switch| switch.disconnect(request, OWNER, id(number), PATIENCE))
    }

    /// A call whose INVITE is out.
    pub(crate) fn invited(&mut self, number: u64) -> Sent {
        self.place(number);
        self.durable();
        self.last("INVITE")
    }

    /// A call whose intent is durable, and whose INVITE waits for something.
    pub(crate) fn invited_not(&mut self, number: u64) {
        self.place(number);
        self.durable();
        assert_eq!(self.answer_to(number), Some("placed"));
        assert!(
            self.sent
                .iter()
                .all(|sent| !sent.text.contains(&format!("call-{number}@")))
        );
    }

    /// A call that is up; gives its INVITE.
    pub(crate) fn up(&mut self, number: u64) -> Sent {
        let invite = self.invited(number);
        self.hear(invite.path, &answer(&invite, 200));
        self.durable();
        invite
    }

    /// The newest message that begins so.
    #[track_caller]
    pub(crate) fn last(&self, start: &str) -> Sent {
        let found = self.sent.iter().rev().find(|sent| sent.text.starts_with(start));
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {start} among {:#?}", self.sent))
    }

    /// How many messages that begin so have left.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.sent.iter().filter(|sent| sent.text.starts_with(start)).count()
    }

    pub(crate) fn answer_to(&self, request: u64) -> Option<&str> {
        let found = self.answers.iter().find(|(answered, _)| *answered == request);
        found.map(|(_, answer)| answer.as_str())
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(wanted)
    }
}
