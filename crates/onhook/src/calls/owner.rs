//! The one task that owns all calls.
//!
//! It turns what happens (commands, SIP events, the journal's word, the end of a message, time) into one input of one
//! machine, and then does what the machine says, in its order. Nothing here waits: whatever takes time is a task that
//! reports back as a [`Note`].

mod act;
mod leftovers;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use call::{Call, CallIdHeader, Local, Moment, Request, Save, Silence};
use media::{Clip, RtpPort};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Information, Key, PhoneCallId, PlaceError, Settings,
    live::{Live, Placed, Settled, Stage},
    past::Past,
    place::{Names, Order},
    requests,
    schedule::Schedule,
    sound::{SoundUnavailable, Sounds},
};
use crate::{
    dial::Grant,
    journal::{IdHash, Journal, Leftover, Recovered},
    messages::Message,
    sip::{Incoming, NoResponse, Sip, SipEvent},
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
        clip: Result<Clip, SoundUnavailable>,
    },
    Played {
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
    /// Calls that have not ended, by owner: what the caps count.
    up: HashMap<[u8; 32], usize>,
    schedule: Schedule<Key>,
    notes: mpsc::Sender<Note>,
    notes_in: mpsc::Receiver<Note>,
    started: Instant,
    next_request: u64,
    ending: Vec<oneshot::Sender<()>>,
    draining: bool,
    /// Calls of an earlier server that still have to be ended.
    leftovers: VecDeque<Leftover>,
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
        let mut owner = Self {
            settings,
            sip,
            sounds,
            journal,
            live: HashMap::new(),
            past: BTreeMap::new(),
            by_id: HashMap::new(),
            by_call_id: HashMap::new(),
            up: HashMap::new(),
            schedule: Schedule::default(),
            notes,
            notes_in,
            started: Instant::now(),
            next_request: 0,
            ending: Vec::new(),
            draining: false,
            leftovers: VecDeque::new(),
        };
        owner.remember(recovered);
        owner.take_up_leftovers();
        owner
    }

    /// Runs until every handle is gone and no call is left.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut events: mpsc::Receiver<SipEvent>) {
        let mut open = true;
        while open || !self.live.is_empty() {
            let wake = self.schedule.next().map(|due| self.started + due.since_start());
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

    fn handle_command(&mut self, command: Command) {
        match command {
            Command::Place(order) => self.place(*order),
            Command::Information { owner, id, reply } => {
                let _ = reply.send(self.information(owner, id));
            }
            Command::Disconnect { owner, id, reply } => {
                let _ = reply.send(self.disconnect(owner, id));
            }
            Command::Live { reply } => {
                let _ = reply.send(self.up.values().sum());
            }
            Command::EndAll { reply } => {
                self.draining = true;
                self.ending.push(reply);
                let now = self.now();
                let keys: Vec<Key> = self.live.keys().copied().collect();
                for key in keys {
                    self.with(key, |live| live.call.drain(now));
                }
                self.tell_when_all_ended();
            }
        }
    }

    fn place(&mut self, order: Order) {
        let Order {
            grant,
            message,
            port,
            reply,
        } = order;
        match self.try_place(&grant, message, port) {
            // The caller hears of it when the intent is durable.
            Ok((key, id)) => {
                if let Some(live) = self.live.get_mut(&key) {
                    live.placed = Some(Placed { id, reply });
                }
                self.act(key);
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    fn try_place(&mut self, grant: &Grant, message: Message, port: RtpPort) -> Result<(Key, PhoneCallId), PlaceError> {
        if self.draining {
            return Err(PlaceError::Draining);
        }
        let up: usize = self.up.values().sum();
        let owner = *grant.owner();
        let own = self.up.get(&owner).copied().unwrap_or(0);
        if up >= self.settings.max_live || own >= self.settings.max_live_per_mailbox {
            return Err(PlaceError::Busy);
        }
        let (trunk, local) = self
            .settings
            .trunks
            .iter()
            .filter(|trunk| self.sip.trunk(&trunk.name).is_some_and(|state| state.is_up()))
            .find_map(|trunk| Some((trunk, self.sip.local(&trunk.name).ok()?)))
            .ok_or(PlaceError::NoTrunk)?;
        let names = Names::random()?;
        let media = self
            .sounds
            .local_media(&port, local_ip(&local), names.session_id, trunk.codecs.clone());
        let around = trunk.surroundings(local, media, &self.settings.branch_key, self.settings.limits);
        let call = Call::place(trunk.placement(grant, &names), around);

        let key = self.journal.next_key();
        tracing::info!(call = %key, sip.call_id = %call.record().dialog.call_id, trunk = trunk.name, number = %grant.number(), "placing a call");
        let live = Live {
            stage: Some(Stage { message, port }),
            ..Live::new(owner, names.id.hash(), call, SystemTime::now())
        };
        self.admit(key, live);
        Ok((key, names.id))
    }

    /// From here on the call can be found, and counts.
    fn admit(&mut self, key: Key, live: Live) {
        self.by_id.insert(live.id, key);
        self.by_call_id.insert(live.call.record().dialog.call_id.clone(), key);
        *self.up.entry(live.owner).or_default() += 1;
        self.live.insert(key, live);
    }

    /// The caller's call; a foreign one is as unknown as one that never was (promise 7).
    fn find(&self, owner: [u8; 32], id: IdHash) -> Option<Key> {
        let key = *self.by_id.get(&id)?;
        let of_live = self.live.get(&key).map(|live| live.owner);
        let of_past = self.past.get(&key).map(|past| past.owner);
        (of_live.or(of_past) == Some(owner)).then_some(key)
    }

    fn information(&self, owner: [u8; 32], id: IdHash) -> Option<Information> {
        let key = self.find(owner, id)?;
        match self.live.get(&key) {
            Some(live) => Some(Information::of(&live.call)),
            None => self.past.get(&key).map(|past| past.information.clone()),
        }
    }

    fn disconnect(&mut self, owner: [u8; 32], id: IdHash) -> Option<watch::Receiver<Settled>> {
        let key = self.find(owner, id)?;
        let now = self.now();
        self.with(key, |live| live.call.disconnect(now));
        match self.live.get(&key) {
            Some(live) => Some(live.settled.subscribe()),
            None => Some(watch::channel(Settled::Ended).1),
        }
    }

    fn handle_event(&mut self, event: SipEvent) {
        let now = self.now();
        match event {
            SipEvent::Response(response) => {
                self.with_call_id(&response.call_id, |live| live.call.handle_response(&response, now));
            }
            SipEvent::NoResponse { call_id, tx, why } => {
                let silence = match why {
                    NoResponse::TimedOut => Silence::TimedOut,
                    NoResponse::Unreachable(why) => {
                        tracing::warn!(sip.call_id = %call_id, %why, "a request could not be sent");
                        Silence::Unreachable
                    }
                };
                self.with_call_id(&call_id, |live| live.call.handle_silence(&tx, silence, now));
            }
            SipEvent::Answer(response) => {
                if !self.with_call_id(&response.call_id, |live| live.call.handle_answer(&response, now)) {
                    self.end_stray(&response);
                }
            }
            SipEvent::Request(incoming) => self.handle_request(incoming),
        }
    }

    /// A 2xx for a call that nobody remembers: a phone is off-hook, and only we can know.
    fn end_stray(&self, response: &call::Response) {
        let Some(local) = self
            .settings
            .trunks
            .iter()
            .find_map(|trunk| self.sip.local(&trunk.name).ok())
        else {
            return;
        };
        if let Some(messages) = call::end_stray(response, &local, &self.settings.branch_key) {
            tracing::warn!(sip.call_id = %response.call_id, "ended a call that was answered after it was forgotten");
            self.sip.send(&response.call_id, messages.into());
        }
    }

    fn handle_request(&mut self, incoming: Incoming) {
        let owned = self
            .by_call_id
            .get(&incoming.request.call_id)
            .copied()
            .filter(|key| self.live.get(key).is_some_and(|live| live.call.owns(&incoming.request)));
        let Some(key) = owned else {
            return requests::answer_stranger(&incoming);
        };
        self.next_request += 1;
        let id = self.next_request;
        self.with(key, |live| {
            let request = incoming.request.clone();
            live.requests.insert(id, incoming);
            live.call.handle_request(id, &request);
        });
    }

    fn handle_note(&mut self, note: Note) {
        let now = self.now();
        match note {
            Note::Saved { key, save, done } => self.handle_saved(key, save, done, now),
            Note::Clip { key, stream, clip } => self.handle_clip(key, stream, clip, now),
            Note::Played { key, stream } => {
                self.with(key, |live| {
                    if live.stream == stream {
                        live.call.media_finished(now);
                    }
                });
            }
            Note::Acked { key, request } => {
                self.with(key, |live| live.call.handle_ack(&request));
            }
            Note::NeverAcked { key } => {
                self.with(key, |live| live.call.handle_never_acked(now));
            }
        }
    }

    fn handle_saved(&mut self, key: Key, save: Save, done: bool, now: Moment) {
        self.with(key, |live| {
            if done {
                live.call.handle_saved(save, now);
            } else {
                live.call.handle_save_failed(save, now);
            }
            match (save, done) {
                (Save::Intent, _) => {
                    if let Some(placed) = live.placed.take() {
                        let _ = placed.reply.send(if done {
                            Ok(placed.id)
                        } else {
                            Err(PlaceError::NotJournaled)
                        });
                    }
                }
                (Save::Wish, true) => live.settle(Settled::Wished),
                (Save::Wish, false) => live.settle(Settled::WishLost),
                (Save::Answer | Save::End, _) => {}
            }
        });
    }

    fn handle_time(&mut self) {
        let now = self.now();
        while let Some(key) = self.schedule.take_due(now) {
            match self.live.get(&key) {
                Some(live) if live.may_retire(now) => self.retire(key),
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
        self.by_call_id.remove(&live.call.record().dialog.call_id);
        self.past.insert(key, Past::of(&live));
        self.schedule.set(key, Some(self.now() + self.settings.ended_retention));
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
        if self.up.is_empty() {
            for reply in self.ending.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    fn with_call_id(&mut self, call_id: &CallIdHeader, input: impl FnOnce(&mut Live)) -> bool {
        self.by_call_id
            .get(call_id)
            .copied()
            .is_some_and(|key| self.with(key, input))
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
