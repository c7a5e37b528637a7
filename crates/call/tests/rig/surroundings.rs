//! What every call of the tests is placed or taken up with; the fuzz targets use it, too.

use std::time::Duration;

use call::{Limits, Local, Sabotage, Surroundings};
use sip::{
    BranchKey,
    digest::Credentials,
    sdp::{Codec, LocalMedia},
};

pub(crate) const T1: Duration = Duration::from_millis(500);
pub(crate) const RING: Duration = Duration::from_secs(30);
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(1800);
pub(crate) const SESSION_EXPIRES: Duration = Duration::from_secs(300);
/// 64·T1, the life of a transaction.
pub(crate) const TRANSACTION: Duration = Duration::from_secs(32);

pub(crate) fn key() -> BranchKey {
    BranchKey::new([7; 32])
}

pub(crate) fn media() -> LocalMedia {
    LocalMedia {
        address: ([192, 0, 2, 1], 30_000).into(),
        session_id: 1,
        version: 1,
        codecs: vec![Codec::G722, Codec::Pcma, Codec::Pcmu],
        protection: None,
    }
}

pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        local: Local {
            via: "SIP/2.0/UDP 192.0.2.1:5060".to_owned(),
            contact: "sip:onhook@192.0.2.1:5060".to_owned(),
            transport: "udp".to_owned(),
        },
        media: media(),
        credentials: Some(Credentials {
            username: "onhook".to_owned(),
            password: "secret".to_owned(),
        }),
        key: key(),
        limits: Limits {
            ring: RING,
            max_duration: MAX_DURATION,
            session_expires: Some(SESSION_EXPIRES),
            t1: T1,
        },
        sabotage: Sabotage::default(),
    }
}
