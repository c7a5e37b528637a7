//! The journal: batches that take their time, entries that are refused, and what a crash leaves of those that are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use call::Save;
use switch::journal::{CallKey, CallState, Counted, Ended, Entry, IdHash, Leftover, Write};

use super::{Input, holds_ack};
use crate::{
    lanes::{Lane, LaneName},
    parts::Family,
    sabotage::ShellFault,
    scenario::{LOCK_PATIENCE, Millis},
    watch::Situation,
    world::{Event, World},
};

#[derive(Default)]
pub(crate) struct Disk {
    /// Calls without an end: what a crash leaves to the next process.
    rows: BTreeMap<CallKey, Row>,
    ended: BTreeMap<CallKey, Ended>,
    /// Whom this process takes up now, and in how many starts in a row the process died of whom.
    taking_up: BTreeSet<CallKey>,
    deaths: BTreeMap<CallKey, u32>,
    /// Batches under way, in order, each entry with what becomes of it.
    open: VecDeque<Vec<(Entry, Fate)>>,
    /// A flush has failed in this run, and in this process: what was written before it may be on the disk or not.
    has_failed_once: bool,
    is_shut: bool,
    doubtful: Vec<Entry>,
    /// When the last of them will be done.
    busy_until: Millis,
    /// Entries whose word the switch has not been told, by their numbers: those that it holds an ACK for, and whose.
    holding_acks: BTreeMap<u64, CallKey>,
}

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Durable,
    Refused,
    /// It is refused, and a crash may find it all the same.
    Doubtful,
}

struct Row {
    id_hash: IdHash,
    intent: Vec<u8>,
    state: Option<CallState>,
}

impl Disk {
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Which calls a crash would leave now.
    pub(crate) fn left_now(&self) -> Vec<CallKey> {
        self.rows.keys().copied().collect()
    }

    pub(super) fn left(&self) -> (Vec<Leftover>, Vec<Counted>) {
        let leftovers = self.rows.iter().map(|(key, row)| Leftover {
            key: *key,
            id_hash: row.id_hash,
            intent: row.intent.clone(),
            state: row.state.clone(),
            deaths: self.deaths_of(*key),
        });
        let ended = self.ended.iter().map(|(key, ended)| Counted {
            key: *key,
            owner: ended.owner,
            started: ended.started,
            ended: ended.ended,
            own_phone: ended.own_phone,
            record: Some(ended.record.clone()),
        });
        (leftovers.collect(), ended.collect())
    }

    pub(crate) fn deaths_of(&self, key: CallKey) -> u32 {
        self.deaths.get(&key).copied().unwrap_or(0)
    }

    pub(super) fn taking_up(&mut self, keys: &[CallKey]) {
        self.taking_up = keys.iter().copied().collect();
    }

    pub(super) fn taken_up(&mut self, keys: &[CallKey]) {
        self.taking_up.clear();
        self.deaths.retain(|key, _| !keys.contains(key));
    }

    fn take(&mut self, entry: &Entry) {
        match &entry.write {
            Write::Intent { id_hash, intent } => {
                let row = Row {
                    id_hash: *id_hash,
                    intent: intent.clone(),
                    state: None,
                };
                self.rows.insert(entry.key, row);
            }
            Write::State(state) => {
                if let Some(row) = self.rows.get_mut(&entry.key) {
                    row.state = Some(state.clone());
                }
            }
            Write::Ended(ended) => {
                self.rows.remove(&entry.key);
                self.ended.insert(entry.key, ended.clone());
            }
        }
    }

    /// Whether what is durable of this call says so: `words` are as they stand in a record.
    pub(crate) fn says(&self, key: CallKey, words: &str) -> bool {
        let Some(row) = self.rows.get(&key) else { return false };
        let record = row.state.as_ref().map_or(&row.intent, |state| &state.dialog);
        contains(record, words)
    }

    /// Whether anything of this call is durable.
    pub(crate) fn knows(&self, key: CallKey) -> bool {
        self.rows.contains_key(&key) || self.ended.contains_key(&key)
    }

    /// Whether the wish to end, or the end, is durable.
    pub(crate) fn is_to_end(&self, key: CallKey) -> bool {
        let wishes = |row: &Row| row.state.as_ref().is_some_and(|state| state.wish);
        // One that has ended stands there as long as phones of other forks are up.
        let has_ended = || self.ended.contains_key(&key) || self.says(key, r#""phase":{"Ended""#);
        self.rows.get(&key).is_some_and(wishes) || has_ended()
    }

    /// Whether its record says that the far end has not confirmed its end.
    pub(crate) fn is_unconfirmed(&self, key: CallKey) -> bool {
        let ended = self.ended.get(&key);
        ended.is_some_and(|ended| contains(&ended.record, r#""confirmed":false"#))
    }

    pub(crate) fn holds_ack_of(&self, key: CallKey) -> bool {
        self.holding_acks.values().any(|holding| *holding == key)
    }

    /// The switch has been told about this entry.
    pub(crate) fn word_is_given(&mut self, number: u64) {
        self.holding_acks.remove(&number);
    }
}

fn contains(record: &[u8], words: &str) -> bool {
    record.windows(words.len()).any(|window| window == words.as_bytes())
}

impl World {
    /// One batch, which is done some time later.
    pub(super) fn write(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            self.digest.number(entry.number);
            self.digest.number(entry.key.0.unsigned_abs());
            match &entry.write {
                Write::Intent { intent, .. } => self.digest.bytes(intent),
                Write::State(state) => self.digest.bytes(&state.dialog),
                Write::Ended(ended) => self.digest.bytes(&ended.record),
            }
            self.check_entry(entry);
            self.ladder
                .note(self.now, || format!("{:?} of {} is to be saved", entry.save, entry.key));
            if holds_ack(entry.save) {
                self.house.disk.holding_acks.insert(entry.number, entry.key);
            }
        }
        self.tell_early(&entries);
        let mut entries = entries;
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(self.scenario.bounds.batch));
            self.begin_batch(entries);
            entries = rest;
        }
    }

    fn begin_batch(&mut self, entries: Vec<Entry>) {
        let scenario = self.scenario.clone();
        let (delay, fails) = match self.scenario.is_calm(self.now) {
            true => (1, 0),
            false => (scenario.disk.delay, scenario.disk.fails),
        };
        let delay = if self.settings.share_nothing {
            delay
        } else {
            1 + self.lanes.lane(LaneName::run("disk")).below(delay)
        };
        let turn = self.now.max(self.house.disk.busy_until);
        let (begun, is_locked, is_full) = self.meet_trouble(turn);
        let (is_shut, fails_now) = self.meet_failure(turn);
        let done = (self.now + delay).max(begun);
        self.house.disk.busy_until = done;
        let fates = entries.into_iter().map(|entry| {
            let fails = fails > 0 && self.lane_of("refused", entry.key).chance(fails);
            let has_no_room = is_full && entry.save == Save::Intent;
            if has_no_room {
                self.watch.tally.fault(Family::FullDisk);
            }
            let fate = if fails || is_locked || is_shut || has_no_room {
                Fate::Refused
            } else if fails_now {
                Fate::Doubtful
            } else {
                Fate::Durable
            };
            (entry, fate)
        });
        let batch = fates.collect();
        self.house.disk.open.push_back(batch);
        self.after(done - self.now, Event::Journal(self.house.incarnation));
    }

    /// A batch whose turn comes then: until when it waits at least, whether another program keeps the store for too long, and whether there is room for what
    /// exists already alone, which the ballast was kept for.
    fn meet_trouble(&mut self, mut turn: Millis) -> (Millis, bool, bool) {
        let scenario = self.scenario.clone();
        let mut is_locked = false;
        if let Some(until) = scenario.disk.until(Family::LockedDisk, turn) {
            self.watch.tally.fault(Family::LockedDisk);
            is_locked = until > turn + LOCK_PATIENCE;
            turn = until.min(turn + LOCK_PATIENCE);
        }
        if let Some(until) = scenario.disk.until(Family::Stalls, turn).filter(|_| !is_locked) {
            self.watch.tally.fault(Family::Stalls);
            turn = until;
        }
        (turn, is_locked, scenario.disk.until(Family::FullDisk, turn).is_some())
    }

    /// A batch whose turn comes then: whether nothing is written any more, and whether it is the one that is not flushed.
    fn meet_failure(&mut self, turn: Millis) -> (bool, bool) {
        let is_due = self.scenario.disk.flush_fails.is_some_and(|at| at <= turn);
        let disk = &mut self.house.disk;
        let was_shut = disk.is_shut;
        let fails = is_due && !std::mem::replace(&mut disk.has_failed_once, is_due);
        disk.is_shut |= fails;
        if fails {
            self.watch.tally.fault(Family::FailedFlush);
        }
        (was_shut, fails)
    }

    fn lane_of(&mut self, what: &'static str, key: CallKey) -> &mut Lane {
        let call = self.house.keys.get(&key);
        let name = call.map_or(0, |call| self.scenario.calls[*call].name);
        self.lanes.lane(LaneName::of(what, name))
    }

    fn tell_early(&mut self, entries: &[Entry]) {
        if self.settings.sabotage.is_in_shell(ShellFault::SaidDurable) {
            let words = entries.iter().map(|entry| (entry.clone(), true));
            self.house.inbox.push(Input::Written(words.collect()));
            self.after(0, Event::Turn);
        }
    }

    pub(crate) fn journal_done(&mut self, incarnation: u32) {
        if incarnation != self.house.incarnation || !self.house.up {
            return;
        }
        let Some(batch) = self.house.disk.open.pop_front() else {
            return;
        };
        for (entry, fate) in &batch {
            self.ladder.note(self.now, || {
                let fate = match fate {
                    Fate::Durable => "is durable",
                    Fate::Refused => "is refused",
                    Fate::Doubtful => "is refused, and may be found",
                };
                format!("{:?} of {} {fate}", entry.save, entry.key)
            });
            match fate {
                Fate::Durable => self.house.disk.take(entry),
                Fate::Refused | Fate::Doubtful => self.refused(entry),
            }
            if *fate == Fate::Doubtful {
                self.house.disk.doubtful.push(entry.clone());
            }
        }
        let words = batch.into_iter().map(|(entry, fate)| (entry, fate == Fate::Durable));
        self.hand_over(Input::Written(words.collect()));
    }

    /// Of what was under way some may have reached the disk, though nobody was told: of each call so many entries, in order.
    pub(super) fn lose_open_entries(&mut self) {
        let disk = &mut self.house.disk;
        let doubtful = std::mem::take(&mut disk.doubtful);
        let open = std::mem::take(&mut disk.open).into_iter().flatten();
        let open = open.filter(|(_, fate)| *fate != Fate::Refused).map(|(entry, _)| entry);
        let mut of_calls: BTreeMap<CallKey, Vec<Entry>> = BTreeMap::new();
        for entry in doubtful.into_iter().chain(open) {
            of_calls.entry(entry.key).or_default().push(entry);
        }
        for (key, entries) in of_calls {
            let reached = self.lane_of("reached", key).below(entries.len() as u64 + 1) as usize;
            if reached > 0 {
                self.watch.meet(Situation::SavedThoughNobodyKnows);
            }
            for entry in &entries[..reached] {
                self.house.disk.take(entry);
            }
        }
        let disk = &mut self.house.disk;
        disk.is_shut = false;
        disk.busy_until = 0;
        disk.holding_acks.clear();
        for key in std::mem::take(&mut disk.taking_up) {
            *disk.deaths.entry(key).or_default() += 1;
        }
    }
}
