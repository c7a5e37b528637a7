//! The calls of this server: one task owns them all.
//!
//! Step 5 in the life of a DisconnectPhoneCall. [`Calls`] is the handle that operations hold; `owner` is the task, the only
//! place where the pure machine of the `call` crate meets sockets, sound and the journal. Operations see
//! [`Information`], never the machine.
//!
//! A call belongs to the key of who placed it: for anyone else it does not exist (promise 7).

mod caps;
mod drive;
mod id;
mod live;
mod owner;
mod past;
mod place;
mod requests;
mod schedule;
mod sound;
mod undelivered_id;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use call::Limits;
use dial::{Capped, CapsSettings, CountedNumbers, Permit};
use sip::sdp::Codec;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    auth::Caller,
    journal::{CallKey as Key, History, IdHash, Journal, Recovered},
    messages::Message,
    net::TlsError,
    panics::vital,
    sip::{Sip, SipEvent},
    store::StoreError,
};
pub(crate) use drive::{Parts, SocketSettings, Sockets};
pub use id::PhoneCallId;
use live::Settled;
use owner::{Command, Owner};
use past::Past;
pub use place::{Srtp, TrunkRoute};
pub use sound::Sounds;
pub use switch::{Information, State};
pub use undelivered_id::UndeliveredId;

/// Commands that may wait for the owner; a further one waits at its sender.
const INBOX: usize = 1024;

/// What the owner is told about how to treat calls.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// How long a disconnect waits for the far end to confirm.
    pub disconnect_wait: Duration,
    /// How long an answer waits for the journal's word.
    pub disk_wait: Duration,
    /// How long an ended call can still be asked about.
    pub ended_retention: Duration,
    /// How many calls, and how often.
    pub caps: CapsSettings,
    /// How numbers are read that some of them count by.
    pub counted: CountedNumbers,
    /// In the order in which they are tried.
    pub trunks: Vec<TrunkRoute>,
    pub branch_key: sip::BranchKey,
}

/// Why no call was placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error(transparent)]
    Capped(#[from] Capped),
    #[error("no trunk is up")]
    NoTrunk,
    /// The message could not be made ready, for a fault of onhook's own.
    #[error("the message could not be made ready")]
    Interrupted,
    /// The message cannot be played.
    #[error("the message cannot be played")]
    NotPlayable(#[source] sound::SoundUnavailable),
    #[error("no RTP port is free")]
    NoPort(#[from] media::PortError),
    /// The intent is not on the disk, so nothing was sent.
    #[error("the journal did not take the call")]
    NotJournaled,
    /// The message was not read in time, or the journal did not take the intent in time. Should it do so later, nothing is
    /// sent all the same.
    #[error("the disk takes too long")]
    NotInTime,
    #[error("the operating system gave no random bytes")]
    NoRandomness(#[from] getrandom::Error),
    /// The server takes no new calls.
    #[error("the server is shutting down")]
    Draining,
}

/// Why a disconnect could not be promised.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectError {
    /// No such call, or not of this caller: both alike (promise 7).
    #[error("no such call")]
    Unknown,
    #[error("whether there is such a call cannot be looked up")]
    Store(#[from] StoreError),
    /// The phone is being hung up, but the journal did not take the wish and the far end has not confirmed: a crash
    /// now would forget it (promise 3).
    #[error("the journal did not take the wish to end")]
    NotJournaled,
    /// The phone is being hung up, or is down already, but the journal has not taken the wish or the end in time.
    #[error("the journal takes too long to take the wish to end")]
    NotInTime,
    #[error("the server is shutting down")]
    Draining,
}

/// The handle to all calls. Cloning is cheap.
#[derive(Clone)]
pub struct Calls {
    owner: Owned,
    sounds: Arc<Sounds>,
    disconnect_wait: Duration,
    disk_wait: Duration,
    ended_retention: Duration,
    /// Calls that the owner does not remember.
    history: History,
    /// What the first trunk is offered first: the message is made ready in it before anything rings.
    likely_codec: Codec,
}

/// Who owns the calls.
#[derive(Clone)]
enum Owned {
    Task {
        inbox: mpsc::Sender<Command>,
        /// What earlier servers' calls count for the caps has been read.
        caps_are_known: watch::Receiver<bool>,
    },
    Switch(drive::SwitchHandle),
}

impl Calls {
    /// Starts the thread that runs the switch. It ends with [`Self::leave`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start_switch(parts: Parts, sounds: Sounds, ended_retention: Duration) -> std::io::Result<Self> {
        let sounds = Arc::new(sounds);
        let first = parts.settings.trunks.first();
        let likely_codec = first.and_then(|trunk| trunk.codecs.first()).copied();
        Ok(Self {
            disconnect_wait: parts.patience.disconnect,
            disk_wait: parts.patience.disk,
            ended_retention,
            history: parts.history.clone(),
            likely_codec: likely_codec.unwrap_or(Codec::Pcmu),
            owner: Owned::Switch(drive::SwitchHandle::start(parts, sounds.clone())?),
            sounds,
        })
    }

    /// Starts the task that owns the calls. It ends when [`Self::end_all`] was called and every handle is gone.
    #[must_use]
    pub fn start(
        settings: Settings,
        sip: Sip,
        events: mpsc::Receiver<SipEvent>,
        sounds: Sounds,
        (journal, history): (Journal, History),
        recovered: Recovered,
    ) -> Self {
        let (inbox, commands) = mpsc::channel(INBOX);
        let (counted, caps_are_known) = watch::channel(false);
        let ended_retention = settings.ended_retention;
        let sounds = Arc::new(sounds);
        let (disconnect_wait, disk_wait) = (settings.disconnect_wait, settings.disk_wait);
        let likely_codec = settings
            .trunks
            .first()
            .and_then(|trunk| trunk.codecs.first())
            .copied()
            .unwrap_or(Codec::Pcmu);
        let owner = Owner::new(settings, sip, Arc::clone(&sounds), journal, recovered);
        owner.read_last_day(history.clone(), counted);
        tokio::spawn(vital("the owner of the calls", owner.run(commands, events)));
        Self {
            owner: Owned::Task { inbox, caps_are_known },
            sounds,
            disconnect_wait,
            disk_wait,
            ended_retention,
            history,
            likely_codec,
        }
    }

    /// Places a call to the permitted number if no cap stands against it (promise 6), and returns once its intent is
    /// durable, which is waited for as long as the disk may take. A call that nobody waits for any more by then is not sent.
    ///
    /// # Errors
    ///
    /// [`PlaceError`]; no INVITE has left or will leave then.
    pub async fn place(&self, permit: Permit, message: Message) -> Result<UndeliveredId, PlaceError> {
        self.sounds.clip(&message, self.likely_codec).await.map_err(|error| {
            if error.is_transient() {
                PlaceError::NotInTime
            } else if error.is_interrupted() {
                PlaceError::Interrupted
            } else {
                PlaceError::NotPlayable(error)
            }
        })?;
        let (inbox, caps_are_known) = match &self.owner {
            Owned::Task { inbox, caps_are_known } => (inbox, caps_are_known),
            Owned::Switch(switch) => return switch.place(permit, message, &self.sounds).await,
        };
        // The calls of the last server count, too; how many there were is still being read for a moment after a start.
        let mut known = caps_are_known.clone();
        let known = timeout(self.disk_wait, known.wait_for(|known| *known));
        known
            .await
            .map_err(|_| PlaceError::NotInTime)?
            .map_err(|_| PlaceError::Draining)?;
        let port = self.sounds.lease_port()?;
        let (reply, placed) = oneshot::channel();
        let order = place::Order {
            permit,
            message,
            port,
            reply,
        };
        inbox
            .send(Command::Place(Box::new(order)))
            .await
            .map_err(|_| PlaceError::Draining)?;
        let placed = timeout(self.disk_wait, placed)
            .await
            .map_err(|_| PlaceError::NotInTime)?;
        placed.map_err(|_| PlaceError::Draining)?
    }

    /// How a call is going; `None` when the caller has no such call.
    ///
    /// # Errors
    /// When the call is none of this server's, and the store cannot be read.
    pub async fn information(&self, caller: &Caller, id: &str) -> Result<Option<Information>, StoreError> {
        let (owner, id) = (caller.key, IdHash::of(id));
        let inbox = match &self.owner {
            Owned::Task { inbox, .. } => inbox,
            Owned::Switch(switch) => match switch.information(&owner, switch::journal::IdHash(id.0)) {
                Some(known) => return Ok(Some(known)),
                None => return Ok(self.past(owner, id).await?.map(|past| past.information)),
            },
        };
        let (reply, answer) = oneshot::channel();
        let command = Command::Information { owner, id, reply };
        if inbox.send(command).await.is_err() {
            return Ok(None);
        }
        match answer.await {
            Ok(None) => Ok(self.past(owner, id).await?.map(|past| past.information)),
            Ok(known) => Ok(known),
            Err(_) => Ok(None),
        }
    }

    /// The caller's call of an earlier server, as long as it can be asked about.
    async fn past(&self, owner: [u8; 32], id: IdHash) -> Result<Option<Past>, StoreError> {
        let ended = self.history.ended(owner, id).await?;
        Ok(ended.and_then(|ended| {
            let age = SystemTime::now().duration_since(ended.ended).unwrap_or_default();
            Past::recovered(&ended).filter(|_| age < self.ended_retention)
        }))
    }

    /// Ends a call. Returns when the far end has confirmed, or after the configured wait; the wish to end, or the end, is
    /// durable before either (promise 3). The hang-up itself waits for nothing. Ending a call that has ended is fine.
    ///
    /// # Errors
    ///
    /// [`DisconnectError`].
    pub async fn disconnect(&self, caller: &Caller, id: &str) -> Result<(), DisconnectError> {
        let (owner, id) = (caller.key, IdHash::of(id));
        let inbox = match &self.owner {
            Owned::Task { inbox, .. } => inbox,
            Owned::Switch(switch) => match switch.disconnect(owner, switch::journal::IdHash(id.0)).await? {
                Some(()) => return Ok(()),
                None if self.past(owner, id).await?.is_some() => return Ok(()),
                None => return Err(DisconnectError::Unknown),
            },
        };
        let (reply, answer) = oneshot::channel();
        let command = Command::Disconnect { owner, id, reply };
        inbox.send(command).await.map_err(|_| DisconnectError::Draining)?;
        match answer.await.map_err(|_| DisconnectError::Draining)? {
            Some(settled) => self.settle(settled).await,
            None if self.past(owner, id).await?.is_some() => Ok(()),
            None => Err(DisconnectError::Unknown),
        }
    }

    async fn settle(&self, mut settled: watch::Receiver<Settled>) -> Result<(), DisconnectError> {
        let limit = Instant::now() + self.disk_wait;
        // Whether it has come to that or not: what counts then is what the journal says.
        let _ = timeout(self.disconnect_wait, settled.wait_for(|settled| settled.ended)).await;
        let settled = timeout_at(limit, settled.wait_for(|settled| settled.durable.is_some()));
        let settled = settled.await.map_err(|_| DisconnectError::NotInTime)?;
        let settled = *settled.map_err(|_| DisconnectError::Draining)?;
        if settled.ended || settled.durable == Some(true) {
            Ok(())
        } else {
            Err(DisconnectError::NotJournaled)
        }
    }

    /// How many calls live now.
    pub async fn live(&self) -> usize {
        let inbox = match &self.owner {
            Owned::Task { inbox, .. } => inbox,
            Owned::Switch(switch) => return switch.live(),
        };
        let (reply, answer) = oneshot::channel();
        if inbox.send(Command::Live { reply }).await.is_err() {
            return 0;
        }
        answer.await.unwrap_or(0)
    }

    /// Takes no new calls from now on, and returns when none lives any more, each having ended by itself.
    pub async fn drain(&self) {
        match &self.owner {
            Owned::Task { inbox, .. } => stop_taking(inbox, |reply| Command::Drain { reply }).await,
            Owned::Switch(switch) => switch.drain().await,
        }
    }

    /// Takes no new calls, ends all that live, and returns when none does.
    pub async fn end_all(&self) {
        match &self.owner {
            Owned::Task { inbox, .. } => stop_taking(inbox, |reply| Command::EndAll { reply }).await,
            Owned::Switch(switch) => switch.end_all().await,
        }
    }

    /// Reads the certificates of SIP again, where they are not the SIP room's.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: what could not be read stays what it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        match &self.owner {
            Owned::Task { .. } => Ok(()),
            Owned::Switch(switch) => switch.reload(),
        }
    }

    /// Withdraws what registrars know of us, and lets go of the sockets. No call may live any more.
    pub async fn leave(&self) {
        if let Owned::Switch(switch) = &self.owner {
            switch.leave().await;
        }
    }
}

async fn stop_taking(inbox: &mpsc::Sender<Command>, command: impl FnOnce(oneshot::Sender<()>) -> Command) {
    let (reply, ended) = oneshot::channel();
    if inbox.send(command(reply)).await.is_ok() {
        let _ = ended.await;
    }
}
