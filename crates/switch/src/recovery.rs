//! What an earlier process left: ids that can still be asked about, and calls whose phones may be off-hook.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use call::{Call, Record, Surroundings};
use dial::{CountedStart, Hold, PastCall};
use sabotage::Fault;
use sip::{Moment, Path, sdp::LocalMedia};

use crate::{
    act::{Intent, is_answered},
    information::Information,
    journal::{CallKey, Counted, Leftover},
    leftover_queue::{LeftoverQueue, When},
    live::{Disconnecting, Live, Row},
    output::{Answer, DisconnectRefusal, Event, Known, Output},
    past::Detail,
    settings::Settings,
    switch::{Switch, Wake},
};

/// When to look again for a way to a phone.
const RETRY: Duration = Duration::from_secs(1);

/// Messages about leftovers that are not taken up yet.
const EARLY: usize = 256;

/// Why a leftover is not being ended.
enum NotTakenUp {
    /// We have no address towards its trunk: a name that cannot be looked up yet, say.
    ForNow,
    /// Its record cannot be read, or there is no trunk at all.
    ForGood,
}

/// Calls of earlier processes that wait to be taken up.
#[derive(Default)]
pub(crate) struct Recovery {
    waiting: BTreeMap<CallKey, Waiting>,
    pub(crate) queue: LeftoverQueue,
    /// What is not counted for the caps yet.
    uncounted: BTreeMap<CallKey, Intent>,
    /// Who is taken up in the next turn, when it is written that they are.
    next: Vec<CallKey>,
    /// Who comes next, ahead of the others.
    hurried: Vec<CallKey>,
    /// Who wants one of those ended that wait.
    disconnecting: Vec<(CallKey, Disconnecting)>,
    /// What phones say of calls that wait: it is heard when these have been taken up.
    early: Vec<(CallKey, Path, Vec<u8>)>,
    /// When to look again for a way to those that have none.
    retry_at: Option<Moment>,
}

struct Waiting {
    leftover: Leftover,
    /// What of it was written first, and the place that it holds; nothing when that cannot be read.
    known: Option<(Intent, Hold)>,
    /// By which it is ended; nothing when it cannot be.
    trunk: Option<usize>,
}

impl Waiting {
    fn is_up(&self) -> bool {
        self.leftover.state.as_ref().is_some_and(is_answered)
    }
}

impl Recovery {
    /// Takes up so many leftovers within a T1.
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            queue: LeftoverQueue::new(at_once),
            ..Self::default()
        }
    }

    /// Whose call it is, of one that waits.
    pub(crate) fn owner(&self, key: CallKey) -> Option<[u8; 32]> {
        self.waiting.get(&key)?.known.as_ref().map(|(intent, _)| intent.owner)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn early(&self) -> usize {
        self.early.len() + self.disconnecting.len()
    }

    /// A call has ended.
    pub(crate) fn over(&mut self, key: CallKey) {
        self.queue.over(key);
    }
}

/// What was written of it last, besides its intent.
fn record_of(leftover: &Leftover) -> Option<Record> {
    serde_json::from_slice(&leftover.state.as_ref()?.dialog).ok()
}

/// By which trunk this call is ended; nothing without trunks. One that is no longer configured had a way out; any other may still
/// reach the phone.
fn trunk_of(settings: &Settings, record: &Record) -> Option<usize> {
    let trunks = &settings.trunks;
    let its_own = trunks.iter().position(|trunk| trunk.name == record.trunk);
    its_own.or((!trunks.is_empty()).then_some(0))
}

impl Switch {
    /// Ends these calls, as many at a time as may be. From here on every one that is known can be asked about.
    pub fn end_leftovers(&mut self, leftovers: Vec<Leftover>) {
        if leftovers.is_empty() {
            return;
        }
        self.tell(Event::LeftoversFound(leftovers.len()));
        let longest = self.longest();
        let mut added = BTreeSet::new();
        for mut leftover in leftovers {
            if self.is_sabotaged(Fault::DeathsForgotten) {
                leftover.deaths = 0;
            }
            let (key, deaths) = (leftover.key, leftover.deaths);
            if When::after(deaths) == When::Never {
                self.tell(Event::LeftoverLeftAlone(key));
                continue;
            }
            self.by_id.insert(leftover.id_hash, key);
            let intent: Option<Intent> = serde_json::from_slice(&leftover.intent).ok();
            let record = record_of(&leftover);
            let latest = record.as_ref().or(intent.as_ref().map(|intent| &intent.record));
            let trunk = latest.and_then(|record| trunk_of(&self.settings, record));
            let known = intent.map(|intent| {
                let Record { trunk, dialog, .. } = &intent.record;
                // A phone that speaks before its call is taken up is listened to, and not taken for a stranger's.
                self.by_call_id.insert(dialog.call_id.clone(), key);
                let (owner, started) = (intent.owner, intent.started.into());
                let hold = self.caps.hold(owner, trunk, started, longest, intent.own_phone);
                let mut information = Information::of_record(record.as_ref().unwrap_or(&intent.record));
                if self.is_sabotaged(Fault::LeftEndUntold) {
                    information.end = None;
                }
                let known = Known { owner, information };
                self.put(Output::Snapshot(leftover.id_hash, Some(known)));
                self.recovery.uncounted.insert(key, intent.clone());
                (intent, hold)
            });
            let waiting = Waiting { leftover, known, trunk };
            self.recovery.waiting.insert(key, waiting);
            added.insert(key);
        }
        let Recovery { waiting, queue, .. } = &mut self.recovery;
        let (up, others): (Vec<_>, Vec<_>) = waiting
            .iter()
            .filter(|(key, _)| added.contains(key))
            .partition(|(_, waiting)| waiting.is_up());
        // Of the others the newest may still ring; who rang long ago does no more.
        for (key, waiting) in up.into_iter().chain(others.into_iter().rev()) {
            queue.add(*key, When::after(waiting.leftover.deaths));
        }
        self.tell(Event::Live(self.caps.live()));
    }

    /// The caps go on counting where earlier processes stopped.
    pub fn count(&mut self, last_day: &[Counted]) {
        let uncounted = std::mem::take(&mut self.recovery.uncounted);
        let up = uncounted.values().map(|intent| PastCall {
            mailbox: intent.owner,
            started: intent.started.into(),
            ended: None,
            own_phone: intent.own_phone,
            start: Some(CountedStart {
                request_uri: &intent.record.request_uri,
                trunk: &intent.record.trunk,
                address: intent.address,
            }),
        });
        // One that was up at the start and has ended since is one call; so is one that had ended, and was answered once more.
        let over = last_day.iter().filter(|counted| !uncounted.contains_key(&counted.key));
        let details: BTreeMap<CallKey, Detail> = over
            .clone()
            .filter_map(|counted| Some((counted.key, Detail::read(counted.record.as_ref()?)?)))
            .collect();
        let longest = self.longest();
        let over = over.map(|counted| PastCall {
            mailbox: counted.owner,
            started: counted.started,
            // One that a crash left ended when somebody was there to end it.
            ended: Some(counted.ended.min(counted.started + longest)),
            own_phone: counted.own_phone,
            start: details.get(&counted.key).map(|detail| CountedStart {
                request_uri: &detail.to,
                trunk: &detail.trunk,
                address: detail.from,
            }),
        });
        let mut calls: Vec<PastCall<'_>> = over.chain(up).collect();
        calls.sort_by_key(|call| call.started);
        let now = self.time_of_caps();
        for call in calls {
            self.caps.remember(call, now);
        }
    }

    /// No call lasts longer, from its INVITE on.
    pub(crate) fn longest(&self) -> Duration {
        let limits = &self.settings.limits;
        limits.ring + limits.max_duration
    }

    /// Ends leftovers, as many at a time as may be: those that were told to be taken up in the last turn.
    pub(crate) fn take_up_leftovers(&mut self) {
        if self.is_sabotaged(Fault::NoTakeUp) {
            return;
        }
        let batch = std::mem::take(&mut self.recovery.next);
        if !batch.is_empty() {
            self.take_up_batch(batch);
        }
        self.settle_leftovers();
        let mut next = std::mem::take(&mut self.recovery.hurried);
        let t1 = self.settings.timers.t1;
        if next.is_empty() {
            next = self.next_batch(t1);
        }
        let due = if next.is_empty() {
            let settle = self.recovery.disconnecting.iter();
            self.recovery
                .queue
                .next(t1)
                .into_iter()
                .chain(self.recovery.retry_at)
                .chain(settle.map(|(_, disconnecting)| disconnecting.disk_until))
                .min()
        } else {
            self.put(Output::TakingUp(next.clone()));
            Some(self.now)
        };
        self.recovery.next = next;
        self.schedule.set(Wake::Recovery, due);
    }

    fn next_batch(&mut self, t1: Duration) -> Vec<CallKey> {
        self.recovery.queue.make_room(t1, self.now);
        if self.recovery.waiting.is_empty() {
            self.recovery.retry_at = None;
            return Vec::new();
        }
        if self.recovery.retry_at.is_some_and(|at| at <= self.now) {
            self.recovery.retry_at = None;
            self.recovery.queue.look_again();
        }
        let trunks = 0..self.settings.trunks.len();
        let is_reached: Vec<bool> = trunks.map(|trunk| self.local(trunk).is_some()).collect();
        let Self { recovery, live, .. } = self;
        let Recovery { waiting, queue, .. } = recovery;
        // What cannot be read needs none.
        let has_a_way = |key| {
            waiting
                .get(&key)
                .and_then(|of: &Waiting| of.trunk)
                .is_none_or(|trunk| is_reached[trunk])
        };
        let is_up = |key| live.get(&key).is_some_and(|live| !live.call.is_drained());
        let (when, batch) = queue.take(t1, self.now, has_a_way, is_up);
        if when == When::Last
            && let Some(key) = batch.first()
        {
            self.tell(Event::LeftoverLast(*key));
        }
        if self.recovery.queue.is_someone_without_a_way() && self.recovery.retry_at.is_none() {
            self.recovery.retry_at = Some(self.now + RETRY);
            self.look_up_lost_trunks();
        }
        batch
    }

    fn take_up_batch(&mut self, batch: Vec<CallKey>) {
        for key in &batch {
            self.take_up(*key);
        }
        for (key, disconnecting) in std::mem::take(&mut self.recovery.disconnecting) {
            if self.recovery.waiting.contains_key(&key) {
                self.recovery.disconnecting.push((key, disconnecting));
            } else {
                self.disconnect_call(key, disconnecting);
            }
        }
        // Of those that still wait it is heard later: said again now, it would hurry them again and again.
        let Recovery { early, waiting, .. } = &mut self.recovery;
        let taken_up: Vec<_> = early.extract_if(.., |(key, ..)| !waiting.contains_key(key)).collect();
        for (_, path, bytes) in taken_up {
            self.handle_message(path, &bytes);
        }
        for key in &batch {
            if let Some(waiting) = self.recovery.waiting.get(key) {
                let when = When::after(waiting.leftover.deaths);
                self.recovery.queue.without_a_way(*key, when);
            }
        }
        self.put(Output::TakenUp(batch));
    }

    /// Tells those who want one ended that waits, when they have waited for the disk long enough. It is ended all the same.
    fn settle_leftovers(&mut self) {
        let now = self.now;
        let is_late = |(_, waiting): &(CallKey, Disconnecting)| waiting.disk_until <= now;
        let (late, waiting) = std::mem::take(&mut self.recovery.disconnecting)
            .into_iter()
            .partition(is_late);
        self.recovery.disconnecting = waiting;
        let late: Vec<(CallKey, Disconnecting)> = late;
        for (_, Disconnecting { request, .. }) in late {
            self.answer(request, Answer::NotDisconnected(DisconnectRefusal::NotInTime));
        }
    }

    /// Whether this call is a leftover that waits. Its phone speaks, or somebody asks for its end: it is taken up next. Of what the
    /// last two starts died, it is taken up when all others are down.
    pub(crate) fn is_left(&mut self, key: CallKey) -> bool {
        let is_left = self.recovery.waiting.contains_key(&key);
        let Recovery { queue, hurried, .. } = &mut self.recovery;
        if is_left && !queue.comes_last(key) && queue.hurry(key) {
            hurried.push(key);
        }
        is_left
    }

    /// A message about a leftover that waits: it is heard when that has been taken up, unless too many are waiting, and then the
    /// peer says it again.
    pub(crate) fn hear_later(&mut self, key: CallKey, path: Path, bytes: &[u8]) {
        if self.recovery.early.len() < EARLY {
            self.recovery.early.push((key, path, bytes.to_vec()));
        }
    }

    /// Ends a leftover that waits, when it has been taken up.
    pub(crate) fn disconnect_leftover(&mut self, key: CallKey, disconnecting: Disconnecting) {
        self.recovery.disconnecting.push((key, disconnecting));
    }

    fn take_up(&mut self, key: CallKey) {
        let Some(Waiting { leftover, known, trunk }) = self.recovery.waiting.remove(&key) else {
            return;
        };
        let call = match &known {
            Some((intent, _)) => self.leftover(key, &leftover, intent),
            None => Err(NotTakenUp::ForGood),
        };
        match (call, known) {
            (Ok((trunk, call)), Some((intent, hold))) => {
                if !self.is_sabotaged(Fault::RecoveryUnpaced) {
                    self.recovery.queue.begun(key, self.now);
                }
                let started = intent.started.into();
                let live = Live {
                    row: Row::Open,
                    address: intent.address,
                    own_phone: intent.own_phone,
                    hold: Some(hold),
                    ..Live::new(intent.owner, leftover.id_hash, trunk, call, started)
                };
                self.admit(key, live);
                self.act(key);
            }
            (Err(NotTakenUp::ForNow), known) => {
                self.recovery.waiting.insert(key, Waiting { leftover, known, trunk });
            }
            (_, known) => {
                self.tell(Event::LeftoverUnreadable(key));
                self.by_id.remove(&leftover.id_hash);
                self.put(Output::Snapshot(leftover.id_hash, None));
                if let Some((intent, hold)) = known {
                    self.forget_call_id(&intent.record.dialog.call_id, key);
                    let now = self.time_of_caps();
                    self.caps.give_back(hold, now);
                }
            }
        }
    }

    /// The machine of a call that an earlier process left, on its way to the end.
    fn leftover(&self, key: CallKey, leftover: &Leftover, intent: &Intent) -> Result<(usize, Call), NotTakenUp> {
        let record = match &leftover.state {
            Some(_) => record_of(leftover).ok_or(NotTakenUp::ForGood)?,
            None => intent.record.clone(),
        };
        // A newer program wrote it: what it says may not be what is read here.
        if record.version > call::RECORD_VERSION {
            return Err(NotTakenUp::ForGood);
        }
        let trunk = trunk_of(&self.settings, &record).ok_or(NotTakenUp::ForGood)?;
        let around = self.around(trunk).ok_or(NotTakenUp::ForNow)?;
        Ok((
            trunk,
            Call::take_up(record, self.processes_since(key), around, self.now),
        ))
    }

    /// What a call is ended with.
    pub(crate) fn around(&self, trunk: usize) -> Option<Surroundings> {
        let local = self.local(trunk)?;
        let settings = &self.settings.trunks[trunk];
        // No offer will be made any more.
        let media = LocalMedia {
            address: (self.local_ip(trunk)?, 9).into(),
            session_id: 0,
            version: 1,
            codecs: settings.codecs.clone(),
            protection: None,
        };
        Some(Surroundings {
            local,
            media,
            credentials: settings.credentials.clone(),
            key: self.settings.identity.branch_key.clone(),
            limits: self.settings.limits,
            sabotage: self.settings.sabotage,
        })
    }
}
