//! A crash: what the disk has taken is left to the next process.

use std::collections::BTreeMap;

use switch::{
    Identity, Settings,
    journal::{CallKey, Entry, Leftover, Write},
};

use super::Rig;

impl Rig {
    /// What a crash now would leave, as far as the disk has taken it.
    pub(crate) fn leftovers(&self) -> Vec<Leftover> {
        let waiting = |entry: &Entry| self.entries.iter().any(|other| other.number == entry.number);
        let mut left: BTreeMap<CallKey, Leftover> = BTreeMap::new();
        for entry in self.written.iter().filter(|entry| !waiting(entry)) {
            match &entry.write {
                Write::Intent { id_hash, intent } => {
                    let leftover = Leftover {
                        key: entry.key,
                        id_hash: *id_hash,
                        intent: intent.clone(),
                        state: None,
                        deaths: 0,
                    };
                    left.insert(entry.key, leftover);
                }
                Write::State(state) => {
                    if let Some(leftover) = left.get_mut(&entry.key) {
                        leftover.state = Some(state.clone());
                    }
                }
                Write::Ended(_) => {
                    left.remove(&entry.key);
                }
            }
        }
        left.into_values().collect()
    }

    /// The next process, which finds what this one has left.
    pub(crate) fn crash(&self, settings: Settings) -> Self {
        let mut next = Self::with(next_process(settings));
        let leftovers = self.leftovers();
        next.turn(|switch| switch.end_leftovers(leftovers));
        next
    }
}

pub(crate) fn next_process(settings: Settings) -> Settings {
    let identity = Identity {
        before: CallKey::before(2),
        secret: [10; 32],
        ..settings.identity
    };
    Settings { identity, ..settings }
}
