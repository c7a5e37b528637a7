//! Names that peers must not guess, without a random source: each is made from the secret of this process and a counter of
//! its own, so that a name more of one kind changes no other.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::settings::Identity;

pub(crate) struct Names {
    secret: [u8; 32],
    tags: u64,
}

impl Names {
    pub(crate) fn new(identity: &Identity) -> Self {
        Self {
            secret: identity.secret,
            tags: 0,
        }
    }

    /// 96 bits as text: the same for the same purpose and number.
    pub(crate) fn of(&self, purpose: &str, number: u64) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.mac(purpose, number)[..12])
    }

    /// A hash that nothing can be looked up by.
    pub(crate) fn unknown_id(&self, number: u64) -> [u8; 32] {
        self.mac("id", number)
    }

    /// A To tag of ours.
    pub(crate) fn tag(&mut self) -> sip::Tag {
        self.tags += 1;
        sip::Tag::new(self.of("tag", self.tags))
    }

    fn mac(&self, purpose: &str, number: u64) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any key length is valid");
        mac.update(purpose.as_bytes());
        mac.update(&number.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}
