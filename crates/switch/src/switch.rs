//! The switch itself: one turn, what goes in and what comes out.

use std::collections::{BTreeMap, VecDeque};

use call::Save;
use dial::{Caps, WallTime};
use sabotage::Fault;
use sip::{CallIdHeader, Moment, ServerId, Transactions};

use crate::{
    admission::Admission,
    batch::Batch,
    identity::Names,
    journal::{CallKey, Entry, IdHash, Write},
    live::Live,
    output::{Answer, Event, Output},
    past::Past,
    recovery::Recovery,
    schedule::Schedule,
    settings::Settings,
    trunk::Trunk,
    ways::Ways,
    window::Windows,
};

/// Ended calls that are remembered at most; beyond it the oldest is forgotten early.
const MOST_PAST: usize = 100_000;
/// So many waits last longer than a simulation.
const FOR_EVER: u32 = 10_000_000;

/// All calls of one node.
///
/// It has four kinds of methods: [`begin_turn`](Self::begin_turn) and [`end_turn`](Self::end_turn), which say what time it is;
/// between them whatever came from outside, as often as it came: from the network (`handle_message`, `connected`, `found`, …), from
/// the house (`place`, `disconnect`, …), from the disk ([`written`](Self::written)) and from the sound room (`played`, …); and
/// `poll_output`, which is drained after each turn, in order. Then nothing needs to happen before
/// [`poll_timeout`](Self::poll_timeout).
///
/// What is sent is sent before what this turn writes is durable: whatever has to wait for the disk comes out in the turn in
/// which its word came in (promise 3). The journal's batch is the last output of a turn.
pub struct Switch {
    pub(crate) settings: Settings,
    pub(crate) now: Moment,
    pub(crate) clock: WallTime,
    /// When it began, by both clocks.
    began: (Moment, WallTime),
    pub(crate) names: Names,
    pub(crate) live: BTreeMap<CallKey, Box<Live>>,
    pub(crate) past: BTreeMap<CallKey, Past>,
    pub(crate) by_id: BTreeMap<IdHash, CallKey>,
    pub(crate) by_call_id: BTreeMap<CallIdHeader, CallKey>,
    pub(crate) transactions: Transactions,
    /// INVITEs of peers inside a call whose 2xx waits for its ACK.
    pub(crate) unacked: BTreeMap<ServerId, CallKey>,
    pub(crate) trunks: Vec<Trunk>,
    pub(crate) ways: Ways,
    pub(crate) windows: Windows,
    pub(crate) admission: Admission,
    /// What every call holds of them whose phones are not all on-hook.
    pub(crate) caps: Caps,
    pub(crate) recovery: Recovery,
    pub(crate) schedule: Schedule<Wake>,
    /// What the journal has not said a word about.
    writing: BTreeMap<u64, (CallKey, Save)>,
    entries: u64,
    pub(crate) batch: Batch,
    pub(crate) draining: bool,
    /// Who waits for the last call to end.
    pub(crate) ending: Vec<u64>,
    /// Who waits for registrars to let go of us, and until when.
    pub(crate) leaving: Option<(Vec<u64>, Moment)>,
    last_key: CallKey,
    pub(crate) outputs: VecDeque<Output>,
}

/// What wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wake {
    /// A timer of its machine, a wait of the house, or its time to be forgotten.
    Call(CallKey),
    /// A trunk's next OPTIONS, or the end of waiting for its answer.
    Trunk(usize),
    /// The end of waiting for a connection, or of remembering that it failed.
    Connection(u64),
    /// A leftover's turn.
    Recovery,
}

impl Switch {
    /// A switch without calls.
    #[must_use]
    pub fn new(settings: Settings, now: Moment, clock: WallTime) -> Self {
        let mut switch = Self {
            now,
            clock,
            began: (now, clock),
            names: Names::new(&settings.identity),
            live: BTreeMap::new(),
            past: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_call_id: BTreeMap::new(),
            transactions: Transactions::new(settings.timers).sabotaged(settings.sabotage),
            unacked: BTreeMap::new(),
            trunks: settings.trunks.iter().map(Trunk::new).collect(),
            ways: Ways::default(),
            windows: Windows::new(settings.invites_per_hop + usize::from(settings.sabotage.is(Fault::WindowOffByOne))),
            admission: Admission::new(&settings, now),
            caps: Caps::new(settings.caps, settings.counted.clone()).sabotaged(settings.sabotage),
            recovery: Recovery::new(settings.leftovers_at_once),
            schedule: Schedule::default(),
            writing: BTreeMap::new(),
            entries: 0,
            batch: Batch::default(),
            draining: false,
            ending: Vec::new(),
            leaving: None,
            last_key: settings.identity.before,
            outputs: VecDeque::new(),
            settings,
        };
        switch.begin_trunks();
        switch
    }

    /// It is now so late. `clock` is the one on the wall, for records.
    pub fn begin_turn(&mut self, now: Moment, clock: WallTime) {
        self.now = self.now.max(now);
        self.clock = clock;
    }

    /// What time it is for the caps: what the clock on the wall said when this switch began, and gone on since by the clock that only goes
    /// forward. So whoever sets the one on the wall neither shuts a cap nor opens one.
    pub(crate) fn time_of_caps(&self) -> WallTime {
        let (moment, clock) = self.began;
        clock + self.now.since(moment)
    }

    /// Lets everything run out that is due, and closes the batch.
    pub fn end_turn(&mut self) {
        self.transactions.handle_timeout(self.now);
        self.handle_transaction_events();
        while let Some(wake) = self.schedule.take_due(self.now) {
            match wake {
                Wake::Call(key) => self.wake_call(key),
                Wake::Trunk(trunk) => self.wake_trunk(trunk),
                Wake::Connection(number) => self.connection_timed_out(number),
                Wake::Recovery => {}
            }
        }
        self.take_up_leftovers();
        self.answer_when_all_ended();
        self.answer_when_all_have_left();
        let batch = self.batch.take(self.now);
        if !batch.is_empty() {
            self.put(Output::Journal(batch));
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the next turn is due at the latest, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Moment, &'static str)> {
        let own = self.schedule.next().map(|(due, wake)| {
            let why = match wake {
                Wake::Call(_) => "call",
                Wake::Trunk(_) => "trunk",
                Wake::Connection(_) => "connection",
                Wake::Recovery => "recovery",
            };
            (due, why)
        });
        let leaving = self.leaving.as_ref().map(|(_, until)| (*until, "leaving"));
        own.into_iter()
            .chain(leaving)
            .chain(self.batch.next().map(|due| (due, "ends")))
            .chain(self.transactions.poll_timeout())
            .min()
    }

    /// How many calls hold a place.
    #[must_use]
    pub fn live(&self) -> usize {
        self.caps.live()
    }

    /// The journal's word about an entry: whether it is durable.
    pub fn written(&mut self, number: u64, durable: bool) {
        let Some((key, save)) = self.writing.remove(&number) else {
            return;
        };
        if !durable {
            self.tell(Event::NotSaved { key, save });
        }
        let durable = durable || self.is_sabotaged(Fault::RefusedIsDurable);
        self.saved(key, save, durable);
    }

    pub(crate) fn writing(&self) -> usize {
        self.writing.len()
    }

    pub(crate) fn is_sabotaged(&self, fault: Fault) -> bool {
        self.settings.sabotage.is(fault)
    }

    pub(crate) fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.put(Output::Event(event));
    }

    pub(crate) fn answer(&mut self, request: u64, answer: Answer) {
        self.put(Output::Answer(request, answer));
    }

    pub(crate) fn next_key(&mut self) -> CallKey {
        self.last_key.0 += 1;
        self.last_key
    }

    /// How many processes there have been since the one that this call was placed by.
    pub(crate) fn processes_since(&self, key: CallKey) -> u32 {
        key.processes_until(self.last_key)
    }

    pub(crate) fn write(&mut self, key: CallKey, save: Save, write: Write) {
        self.entries += 1;
        let number = self.entries;
        self.writing.insert(number, (key, save));
        let entry = Entry {
            number,
            key,
            save,
            write,
        };
        let may_wait = save == Save::End && !self.draining && !self.somebody_waits_for_end(key);
        if may_wait {
            let times = 1 + FOR_EVER * u32::from(self.is_sabotaged(Fault::EndWaitsForEver));
            return self.batch.push_end(entry, self.now, self.settings.ends_wait * times);
        }
        // What is written of one call is written in order.
        if self.batch.holds(key) && !self.is_sabotaged(Fault::EndOvertakes) {
            self.batch.hurry();
        }
        self.batch.push(entry);
    }

    /// Whether a hang-up of this call is answered when its end is durable, since it has ended without a wish that could be.
    fn somebody_waits_for_end(&self, key: CallKey) -> bool {
        self.live
            .get(&key)
            .is_some_and(|live| !live.disconnecting.is_empty() && live.call.record().wish.is_none())
    }

    /// The machine has nothing left to do: only what can be asked about the call is kept.
    pub(crate) fn retire(&mut self, key: CallKey) {
        let Some(live) = self.live.remove(&key) else { return };
        self.forget_call_id(&live.call.record().dialog.call_id, key);
        let is_certain = live.end_is_durable == Some(true) || live.is_confirmed();
        self.leave_hosts(live.hosts);
        self.ways.waiting.remove(&key);
        let past = Past {
            owner: live.owner,
            id: live.id,
            is_certain,
        };
        self.past.insert(key, past);
        let forget = live.ended_at.map(|(at, _)| at + self.settings.ended_retention);
        self.schedule.set(Wake::Call(key), forget);
        if self.past.len() > MOST_PAST
            && let Some(oldest) = self.past.keys().next().copied()
        {
            self.forget(oldest);
        }
    }

    /// What names this Call-ID is not about this call any more; about another leftover it still may be.
    pub(crate) fn forget_call_id(&mut self, call_id: &CallIdHeader, key: CallKey) {
        if self.by_call_id.get(call_id) == Some(&key) {
            self.by_call_id.remove(call_id);
        }
    }

    pub(crate) fn forget(&mut self, key: CallKey) {
        if let Some(past) = self.past.remove(&key) {
            self.by_id.remove(&past.id);
            self.schedule.set(Wake::Call(key), None);
            self.put(Output::Snapshot(past.id, None));
        }
    }

    fn answer_when_all_ended(&mut self) {
        // A leftover that still waits then has no way to its phone: it is left to the next process.
        if !self.ending.is_empty() && self.live.values().all(|live| live.call.is_drained()) {
            for request in std::mem::take(&mut self.ending) {
                self.answer(request, Answer::AllEnded);
            }
        }
    }
}
