//! What an earlier server left: ids that can still be asked about, and calls whose phones may be off-hook.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use call::{Call, Record, Surroundings};
use dial::{Hold, Started, WHOM_MATTERS, Whom};
use sip::{Response, sdp::LocalMedia};
use tokio::{sync::watch, time::sleep};

use super::{
    Key, Live, Note, Owner,
    act::{Intent, is_answered},
    local_ip,
    turns::Turn,
};
use crate::{
    calls::{PhoneCallId, TrunkRoute, live::Row, past::Detail},
    crash_points,
    gate::wall_time,
    journal::{Counted, History, Leftover},
    panics::vital,
};

/// When to look again for a way to a phone.
const RETRY: Duration = Duration::from_secs(1);

/// Why a leftover is not being ended.
enum Stuck {
    /// We have no address towards its trunk: a name that cannot be looked up yet, say.
    ForNow,
    /// Its record cannot be read, or there is no trunk at all.
    ForGood,
}

/// A call of an earlier server that waits for its turn.
pub(super) struct Waiting {
    leftover: Leftover,
    /// What of it was written first, and the place that it holds; nothing when that cannot be read.
    known: Option<(Intent, Hold)>,
}

impl Waiting {
    /// Whose call it is.
    pub(super) fn owner(&self) -> Option<[u8; 32]> {
        self.known.as_ref().map(|(intent, _)| intent.owner)
    }

    fn is_up(&self) -> bool {
        self.leftover.state.as_ref().is_some_and(is_answered)
    }
}

/// Whose call it is that nobody remembers.
const NOBODY: [u8; 32] = [0; 32];

impl Owner {
    /// From here on every call that is known can be asked about.
    pub(super) fn remember(&mut self, leftovers: Vec<Leftover>) {
        let intents = leftovers.iter().filter_map(|leftover| {
            let intent: Intent = serde_json::from_slice(&leftover.intent).ok()?;
            Some((leftover.key, intent))
        });
        let mut intents: HashMap<Key, Intent> = intents.collect();
        self.uncounted.clone_from(&intents);
        if !leftovers.is_empty() {
            tracing::warn!(
                calls = leftovers.len(),
                "calls were up when the last server stopped: hanging up"
            );
        }
        let longest = self.longest();
        for leftover in leftovers {
            let key = leftover.key;
            if Turn::after(self.taking_up.deaths(key)) == Turn::Never {
                tracing::error!(call = %key, file = %self.taking_up.path().display(),
                    "three starts in a row died when this call was taken up: it is left alone, and its phone may be off-hook; with a newer onhook, remove the file to have it tried again");
                continue;
            }
            self.by_id.insert(leftover.id_hash, key);
            let known = intents.remove(&key).map(|intent| {
                let Record { trunk, dialog, .. } = &intent.record;
                // A phone that speaks before the turn of its call has come is listened to, and not taken for a stranger's.
                self.sip.begin(&dialog.call_id, trunk);
                self.by_call_id.insert(dialog.call_id.clone(), key);
                let hold = self
                    .caps
                    .hold(intent.owner, trunk, intent.started, longest, intent.own_phone);
                (intent, hold)
            });
            self.leftovers.insert(key, Waiting { leftover, known });
        }
        let (up, others): (Vec<_>, Vec<_>) = self.leftovers.iter().partition(|(_, waiting)| waiting.is_up());
        // Of the others the newest may still ring; who rang long ago does no more.
        for (key, _) in up.into_iter().chain(others.into_iter().rev()) {
            self.turns.add(*key, Turn::after(self.taking_up.deaths(*key)));
        }
    }

    /// Has read what calls of the last day count, and goes on with that. Until then no new call begins, and nothing else waits:
    /// a call that a crash left is not in the way of its own end.
    pub(in crate::calls) fn read_last_day(&self, history: History, counted: watch::Sender<bool>) {
        let notes = self.notes.clone();
        tokio::spawn(vital("what reads the calls of the last day", async move {
            let calls = loop {
                match history.last_day(WHOM_MATTERS).await {
                    Ok(calls) => break calls,
                    Err(error) => {
                        tracing::error!(%error, "the calls of the last day cannot be read: no new call is taken until they are");
                        sleep(RETRY).await;
                    }
                }
            };
            let _ = notes.send(Note::LastDay { calls, counted }).await;
        }));
    }

    /// The caps go on counting where the last server stopped.
    pub(super) fn count(&mut self, last_day: &[Counted]) {
        let uncounted = std::mem::take(&mut self.uncounted);
        let up = uncounted.values().map(|intent| Started {
            mailbox: intent.owner,
            at: wall_time(intent.started),
            ended: None,
            own_phone: intent.own_phone,
            whom: Some(Whom {
                request_uri: &intent.record.request_uri,
                trunk: &intent.record.trunk,
                address: intent.address,
            }),
        });
        // One that was up at the start and has ended since is one call; so is one that had ended, and was answered once more.
        let over = last_day.iter().filter(|counted| !uncounted.contains_key(&counted.key));
        let details: HashMap<Key, Detail> = over
            .clone()
            .filter_map(|counted| Some((counted.key, Detail::read(counted.record.as_ref()?)?)))
            .collect();
        let longest = self.longest();
        let over = over.map(|counted| Started {
            mailbox: counted.owner,
            at: wall_time(counted.started),
            // One that a crash left ended when somebody was there to end it.
            ended: Some(wall_time(counted.ended.min(counted.started + longest))),
            own_phone: counted.own_phone,
            whom: details.get(&counted.key).map(|detail| Whom {
                request_uri: &detail.to,
                trunk: &detail.trunk,
                address: detail.from,
            }),
        });
        let mut calls: Vec<Started<'_>> = over.chain(up).collect();
        calls.sort_by_key(|call| call.at);
        let now = self.wall_clock();
        for call in calls {
            self.caps.remember(call, now);
        }
    }

    /// No call lasts longer, from its INVITE on.
    pub(super) fn longest(&self) -> Duration {
        let limits = &self.settings.limits;
        limits.ring + limits.max_duration
    }

    /// Ends leftovers, as many at a time as may be.
    pub(super) fn take_up_leftovers(&mut self) {
        loop {
            let is_up = |key| self.live.get(&key).is_some_and(|live| !live.call.is_drained());
            let last = self.turns.last_of_all();
            let batch = self.turns.take(self.settings.limits.t1, self.now(), is_up);
            if batch.is_empty() {
                return;
            }
            if batch.first() == last.as_ref() {
                tracing::error!(call = %batch[0], "two starts in a row died when this call was taken up: it is taken up last, now");
            }
            self.taking_up.begin(&batch);
            let stuck = batch.iter().position(|key| {
                self.take_up(*key);
                self.leftovers.contains_key(key)
            });
            self.taking_up.done(&batch);
            if let Some(stuck) = stuck {
                return self.turns.again(batch[stuck..].iter().copied());
            }
        }
    }

    /// Ends this call now if it is a leftover that waits: its phone speaks, or somebody asks about it. Of what the last two
    /// starts died, its turn comes when all others are down.
    pub(super) fn take_up_early(&mut self, key: Key) {
        if self.leftovers.contains_key(&key) && !self.turns.comes_last(key) {
            self.taking_up.begin(&[key]);
            self.take_up(key);
            self.taking_up.done(&[key]);
        }
    }

    /// Ends this call if it is a leftover that waits.
    fn take_up(&mut self, key: Key) {
        let Some(Waiting { leftover, known }) = self.leftovers.remove(&key) else {
            return;
        };
        crash_points::taking_up(&key);
        let call = match &known {
            Some((intent, _)) => self.leftover(&leftover, intent),
            None => Err(Stuck::ForGood),
        };
        match (call, known) {
            (Ok(call), Some((intent, hold))) => {
                self.turns.begun(key, self.now());
                let live = Live {
                    row: Row::Open,
                    address: intent.address,
                    own_phone: intent.own_phone,
                    hold: Some(hold),
                    ..Live::new(intent.owner, leftover.id_hash, call, intent.started)
                };
                self.admit(key, live);
                self.act(key);
            }
            (Err(Stuck::ForNow), known) => {
                self.leftovers.insert(key, Waiting { leftover, known });
                self.schedule.set(key, Some(self.now() + RETRY));
            }
            (_, known) => {
                tracing::error!(call = %key, "a leftover call cannot be read, or there is no trunk: its phone may be off-hook");
                self.by_id.remove(&leftover.id_hash);
                if let Some((intent, hold)) = known {
                    let call_id = &intent.record.dialog.call_id;
                    self.by_call_id.remove(call_id);
                    self.sip.end(call_id);
                    self.caps.give_back(hold, self.wall_clock());
                }
            }
        }
    }

    /// The machine of a call that an earlier server left, on its way to the end.
    fn leftover(&self, leftover: &Leftover, intent: &Intent) -> Result<Call, Stuck> {
        let record: Record = match &leftover.state {
            Some(state) => serde_json::from_slice(&state.dialog).map_err(|_| Stuck::ForGood)?,
            None => intent.record.clone(),
        };
        // A newer program wrote it: what it says may not be what is read here.
        if record.version > call::RECORD_VERSION {
            return Err(Stuck::ForGood);
        }
        // A trunk that is no longer configured had a way out; any other may still reach the phone.
        let trunks = &self.settings.trunks;
        let trunk = trunks
            .iter()
            .find(|trunk| trunk.name == record.trunk)
            .or(trunks.first())
            .ok_or(Stuck::ForGood)?;
        let around = self.around(trunk).ok_or(Stuck::ForNow)?;
        Ok(Call::take_up(record, around, self.now()))
    }

    /// A 2xx for a call that nobody remembers: a phone is off-hook, and only we can know. It is ended as a leftover is.
    ///
    /// With too many under way it waits: the phone repeats its 2xx until it is ACKed.
    pub(super) fn end_stray(&mut self, response: &Response) {
        if self.turns.is_full() {
            return;
        }
        let Some((key, live)) = self.stray(response) else {
            return;
        };
        tracing::warn!(call = %key, sip.call_id = %response.call_id, "a call was answered after it was forgotten: hanging up");
        self.turns.begun(key, self.now());
        self.admit(key, live);
        self.act(key);
    }

    fn stray(&self, response: &Response) -> Option<(Key, Live)> {
        let trunks = self.settings.trunks.iter();
        let (trunk, around) = trunks.clone().find_map(|trunk| Some((trunk, self.around(trunk)?)))?;
        let call = Call::stray(response, trunk.name.clone(), around)?;
        let id = PhoneCallId::random().ok()?.hash();
        Some((self.journal.next_key(), Live::new(NOBODY, id, call, SystemTime::now())))
    }

    /// What a call is ended with.
    fn around(&self, trunk: &TrunkRoute) -> Option<Surroundings> {
        let local = self.sip.local(&trunk.name).ok()?;
        // No offer will be made any more.
        let media = LocalMedia {
            address: (local_ip(&local)?, 9).into(),
            session_id: 0,
            version: 1,
            codecs: trunk.codecs.clone(),
            protection: None,
        };
        Some(trunk.surroundings(local, media, &self.settings.branch_key, self.settings.limits))
    }
}
