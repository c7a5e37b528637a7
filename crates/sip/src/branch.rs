//! Branches that can be recognised as ours without remembering them.
//!
//! A 2xx whose call nobody remembers must be ACKed and BYEd, or a phone stays up. Doing so for any 2xx would let a
//! forger aim our requests at third parties. So a branch is a MAC over what the response itself carries, under a key
//! that outlives the process.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    fields::{Branch, CSeq, CallIdHeader, Tag},
    method::Method,
};

/// The magic cookie of RFC 3261 §8.1.1.7.
const COOKIE: &str = "z9hG4bK";

/// The secret that makes branches verifiable. It lives with the store, so that it survives a crash.
#[derive(Clone)]
pub struct BranchKey([u8; 32]);

impl BranchKey {
    /// Takes 32 bytes from a cryptographic source.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The branch of one request. `to_tag` keeps requests inside two forks of one call apart; an INVITE has none.
    #[must_use]
    pub fn branch(&self, call_id: &CallIdHeader, cseq: &CSeq, to_tag: Option<&Tag>) -> Branch {
        // CANCEL shares the INVITE's branch (RFC 3261 §9.1).
        let method = match &cseq.method {
            Method::Cancel => Method::Invite.as_str(),
            other => other.as_str(),
        };
        let mac = self.mac(
            "branch",
            &[
                call_id.as_str(),
                &cseq.number.to_string(),
                method,
                to_tag.map_or("", Tag::as_str),
            ],
        );
        Branch::new(format!("{COOKIE}{}", BASE64_URL_SAFE_NO_PAD.encode(&mac[..18])))
    }

    /// Whether `branch` is the one we gave to an INVITE of this Call-ID and CSeq.
    #[must_use]
    pub fn is_ours(&self, branch: &Branch, call_id: &CallIdHeader, cseq: &CSeq) -> bool {
        let ours = self.branch(call_id, cseq, None);
        ours.as_str().as_bytes().ct_eq(branch.as_str().as_bytes()).into()
    }

    /// Whether `branch` is the one we gave to an INVITE inside the dialog with the peer of this tag.
    #[must_use]
    pub fn is_ours_within(&self, branch: &Branch, call_id: &CallIdHeader, cseq: &CSeq, to_tag: &Tag) -> bool {
        let ours = self.branch(call_id, cseq, Some(to_tag));
        cseq.method == Method::Invite && bool::from(ours.as_str().as_bytes().ct_eq(branch.as_str().as_bytes()))
    }

    /// How long to wait after a 491 when the Call-ID is ours: 2.1 to 4 s in steps of 10 ms (RFC 3261 §14.1).
    ///
    /// Random to the peer, and no random source needed.
    #[must_use]
    pub fn glare(&self, call_id: &CallIdHeader, cseq: u32) -> Duration {
        let mac = self.mac("glare", &[call_id.as_str(), &cseq.to_string()]);
        let steps = u16::from_be_bytes([mac[0], mac[1]]) % 191;
        Duration::from_millis(2100 + u64::from(steps) * 10)
    }

    /// A client nonce for a digest answer: unpredictable to a peer, and no random source needed (RFC 7616 §3.4).
    #[must_use]
    pub fn cnonce(&self, call_id: &CallIdHeader, cseq: u32) -> String {
        let mac = self.mac("cnonce", &[call_id.as_str(), &cseq.to_string()]);
        BASE64_URL_SAFE_NO_PAD.encode(&mac[..12])
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key length is valid");
        mac.update(purpose.as_bytes());
        for part in parts {
            // Length first: "ab","c" and "a","bc" must not collide.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for BranchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BranchKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cseq(number: u32, method: Method) -> CSeq {
        CSeq { number, method }
    }

    #[test]
    fn a_branch_is_ours_only_for_its_own_call_and_cseq() {
        let key = BranchKey::new([7; 32]);
        let call_id = CallIdHeader::new("a@onhook");
        let branch = key.branch(&call_id, &cseq(1, Method::Invite), None);
        assert!(branch.as_str().starts_with("z9hG4bK"));
        assert!(key.is_ours(&branch, &call_id, &cseq(1, Method::Invite)));
        assert!(!key.is_ours(&branch, &call_id, &cseq(2, Method::Invite)));
        assert!(!key.is_ours(&branch, &CallIdHeader::new("b@onhook"), &cseq(1, Method::Invite)));
        assert!(!BranchKey::new([8; 32]).is_ours(&branch, &call_id, &cseq(1, Method::Invite)));
    }

    #[test]
    fn cancel_has_the_branch_of_its_invite() {
        let key = BranchKey::new([7; 32]);
        let call_id = CallIdHeader::new("a@onhook");
        assert_eq!(
            key.branch(&call_id, &cseq(1, Method::Invite), None),
            key.branch(&call_id, &cseq(1, Method::Cancel), None)
        );
    }

    #[test]
    fn an_invite_inside_the_dialog_is_ours_for_its_own_peer() {
        let key = BranchKey::new([7; 32]);
        let call_id = CallIdHeader::new("a@onhook");
        let (invite, phone, other) = (cseq(3, Method::Invite), Tag::new("phone"), Tag::new("other"));
        let branch = key.branch(&call_id, &invite, Some(&phone));
        assert!(key.is_ours_within(&branch, &call_id, &invite, &phone));
        assert!(!key.is_ours_within(&branch, &call_id, &invite, &other));
        assert!(!key.is_ours(&branch, &call_id, &invite));
    }

    /// RFC 3261 §14.1.
    #[test]
    fn the_wait_after_a_491_is_that_of_whoever_made_the_call_id() {
        let key = BranchKey::new([7; 32]);
        let call_id = CallIdHeader::new("a@onhook");
        let waits: Vec<_> = (0..1000)
            .map(|number| key.glare(&call_id, number).as_millis())
            .collect();
        assert!(waits.iter().all(|wait| (2100..=4000).contains(wait) && wait % 10 == 0));
        assert!(waits.contains(&2100) && waits.contains(&4000));
    }

    #[test]
    fn byes_of_two_forks_have_two_branches() {
        let key = BranchKey::new([7; 32]);
        let call_id = CallIdHeader::new("a@onhook");
        let bye = cseq(2, Method::Bye);
        assert_ne!(
            key.branch(&call_id, &bye, Some(&Tag::new("one"))),
            key.branch(&call_id, &bye, Some(&Tag::new("two")))
        );
    }
}
