//! The one task that owns all calls.
//!
//! It turns what happens (commands, SIP events, the journal's word, the end of a message, time) into one input of one
//! machine, and then does what the machine says, in its order. Nothing here waits: whatever takes time is a task that
//! reports back as a [`Note`].
//!
//! ```text
//! commands   what operations ask for       events     what peers say
//! act        what a machine says           leftovers  what a crash left
//!                                          turns      in which order that is ended
//! ```

mod act;
mod commands;
mod events;
mod leftovers;
mod turns;

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use call::{Local, Save};
use media::Clip;
use sip::{CallIdHeader, Moment, Request, sdp::Codec};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use act::Intent;
use leftovers::Waiting;
use turns::Turns;

use super::{
    Information, Key, PhoneCallId, PlaceError, Settings, UndeliveredId,
    caps::Caps,
    live::{Live, Placed, Settled},
    past::Past,
    place::Order,
    schedule::Schedule,
    sound::{SoundUnavailable, Sounds},
};
use crate::{
    crash_points,
    journal::{Counted, IdHash, Journal, Recovered, TakingUp},
    sip::{Sip, SipEvent},
};

/// Reports of the owner's own tasks that may wait; a further task waits with its own.
const NOTES: usize = 1024;

/// Ended calls that are remembered at most; beyond it the oldest is forgotten early.
const MOST_PAST: usize = 100_000;

/// What operations ask of the owner.
pub(super) enum Command {
    Place(Box<Order>),
    Information {
        owner: [u8; 32],
        id: IdHash,
        reply: oneshot::Sender<Option<Information>>,
    },
    Disconnect {
        owner: [u8; 32],
        id: IdHash,
        reply: oneshot::Sender<Option<watch::Receiver<Settled>>>,
    },
    Live {
        reply: oneshot::Sender<usize>,
    },
    Drain {
        reply: oneshot::Sender<()>,
    },
    EndAll {
        reply: oneshot::Sender<()>,
    },
}

/// What the owner's own tasks report.
pub(super) enum Note {
    Saved {
        key: Key,
        save: Save,
        done: bool,
    },
    Clip {
        key: Key,
        stream: u64,
        codec: Codec,
        clip: Result<Clip, SoundUnavailable>,
    },
    Played {
        key: Key,
        stream: u64,
    },
    /// Nobody showed himself to send to.
    Unheard {
        key: Key,
        stream: u64,
    },
    Acked {
        key: Key,
        request: Box<Request>,
    },
    NeverAcked {
        key: Key,
    },
    /// What calls of earlier servers count for the caps.
    LastDay {
        calls: Vec<Counted>,
        counted: watch::Sender<bool>,
    },
    /// Nobody holds the id of this call, and so nobody else can end it.
    NeverDelivered {
        key: Key,
    },
}

pub(super) struct Owner {
    settings: Settings,
    sip: Sip,
    sounds: Arc<Sounds>,
    journal: Journal,
    live: HashMap<Key, Live>,
    past: BTreeMap<Key, Past>,
    by_id: HashMap<IdHash, Key>,
    by_call_id: HashMap<CallIdHeader, Key>,
    /// What every call holds of them whose phones are not all on-hook.
    caps: Caps,
    schedule: Schedule<Key>,
    notes: mpsc::Sender<Note>,
    notes_in: mpsc::Receiver<Note>,
    started: Instant,
    /// The same moment by the clock on the wall.
    started_at: SystemTime,
    next_request: u64,
    ending: Vec<oneshot::Sender<()>>,
    draining: bool,
    /// Calls of an earlier server that wait for their turn to be ended.
    leftovers: BTreeMap<Key, Waiting>,
    turns: Turns,
    taking_up: TakingUp,
    /// Those that were found at the start, until they are counted.
    uncounted: HashMap<Key, Intent>,
}

impl Owner {
    pub(super) fn new(
        settings: Settings,
        sip: Sip,
        sounds: Arc<Sounds>,
        journal: Journal,
        recovered: Recovered,
    ) -> Self {
        let (notes, notes_in) = mpsc::channel(NOTES);
        let caps = Caps::new(settings.caps, settings.counted.clone());
        let mut owner = Self {
            settings,
            sip,
            sounds,
            journal,
            live: HashMap::new(),
            past: BTreeMap::new(),
            by_id: HashMap::new(),
            by_call_id: HashMap::new(),
            caps,
            schedule: Schedule::default(),
            notes,
            notes_in,
            started: Instant::now(),
            started_at: SystemTime::now(),
            next_request: 0,
            ending: Vec::new(),
            draining: false,
            leftovers: BTreeMap::new(),
            turns: Turns::default(),
            taking_up: recovered.taking_up,
            uncounted: HashMap::new(),
        };
        owner.remember(recovered.leftovers);
        owner
    }

    /// Runs until every handle is gone and no call is left.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut events: mpsc::Receiver<SipEvent>) {
        let mut open = true;
        while open || !self.live.is_empty() {
            self.take_up_leftovers();
            self.tell_when_all_ended();
            let due = self.schedule.next().into_iter();
            let wake = due.chain(self.turns.next(self.settings.limits.t1)).min();
            let wake = wake.map(|due| self.started + due.since_start());
            tokio::select! {
                command = commands.recv(), if open => match command {
                    Some(command) => self.handle_command(command),
                    None => open = false,
                },
                Some(event) = events.recv() => self.handle_event(event),
                Some(note) = self.notes_in.recv() => self.handle_note(note),
                () = sleep_until(wake) => self.handle_time(),
            }
        }
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }

    /// For the caps: not set back, whatever happens to the system's clock meanwhile.
    fn wall_clock(&self) -> SystemTime {
        self.started_at + self.started.elapsed()
    }

    fn handle_note(&mut self, note: Note) {
        let now = self.now();
        match note {
            Note::Saved { key, save, done } => self.handle_saved(key, save, done, now),
            Note::Clip {
                key,
                stream,
                codec,
                clip,
            } => self.handle_clip(key, stream, codec, clip, now),
            Note::Played { key, stream } => {
                self.with(key, |live| {
                    if live.stream == stream {
                        live.call.media_finished(now);
                    }
                });
            }
            Note::Unheard { key, stream } => {
                self.with(key, |live| {
                    if live.stream == stream {
                        live.call.media_failed(now);
                    }
                });
            }
            Note::Acked { key, request } => {
                self.with(key, |live| live.call.handle_ack(&request));
            }
            Note::LastDay { calls, counted } => {
                self.count(&calls);
                let _ = counted.send(true);
            }
            Note::NeverAcked { key } => {
                self.with(key, |live| live.call.handle_never_acked(now));
            }
            Note::NeverDelivered { key } => {
                tracing::info!(call = %key, "whoever ordered the call could not be told its id: it is hung up");
                self.with(key, |live| live.call.disconnect(now));
            }
        }
    }

    fn handle_saved(&mut self, key: Key, save: Save, done: bool, now: Moment) {
        crash_points::after(save);
        let notes = self.notes.clone();
        self.with(key, |live| {
            if save == Save::Intent && live.placed.as_ref().is_some_and(Placed::is_abandoned) {
                tracing::info!(call = %key, "whoever ordered the call is gone: it is not sent");
                live.call.disconnect(now);
            }
            if done {
                live.call.handle_saved(save, now);
            } else {
                live.call.handle_save_failed(save, now);
            }
            match (save, done) {
                (Save::Intent, _) => {
                    if let Some(placed) = live.placed.take() {
                        let _ = placed.reply.send(if done {
                            Ok(undelivered(placed.id, key, notes))
                        } else {
                            Err(PlaceError::NotJournaled)
                        });
                    }
                }
                // What is durable stays so, whatever becomes of later records.
                (Save::Wish | Save::End, _) => live.settled.send_modify(|settled| {
                    settled.durable = Some(done || settled.durable == Some(true));
                }),
                (Save::Answer | Save::Fork(_), _) => {}
            }
        });
    }

    fn handle_time(&mut self) {
        let now = self.now();
        while let Some(key) = self.schedule.take_due(now) {
            match self.live.get(&key) {
                Some(live) if live.may_retire(now, &self.settings.limits) => self.retire(key),
                Some(_) => {
                    self.with(key, |live| live.call.handle_timeout(now));
                }
                None => self.forget(key),
            }
        }
    }

    /// The machine has nothing left to do: only what can be asked about the call is kept.
    fn retire(&mut self, key: Key) {
        let Some(live) = self.live.remove(&key) else { return };
        let call_id = &live.call.record().dialog.call_id;
        self.by_call_id.remove(call_id);
        self.sip.end(call_id);
        self.past.insert(key, Past::of(&live));
        self.schedule
            .set(key, live.ended_at.map(|(at, _)| at + self.settings.ended_retention));
        if self.past.len() > MOST_PAST
            && let Some(oldest) = self.past.keys().next().copied()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(past) = self.past.remove(&key) {
            self.by_id.remove(&past.id);
            self.schedule.set(key, None);
        }
    }

    fn tell_when_all_ended(&mut self) {
        // A leftover that still waits then has no way to its phone: it is left to the next server.
        if !self.ending.is_empty() && self.live.values().all(|live| live.call.is_drained()) {
            for reply in self.ending.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    /// Which call a peer's message is for. A leftover that waits does so no longer.
    fn by_call_id(&mut self, call_id: &CallIdHeader) -> Option<Key> {
        let key = self.by_call_id.get(call_id).copied()?;
        self.take_up_early(key);
        Some(key)
    }

    fn with_call_id(&mut self, call_id: &CallIdHeader, input: impl FnOnce(&mut Live)) -> bool {
        self.by_call_id(call_id).is_some_and(|key| self.with(key, input))
    }

    /// One input, then everything the machine wants done for it. False when there is no such live call.
    fn with(&mut self, key: Key, input: impl FnOnce(&mut Live)) -> bool {
        let Some(live) = self.live.get_mut(&key) else {
            return false;
        };
        input(live);
        self.act(key);
        true
    }
}

/// The id to tell. That it never will be is told to the owner.
fn undelivered(id: PhoneCallId, key: Key, notes: mpsc::Sender<Note>) -> UndeliveredId {
    let (undelivered, is_delivered) = UndeliveredId::new(id);
    tokio::spawn(async move {
        if is_delivered.await.is_err() {
            let _ = notes.send(Note::NeverDelivered { key }).await;
        }
    });
    undelivered
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// The address in our Via, when it is one and not a name.
fn local_ip(local: &Local) -> Option<IpAddr> {
    let sent_by = local.via.rsplit(' ').next()?;
    sent_by
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| sent_by.parse())
        .ok()
}
