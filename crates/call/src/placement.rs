//! What a call is made of and with.

use std::time::Duration;

use sabotage::Sabotage;
use sip::{BranchKey, CallIdHeader, Path, Tag, digest::Credentials, sdp::LocalMedia};

use crate::dialog::Local;

/// Everything a new call is made of. Randomness comes from the caller (promise 1).
#[derive(Clone, Debug)]
pub struct Placement {
    /// Name of the trunk, for the record.
    pub trunk: String,
    /// Whom to ring: the Request-URI and the `To`.
    pub request_uri: String,
    /// `From` without a tag, such as `<sip:onhook@example.org>`.
    pub from: String,
    /// `Route` values to load before any answer: an outbound proxy (RFC 3261 §8.1.1.1).
    pub routes: Vec<String>,
    /// The SIP URI where the INVITE is sent.
    pub destination: String,
    /// The way it takes, if that is known already: a CANCEL goes the same, after a crash, too (RFC 3261 §9.1).
    pub path: Option<Path>,
    /// Globally unique.
    pub call_id: CallIdHeader,
    /// At least 32 random bits (RFC 3261 §19.3).
    pub local_tag: Tag,
}

/// What the machine needs besides the record; given again to [`Call::take_up`](crate::Call::take_up).
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub local: Local,
    pub media: LocalMedia,
    pub credentials: Option<Credentials>,
    pub key: BranchKey,
    pub limits: Limits,
    /// Nothing, but in the simulation.
    pub sabotage: Sabotage,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From INVITE to answer.
    pub ring: Duration,
    /// From answer to our BYE.
    pub max_duration: Duration,
    /// The session interval to ask for (RFC 4028), at least 90 s; `None` for no session timers.
    pub session_expires: Option<Duration>,
    /// SIP's T1 (RFC 3261 §17.1.1.1): a transaction lasts 64 of them.
    pub t1: Duration,
}

impl Limits {
    /// How long a transaction tries (Timer B and F, RFC 3261 App. A).
    #[must_use]
    pub fn transaction(&self) -> Duration {
        self.t1 * 64
    }

    /// When a transaction must have come to its end: a little later, because the peer may start counting later.
    pub(crate) fn patience(&self) -> Duration {
        self.transaction() + self.t1 * 4
    }
}
