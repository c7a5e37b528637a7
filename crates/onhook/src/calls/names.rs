//! The names of a new call, from the system's randomness.

use std::fmt::Write as _;

use sip::{CallIdHeader, Tag};

use super::PhoneCallId;

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
