//! The thread that runs the switch, and what stands around it.
//!
//! ```text
//! mod      what operations reach it by        thread   the whole I/O of the core on one screen
//! inbox    what others hand in                telling  events of the switch, for the log and for metrics
//! sounds   what is played for which call      admitted who may open a connection to us
//! sockets  opened before anything begins
//! ```

mod admitted;
mod inbox;
mod sockets;
mod sounds;
mod telling;
mod thread;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dial::Permit;
use media::PortError;
use switch::{Answer, DisconnectRefusal, Known, Order, Patience, PlaceRefusal, journal::IdHash};
use tokio::sync::{oneshot, watch};

use super::{DisconnectError, Information, PlaceError, Sounds, UndeliveredId, names::Names};
use crate::{
    journal::{History, Journal, Recovered},
    messages::Message,
    net::{Streams, TlsError},
};
use inbox::{Command, Commands};
pub(crate) use sockets::{SocketSettings, Sockets};

/// What everybody may look at without asking the thread.
#[derive(Default)]
pub(in crate::calls) struct Snapshot {
    calls: RwLock<HashMap<IdHash, Known>>,
    live: AtomicUsize,
    /// No new call is taken, from before the switch has heard of it.
    takes_none: AtomicBool,
}

impl Snapshot {
    fn set(&self, id: IdHash, known: Option<Known>) {
        let mut calls = self.calls.write().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(known) => drop(calls.insert(id, known)),
            None => drop(calls.remove(&id)),
        }
    }

    /// What may be told to this caller.
    fn of(&self, owner: &[u8; 32], id: IdHash) -> Option<Information> {
        let calls = self.calls.read().unwrap_or_else(PoisonError::into_inner);
        let known = calls.get(&id).filter(|known| known.owner == *owner)?;
        Some(known.information.clone())
    }
}

/// The handle. Cloning is cheap.
#[derive(Clone)]
pub(in crate::calls) struct SwitchHandle {
    commands: Commands,
    /// Closed when the thread has ended and its sockets are free.
    ended: watch::Receiver<()>,
    snapshot: Arc<Snapshot>,
    patience: Patience,
    streams: Streams,
    /// What earlier servers' calls count for the caps has been read.
    caps_are_known: watch::Receiver<bool>,
}

/// What the thread is started with.
pub(crate) struct Parts {
    pub(crate) settings: switch::Settings,
    pub(crate) patience: Patience,
    pub(crate) sockets: Sockets,
    pub(crate) journal: Journal,
    pub(crate) history: History,
    pub(crate) recovered: Recovered,
}

impl SwitchHandle {
    /// Starts the thread. It ends with [`Self::leave`], or when every handle is gone and no call is left.
    pub(in crate::calls) fn start(parts: Parts, sounds: Arc<Sounds>) -> std::io::Result<Self> {
        let (counted, caps_are_known) = watch::channel(false);
        let snapshot = Arc::new(Snapshot::default());
        let (commands, reports, handed_in) = inbox::open(parts.sockets.wake.clone());
        let (patience, streams) = (parts.patience, parts.sockets.streams.clone());
        let ended = thread::start(parts, handed_in, reports, snapshot.clone(), sounds, counted)?;
        Ok(Self {
            commands,
            ended,
            snapshot,
            patience,
            streams,
            caps_are_known,
        })
    }

    /// Places a call, and returns once its intent is durable.
    pub(in crate::calls) async fn place(
        &self,
        permit: Permit,
        message: Message,
        sounds: &Sounds,
    ) -> Result<UndeliveredId, PlaceError> {
        if self.snapshot.takes_none.load(Ordering::Acquire) {
            return Err(PlaceError::Draining);
        }
        // The calls of the last server count, too; how many there were is still being read for a moment after a start.
        let mut known = self.caps_are_known.clone();
        let known = tokio::time::timeout(self.patience.disk, known.wait_for(|known| *known));
        known
            .await
            .map_err(|_| PlaceError::NotInTime)?
            .map_err(|_| PlaceError::Draining)?;
        // Which of them the call will be heard at is known when its trunk is.
        let (ports, failure) = sounds.lease_ports();
        if ports.is_empty()
            && let Some(failure) = failure
        {
            return Err(failure.into());
        }
        let names = Names::random()?;
        let mut key = [0; 30];
        getrandom::fill(&mut key)?;
        let order = Order {
            permit,
            id: IdHash::of(names.id.as_str()),
            call_id: names.call_id,
            local_tag: names.local_tag,
            session_id: names.session_id,
            srtp_key: sip::sdp::SrtpKey(key),
            rtp: ports.iter().map(|port| sounds.announced_address(port)).collect(),
        };
        let (reply, placed) = oneshot::channel();
        let command = Command::Place {
            order: Box::new(order),
            sound: Box::new(sounds::Ordered { message, ports, key }),
            reply,
        };
        self.commands.send(command).await.map_err(|_| PlaceError::Draining)?;
        match placed.await.map_err(|_| PlaceError::Draining)? {
            Ok(key) => Ok(undelivered(names.id, key, self.commands.clone())),
            Err(refusal) => Err(of_refusal(refusal, failure)),
        }
    }

    pub(in crate::calls) fn information(&self, owner: &[u8; 32], id: IdHash) -> Option<Information> {
        self.snapshot.of(owner, id)
    }

    /// Ends a call; `None` when it is not known here.
    pub(in crate::calls) async fn disconnect(
        &self,
        owner: [u8; 32],
        id: IdHash,
    ) -> Result<Option<()>, DisconnectError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Disconnect { owner, id, reply };
        self.commands
            .send(command)
            .await
            .map_err(|_| DisconnectError::Draining)?;
        match answer.await.map_err(|_| DisconnectError::Draining)? {
            Answer::NotDisconnected(DisconnectRefusal::Unknown) => Ok(None),
            Answer::NotDisconnected(DisconnectRefusal::NotJournaled) => Err(DisconnectError::NotJournaled),
            Answer::NotDisconnected(DisconnectRefusal::NotInTime) => Err(DisconnectError::NotInTime),
            _ => Ok(Some(())),
        }
    }

    /// How many calls hold a place.
    pub(in crate::calls) fn live(&self) -> usize {
        self.snapshot.live.load(Ordering::Relaxed)
    }

    /// From now on no new call is taken.
    pub(in crate::calls) fn take_none(&self) {
        self.snapshot.takes_none.store(true, Ordering::Release);
    }

    pub(in crate::calls) async fn drain(&self) {
        self.wait_for(|reply| Command::Drain { reply }).await;
    }

    pub(in crate::calls) async fn end_all(&self) {
        self.wait_for(|reply| Command::EndAll { reply }).await;
    }

    /// Withdraws what registrars know of us, and lets the thread end. No call may live any more.
    pub(in crate::calls) async fn leave(&self) {
        self.wait_for(|reply| Command::Leave { reply }).await;
        self.streams.stop().await;
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Reads certificates, keys and roots again, for connections from now on.
    pub(in crate::calls) fn reload(&self) -> Result<(), TlsError> {
        self.streams.reload()
    }

    async fn wait_for(&self, command: impl FnOnce(oneshot::Sender<Answer>) -> Command) {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(command(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }
}

/// The id to tell. That it never will be is told to the switch.
fn undelivered(id: super::PhoneCallId, key: switch::journal::CallKey, commands: Commands) -> UndeliveredId {
    let (undelivered, is_delivered) = UndeliveredId::new(id);
    tokio::spawn(async move {
        if is_delivered.await.is_err() {
            let _ = commands.send(Command::NeverDelivered(key)).await;
        }
    });
    undelivered
}

/// `no_port`: why a port that would have been needed is not there.
fn of_refusal(refusal: PlaceRefusal, no_port: Option<PortError>) -> PlaceError {
    match refusal {
        PlaceRefusal::Capped(capped) => PlaceError::Capped(capped),
        PlaceRefusal::NoPort => no_port.map_or(PlaceError::NoTrunk, PlaceError::NoPort),
        PlaceRefusal::NoTrunk => PlaceError::NoTrunk,
        PlaceRefusal::NotJournaled => PlaceError::NotJournaled,
        PlaceRefusal::NotInTime => PlaceError::NotInTime,
        PlaceRefusal::Draining => PlaceError::Draining,
    }
}

/// When to look again after something could not be read.
const AGAIN: Duration = Duration::from_secs(1);
