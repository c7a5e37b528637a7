//! Calls that have ended: what can still be asked about them, and their detail record.

use std::{borrow::Cow, net::IpAddr};

use call::{End, EndCause, Wish};
use serde::{Deserialize, Serialize};

use super::{Information, State, live::Live};
use crate::journal::{Ended, IdHash};

/// What is kept of a call whose machine is gone.
pub(super) struct Past {
    pub(super) owner: [u8; 32],
    pub(super) id: IdHash,
    pub(super) information: Information,
}

/// The call detail record, as JSON in the store.
#[derive(Serialize, Deserialize)]
pub(super) struct Detail {
    pub(super) trunk: String,
    /// Request-URI: whom the call was for.
    pub(super) to: String,
    /// The client that asked for it, as far as caps count it.
    #[serde(default)]
    pub(super) from: Option<IpAddr>,
    /// The SIP `Call-ID`, to be found in other people's logs.
    call_id: String,
    rang: bool,
    answered: bool,
    end: End,
    refusal: Option<(u16, String)>,
}

/// The journal's entry for the end of a call.
pub(super) fn ended(live: &Live, end: &End, now: std::time::SystemTime) -> Ended {
    let record = live.call.record();
    let detail = Detail {
        trunk: record.trunk.clone(),
        to: record.request_uri.clone(),
        from: live.address,
        call_id: record.dialog.call_id.to_string(),
        rang: live.call.has_rung(),
        answered: live.call.was_answered(),
        end: end.clone(),
        refusal: live.call.refusal().map(|(status, reason)| (status, reason.to_owned())),
    };
    Ended {
        id_hash: live.id,
        owner: live.owner,
        started: live.started,
        ended: now,
        own_phone: live.own_phone,
        cause: Cow::Borrowed(cause(end)),
        record: serde_json::to_vec(&detail).unwrap_or_default(),
    }
}

impl Past {
    pub(super) fn of(live: &Live) -> Self {
        Self {
            owner: live.owner,
            id: live.id,
            information: Information::of(&live.call),
        }
    }

    /// A call that an earlier server ended; nothing when its record is of a form that this program does not know.
    pub(super) fn recovered(ended: &Ended) -> Option<Self> {
        let detail = Detail::read(&ended.record)?;
        let information = Information {
            state: State::Disconnected,
            end: Some(detail.end),
            refusal: detail.refusal,
        };
        Some(Self {
            owner: ended.owner,
            id: ended.id_hash,
            information,
        })
    }
}

impl Detail {
    /// From the record of an ended call, while it can be read.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(record).ok()
    }
}

/// A short stable name of the cause, for records and logs.
pub(super) fn cause(end: &End) -> &'static str {
    match &end.cause {
        EndCause::Wished(Wish::Hangup) => "hangup",
        EndCause::Wished(Wish::Finished) => "finished",
        EndCause::Wished(Wish::NoAnswer) => "no-answer",
        EndCause::Wished(Wish::MaxDuration) => "max-duration",
        EndCause::Wished(Wish::MediaRefused) => "media-refused",
        EndCause::Wished(Wish::MediaFailed) => "media-failed",
        EndCause::Wished(Wish::NoAck) => "no-ack",
        EndCause::Wished(Wish::SessionExpired) => "session-expired",
        EndCause::Wished(Wish::NotJournaled) | EndCause::NotJournaled => "not-journaled",
        EndCause::Wished(Wish::Drain) => "drain",
        EndCause::RemoteHangup => "remote-hangup",
        EndCause::Rejected { .. } => "rejected",
        EndCause::Wished(Wish::TimedOut) => "timed-out",
        EndCause::Unreachable => "unreachable",
        EndCause::Unauthorized { .. } => "unauthorized",
    }
}
