//! The journal's batches, and what became of them; and the words of the switch for what the journal keeps.

use std::collections::BTreeMap;

use call::Save;
use switch::journal::{self as of_switch, CallKey};

use super::inbox::{News, Reports};
use crate::{
    crash_points,
    gate::wall_time,
    journal::{self, Batches, Journal, WriteError},
    store::system_time,
};

/// The switch's face of the journal.
pub(super) struct Words {
    batches: Batches,
    /// What nothing has been heard of yet.
    writing: BTreeMap<u64, (CallKey, Save)>,
}

/// What became of one entry.
pub(super) type Word = (u64, Result<(), WriteError>);

impl Words {
    pub(super) fn new(journal: &Journal, reports: Reports) -> Self {
        Self {
            batches: journal.batches(move |outcomes| reports.tell_from_a_thread(News::Written(outcomes))),
            writing: BTreeMap::new(),
        }
    }

    /// Hands a batch to the journal; gives back what is refused at once.
    pub(super) fn submit(&mut self, batch: Vec<of_switch::Entry>) -> Vec<Word> {
        let batch = batch
            .into_iter()
            .map(|entry| {
                crash_points::before(entry.save);
                self.writing.insert(entry.number, (entry.key, entry.save));
                (entry.number, write(entry))
            })
            .collect();
        let refused = self.batches.submit(batch).into_iter();
        refused.map(|(number, error)| (number, Err(error))).collect()
    }

    /// Whether it is durable. Where it is not, the log says why.
    pub(super) fn heard(&mut self, (number, outcome): Word) -> bool {
        let Some((key, save)) = self.writing.remove(&number) else {
            return false;
        };
        if let Err(error) = outcome {
            tracing::error!(call = %key, ?save, %error, "the journal did not take a record");
        }
        crash_points::after(save);
        outcome.is_ok()
    }
}

fn write(entry: of_switch::Entry) -> journal::Write {
    let key = row(entry.key);
    match entry.write {
        of_switch::Write::Intent { id_hash, intent } => journal::Write::Intent { key, id_hash, intent },
        of_switch::Write::State(state) => journal::Write::State { key, state },
        of_switch::Write::Ended(ended) => journal::Write::Ended {
            key,
            ended: journal::Ended {
                id_hash: ended.id_hash,
                owner: ended.owner,
                started: system(ended.started),
                ended: system(ended.ended),
                own_phone: ended.own_phone,
                cause: ended.cause,
                record: ended.record,
            },
        },
    }
}

fn system(time: dial::WallTime) -> std::time::SystemTime {
    system_time(i64::try_from(time.since_epoch().as_millis()).unwrap_or(i64::MAX))
}

/// The journal's name for a call.
pub(super) fn row(key: CallKey) -> journal::CallKey {
    journal::CallKey::at(key.0)
}

pub(super) fn leftover(leftover: journal::Leftover, deaths: u32) -> of_switch::Leftover {
    of_switch::Leftover {
        key: CallKey(leftover.key.row()),
        id_hash: leftover.id_hash,
        intent: leftover.intent,
        state: leftover.state,
        deaths,
    }
}

pub(super) fn counted(counted: journal::Counted) -> of_switch::Counted {
    of_switch::Counted {
        key: CallKey(counted.key.row()),
        owner: counted.owner,
        started: wall_time(counted.started),
        ended: wall_time(counted.ended),
        own_phone: counted.own_phone,
        record: counted.record,
    }
}
