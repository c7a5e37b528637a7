//! From an order to a call: which trunk, which names, which numbers.

use std::fmt::Write as _;

use call::{Limits, Local, Placement, Surroundings};
use dial::{Grant, Permit};
use media::RtpPort;
use sip::{
    CallIdHeader, Tag,
    digest::Credentials,
    sdp::{self, LocalMedia, Protection, SrtpKey},
};
use tokio::sync::oneshot;

use super::{PhoneCallId, PlaceError, UndeliveredId};
use crate::messages::Message;

/// A way out, as the calls room sees a trunk.
#[derive(Clone, Debug)]
pub struct TrunkRoute {
    /// Its name in the configuration and in the SIP room.
    pub name: String,
    /// Where INVITEs go: `sip:192.0.2.1:5060;transport=tcp`.
    pub next_hop: String,
    /// Host (and port) of the Request-URI, without scheme and parameters.
    pub domain: String,
    /// `From` without a tag.
    pub from: String,
    /// A proxy that INVITEs go to first, as a loose route.
    pub outbound_proxy: Option<String>,
    /// Answers to the trunk's challenges.
    pub credentials: Option<Credentials>,
    /// Offered in this order; never empty.
    pub codecs: Vec<sdp::Codec>,
    pub srtp: Srtp,
}

/// Whether a trunk's sound is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Srtp {
    Off,
    /// Where the far end can.
    Prefer,
    /// Or no call.
    Require,
}

impl Srtp {
    /// With a key of its own for each call, from the system's randomness.
    pub(super) fn protection(self) -> Result<Option<Protection>, getrandom::Error> {
        if self == Self::Off {
            return Ok(None);
        }
        let mut key = [0; 30];
        getrandom::fill(&mut key)?;
        Ok(Some(Protection {
            key: SrtpKey(key),
            required: self == Self::Require,
        }))
    }
}

/// An order to place a call.
pub(super) struct Order {
    pub(super) permit: Permit,
    pub(super) message: Message,
    pub(super) port: RtpPort,
    pub(super) reply: oneshot::Sender<Result<UndeliveredId, PlaceError>>,
}

/// The random part of a call's names.
pub(super) struct Names {
    pub(super) id: PhoneCallId,
    pub(super) call_id: CallIdHeader,
    pub(super) local_tag: Tag,
    pub(super) session_id: u64,
}

impl Names {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let (call_id, rest) = bytes.split_at(16);
        let (local_tag, session) = rest.split_at(8);
        let session = session.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(Self {
            id: PhoneCallId::random()?,
            call_id: CallIdHeader::new(hex(call_id)),
            local_tag: Tag::new(hex(local_tag)),
            // Some peers read it as a signed number.
            session_id: session >> 1,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl TrunkRoute {
    /// What an INVITE is printed from: there is none without a grant (promise 6).
    pub(super) fn placement(&self, grant: &Grant, names: &Names) -> Placement {
        Placement {
            trunk: self.name.clone(),
            request_uri: grant.number().request_uri(&self.domain),
            from: self.from.clone(),
            routes: self
                .outbound_proxy
                .iter()
                .map(|proxy| format!("<{proxy};lr>"))
                .collect(),
            destination: self.outbound_proxy.as_ref().unwrap_or(&self.next_hop).clone(),
            path: None,
            call_id: names.call_id.clone(),
            local_tag: names.local_tag.clone(),
        }
    }

    pub(super) fn surroundings(
        &self,
        local: Local,
        media: LocalMedia,
        key: &sip::BranchKey,
        limits: Limits,
    ) -> Surroundings {
        Surroundings {
            local,
            media,
            credentials: self.credentials.clone(),
            key: key.clone(),
            limits,
        }
    }
}
