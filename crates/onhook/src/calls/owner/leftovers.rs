//! What an earlier server left: ids that can still be asked about, and calls whose phones may be off-hook.

use call::{Call, Record, sdp::LocalMedia};

use super::{Live, Owner, Past, act::Intent, local_ip};
use crate::journal::{Leftover, Recovered};

/// Leftovers that are being ended at a time. More at once would overrun the peer, and what it drops is lost time.
const IN_FLIGHT: usize = 128;

impl Owner {
    pub(super) fn remember(&mut self, recovered: Recovered) {
        let forget_at = self.now() + self.settings.ended_retention;
        for (key, ended) in &recovered.ended {
            if let Some(past) = Past::recovered(ended) {
                self.by_id.insert(past.id, *key);
                self.past.insert(*key, past);
                self.schedule.set(*key, Some(forget_at));
            }
        }
        if !recovered.leftovers.is_empty() {
            tracing::warn!(
                calls = recovered.leftovers.len(),
                "calls were up when the last server stopped: hanging up"
            );
        }
        self.leftovers = recovered.leftovers.into();
    }

    /// Ends some of the leftovers; called again whenever a call has ended.
    pub(super) fn take_up_leftovers(&mut self) {
        while self.up.values().sum::<usize>() < IN_FLIGHT
            && let Some(leftover) = self.leftovers.pop_front()
        {
            let key = leftover.key;
            match self.leftover(leftover) {
                Some(live) => {
                    self.admit(key, live);
                    self.act(key);
                }
                None => {
                    tracing::error!(call = %key, "a leftover call cannot be read, or its trunk is gone: its phone may be off-hook")
                }
            }
        }
    }

    /// The machine of a call that an earlier server left, on its way to the end.
    fn leftover(&self, leftover: Leftover) -> Option<Live> {
        let Intent { owner, started, record } = serde_json::from_slice(&leftover.intent).ok()?;
        let record: Record = match leftover.state {
            Some(state) => serde_json::from_slice(&state.dialog).ok()?,
            None => record,
        };
        // A trunk that is no longer configured had a way out; any other may still reach the phone.
        let trunks = &self.settings.trunks;
        let trunk = trunks
            .iter()
            .find(|trunk| trunk.name == record.trunk)
            .or(trunks.first())?;
        let local = self.sip.local(&trunk.name).ok()?;
        // No offer will be made any more.
        let media = LocalMedia {
            address: (local_ip(&local)?, 9).into(),
            session_id: 0,
            version: 1,
            codecs: trunk.codecs.clone(),
        };
        let around = trunk.surroundings(local, media, &self.settings.branch_key, self.settings.limits);
        let call = Call::take_up(record, around, self.now());
        Some(Live::new(owner, leftover.id_hash, call, started))
    }
}
