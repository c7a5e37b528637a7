//! The journal: batches that take their time, entries that are refused, and what a crash leaves of those that are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use call::Save;
use switch::journal::{CallKey, CallState, Counted, Ended, Entry, IdHash, Leftover, Write};

use super::{Input, holds_ack};
use crate::{
    lanes::{Lane, LaneName},
    sabotage::Sabotage,
    scenario::Millis,
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
    open: VecDeque<Vec<(Entry, bool)>>,
    /// When the last of them will be done.
    busy_until: Millis,
    /// Entries whose word the switch has not been told, by their numbers: those that it holds an ACK for, and whose.
    holding_acks: BTreeMap<u64, CallKey>,
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

    /// Whether the wish to end, or the end, is durable.
    pub(crate) fn is_to_end(&self, key: CallKey) -> bool {
        match self.rows.get(&key) {
            // One that has ended stands there as long as phones of other forks are up.
            Some(Row { state: Some(state), .. }) => state.wish || contains(&state.dialog, r#""phase":{"Ended""#),
            Some(Row { state: None, .. }) | None => self.ended.contains_key(&key),
        }
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
        let mut disk = self.scenario.disk;
        if self.scenario.is_calm(self.now) {
            (disk.delay, disk.fails) = (1, 0);
        }
        let delay = if self.settings.share_nothing {
            disk.delay
        } else {
            1 + self.lanes.lane(LaneName::run("disk")).below(disk.delay)
        };
        let done = (self.now + delay).max(self.house.disk.busy_until);
        self.house.disk.busy_until = done;
        let fates = entries.into_iter().map(|entry| {
            let fails = disk.fails > 0 && self.lane_of("refused", entry.key).chance(disk.fails);
            (entry, !fails)
        });
        let batch = fates.collect();
        self.house.disk.open.push_back(batch);
        self.after(done - self.now, Event::Journal(self.house.incarnation));
    }

    fn lane_of(&mut self, what: &'static str, key: CallKey) -> &mut Lane {
        let call = self.house.keys.get(&key);
        let name = call.map_or(0, |call| self.scenario.calls[*call].name);
        self.lanes.lane(LaneName::of(what, name))
    }

    fn tell_early(&mut self, entries: &[Entry]) {
        let early = entries.iter().filter(|entry| match self.settings.sabotage {
            Sabotage::EarlyInvite => entry.save == Save::Intent,
            Sabotage::EarlyAck => entry.save == Save::Answer,
            Sabotage::EarlyForkAck => matches!(entry.save, Save::Fork(_)),
            _ => false,
        });
        let words: Vec<_> = early.map(|entry| (entry.clone(), true)).collect();
        if !words.is_empty() {
            self.house.inbox.push(Input::Written(words));
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
        for (entry, durable) in &batch {
            self.ladder.note(self.now, || {
                let fate = if *durable { "is durable" } else { "is refused" };
                format!("{:?} of {} {fate}", entry.save, entry.key)
            });
            if *durable {
                self.house.disk.take(entry);
            } else {
                self.refused(entry);
            }
        }
        self.hand_over(Input::Written(batch));
    }

    /// Of what was under way some may have reached the disk, though nobody was told: of each call so many entries, in order.
    pub(super) fn lose_open_entries(&mut self) {
        let open = std::mem::take(&mut self.house.disk.open);
        let mut of_calls: BTreeMap<CallKey, Vec<Entry>> = BTreeMap::new();
        for (entry, _) in open.into_iter().flatten().filter(|(_, durable)| *durable) {
            of_calls.entry(entry.key).or_default().push(entry);
        }
        for (key, entries) in of_calls {
            let reached = self.lane_of("reached", key).below(entries.len() as u64 + 1) as usize;
            for entry in &entries[..reached] {
                self.house.disk.take(entry);
            }
        }
        let disk = &mut self.house.disk;
        disk.busy_until = 0;
        disk.holding_acks.clear();
        for key in std::mem::take(&mut disk.taking_up) {
            *disk.deaths.entry(key).or_default() += 1;
        }
    }
}
