//! The calls of this server.
//!
//! Step 5 in the life of a DisconnectPhoneCall. [`Calls`] is the handle that operations hold; `drive` is the thread that runs the pure
//! [`switch::Switch`], the only place where it meets sockets, sound and the journal. Operations see [`Information`], never a call's machine.
//!
//! A call belongs to the key of who placed it: for anyone else it does not exist (promise 7).

mod drive;
mod id;
mod names;
mod sound;
mod undelivered_id;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use dial::{Capped, Permit, WallTime};
use sip::sdp::Codec;
use switch::journal::IdHash;

use crate::{auth::Caller, journal::History, messages::Message, net::TlsError, store::StoreError};
use drive::SwitchHandle;
pub(crate) use drive::{Parts, SocketSettings, Sockets};
pub use id::PhoneCallId;
pub use sound::Sounds;
pub use switch::{Information, State};
pub use undelivered_id::UndeliveredId;

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
    switch: SwitchHandle,
    sounds: Arc<Sounds>,
    ended_retention: Duration,
    /// Calls that the switch does not remember.
    history: History,
    /// What the first trunk is offered first: the message is made ready in it before anything rings.
    likely_codec: Codec,
}

impl Calls {
    /// Starts the thread that runs the switch. It ends with [`Self::leave`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(parts: Parts, sounds: Sounds, ended_retention: Duration) -> std::io::Result<Self> {
        let sounds = Arc::new(sounds);
        let first = parts.settings.trunks.first();
        let likely_codec = first.and_then(|trunk| trunk.codecs.first()).copied();
        Ok(Self {
            ended_retention,
            history: parts.history.clone(),
            likely_codec: likely_codec.unwrap_or(Codec::Pcmu),
            switch: SwitchHandle::start(parts, sounds.clone())?,
            sounds,
        })
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
        self.switch.place(permit, message, &self.sounds).await
    }

    /// How a call is going; `None` when the caller has no such call.
    ///
    /// # Errors
    /// When the call is none of this server's, and the store cannot be read.
    pub async fn information(&self, caller: &Caller, id: &str) -> Result<Option<Information>, StoreError> {
        match self.switch.information(&caller.key, IdHash::of(id)) {
            Some(known) => Ok(Some(known)),
            None => self.past(caller, id).await,
        }
    }

    /// The caller's call of an earlier server, as long as it can be asked about.
    async fn past(&self, caller: &Caller, id: &str) -> Result<Option<Information>, StoreError> {
        let ended = self.history.ended(caller.key, IdHash::of(id)).await?;
        Ok(ended.and_then(|ended| {
            let age = wall_clock().since(ended.ended);
            switch::information_of(&ended.record).filter(|_| age < self.ended_retention)
        }))
    }

    /// Ends a call. Returns when the far end has confirmed, or after the configured wait; the wish to end, or the end, is
    /// durable before either (promise 3). The hang-up itself waits for nothing. Ending a call that has ended is fine.
    ///
    /// # Errors
    ///
    /// [`DisconnectError`].
    pub async fn disconnect(&self, caller: &Caller, id: &str) -> Result<(), DisconnectError> {
        match self.switch.disconnect(caller.key, IdHash::of(id)).await? {
            Some(()) => Ok(()),
            None if self.past(caller, id).await?.is_some() => Ok(()),
            None => Err(DisconnectError::Unknown),
        }
    }

    /// How many calls live now.
    #[must_use]
    pub fn live(&self) -> usize {
        self.switch.live()
    }

    /// Takes no new calls from now on.
    pub fn take_none(&self) {
        self.switch.take_none();
    }

    /// Takes no new calls from now on, and returns when none lives any more, each having ended by itself.
    pub async fn drain(&self) {
        self.switch.drain().await;
    }

    /// Takes no new calls, ends all that live, and returns when none does.
    pub async fn end_all(&self) {
        self.switch.end_all().await;
    }

    /// Reads the certificates of SIP again, for connections from now on.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: what could not be read stays what it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.switch.reload()
    }

    /// Withdraws what registrars know of us, and lets go of the sockets. No call may live any more.
    pub async fn leave(&self) {
        self.switch.leave().await;
    }
}

/// What time it is by the system's clock.
fn wall_clock() -> WallTime {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallTime::after_epoch(since_1970.unwrap_or_default())
}
