//! Calls that have ended: what can still be asked about them, and their detail record.

use std::{borrow::Cow, net::IpAddr};

use call::End;
use dial::WallTime;
use serde::{Deserialize, Serialize};

use crate::{
    information::{Information, State},
    journal::{Ended, IdHash},
    live::Live,
    output::cause,
};

/// What is kept of a call whose machine is gone.
pub(crate) struct Past {
    pub(crate) owner: [u8; 32],
    pub(crate) id: IdHash,
    /// Its end is durable, or the far end has confirmed it.
    pub(crate) is_certain: bool,
}

/// The call detail record, as JSON in the store.
#[derive(Serialize, Deserialize)]
pub(crate) struct Detail {
    pub(crate) trunk: String,
    /// Request-URI: whom the call was for.
    pub(crate) to: String,
    /// The client that asked for it, as far as caps count it.
    #[serde(default)]
    pub(crate) from: Option<IpAddr>,
    /// The SIP `Call-ID`, to be found in other people's logs.
    call_id: String,
    rang: bool,
    answered: bool,
    end: End,
    refusal: Option<(u16, String)>,
}

/// The journal's entry for the end of a call.
pub(crate) fn ended(live: &Live, end: &End, now: WallTime) -> Ended {
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

impl Detail {
    /// From the record of an ended call, while it can be read.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        serde_json::from_slice(record).ok()
    }
}

/// What a call that an earlier process ended can be told of; nothing when its record is of a form that this program does not
/// know.
#[must_use]
pub fn information_of(record: &[u8]) -> Option<Information> {
    let detail = Detail::read(record)?;
    Some(Information {
        state: State::Disconnected,
        end: Some(detail.end),
        refusal: detail.refusal,
    })
}
