//! What the switch writes down, and what it may find again.
//!
//! To whoever keeps it an intent, a dialog and a record are bytes.

use std::{borrow::Cow, fmt};

use dial::WallTime;
use sha2::{Digest as _, Sha256};

/// A call's row: incarnation of the server << 40 | counter, so that keys ascend over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey(pub i64);

impl CallKey {
    /// Below every call of this incarnation, and above those of earlier ones.
    #[must_use]
    pub fn before(incarnation: i64) -> Self {
        Self(incarnation << 40)
    }

    /// From the process that this call was placed by to that of a later one.
    pub(crate) fn processes_until(self, later: Self) -> u32 {
        u32::try_from((later.0 >> 40) - (self.0 >> 40)).unwrap_or(0)
    }
}

impl fmt::Display for CallKey {
    /// Which incarnation of the server, and which call of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 >> 40, self.0 & ((1 << 40) - 1))
    }
}

/// What a PhoneCallId is looked up by; the id itself is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdHash(pub [u8; 32]);

impl IdHash {
    #[must_use]
    pub fn of(phone_call_id: &str) -> Self {
        Self(Sha256::digest(phone_call_id).into())
    }
}

/// One thing to be written. The word about it comes back under its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: u64,
    pub key: CallKey,
    /// Why it is written.
    pub save: call::Save,
    pub write: Write,
}

/// What becomes of a call's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// A call is going to be placed, and no INVITE leaves before this is durable; or one that has ended has a phone that is up again. It
    /// stands in place of all that was known.
    Intent { id_hash: IdHash, intent: Vec<u8> },
    /// What has become of it, over what was known.
    State(CallState),
    /// It is over: its record, and the rest of it is forgotten.
    Ended(Ended),
}

/// The part of a call that changes while it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallState {
    pub phase: u8,
    /// Whether somebody wants the call to end.
    pub wish: bool,
    pub dialog: Vec<u8>,
}

/// A call detail record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub id_hash: IdHash,
    /// The key of the caller whose call it was.
    pub owner: [u8; 32],
    pub started: WallTime,
    pub ended: WallTime,
    /// Whether it was for a phone of the caller's own.
    pub own_phone: bool,
    /// A short word for statistics.
    pub cause: Cow<'static, str>,
    /// Everything that GetPhoneCallInformation needs later.
    pub record: Vec<u8>,
}

/// A call without an end, as an earlier process left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub key: CallKey,
    pub id_hash: IdHash,
    pub intent: Vec<u8>,
    /// `None` when nothing was heard of it after its intent: its INVITE may or may not have left.
    pub state: Option<CallState>,
    /// In how many starts in a row the process died while it took this call up.
    pub deaths: u32,
}

/// What a call that has ended counts for a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub key: CallKey,
    pub owner: [u8; 32],
    pub started: WallTime,
    pub ended: WallTime,
    pub own_phone: bool,
    /// Of one that ended a short time ago, its record.
    pub record: Option<Vec<u8>>,
}
