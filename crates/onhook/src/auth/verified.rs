//! Credentials that were right a moment ago. Only right ones are kept, and only as a MAC under a key of this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::config::Secret;
use crate::store::UserName;

/// How many users are remembered.
const CAPACITY: usize = 4_096;
/// For how long.
const LIFETIME: Duration = Duration::from_secs(60);

/// Stands for realm, user and password.
#[derive(Clone, Copy)]
pub(super) struct Tag([u8; 32]);

pub(super) struct Verified {
    mac: Hmac<Sha256>,
    /// By user: a tag is compared with its own user's only.
    users: Mutex<HashMap<UserName, Entry>>,
}

struct Entry {
    tag: Tag,
    /// The user's version when the password was verified.
    version: i64,
    until: Instant,
}

impl Verified {
    pub(super) fn new(key: [u8; 64]) -> Self {
        Self {
            mac: Hmac::new(&key.into()),
            users: Mutex::default(),
        }
    }

    pub(super) fn tag(&self, realm: &str, name: &UserName, password: &Secret) -> Tag {
        let mut mac = self.mac.clone();
        for part in [realm, name.as_str(), password.expose()] {
            // The length goes first, so that no two triples spell the same bytes.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        Tag(mac.finalize().into_bytes().into())
    }

    /// Whether these credentials were right less than a minute ago, and the user has not changed since.
    pub(super) fn holds(&self, name: &UserName, tag: &Tag, version: i64) -> bool {
        self.users().get(name).is_some_and(|entry| {
            entry.version == version && Instant::now() < entry.until && bool::from(entry.tag.0.ct_eq(&tag.0))
        })
    }

    pub(super) fn remember(&self, name: &UserName, tag: Tag, version: i64, now: Instant) {
        let mut users = self.users();
        if users.len() >= CAPACITY && !users.contains_key(name) {
            users.retain(|_, entry| now < entry.until);
        }
        if users.len() >= CAPACITY
            && !users.contains_key(name)
            && let Some(oldest) = users
                .iter()
                .min_by_key(|(_, entry)| entry.until)
                .map(|(name, _)| name.clone())
        {
            users.remove(&oldest);
        }
        users.insert(
            name.clone(),
            Entry {
                tag,
                version,
                until: now + LIFETIME,
            },
        );
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserName, Entry>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verified")
            .field("users", &self.users().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_holds_for_a_minute_for_one_user_one_password_one_realm_one_version() {
        let verified = Verified::new([1; 64]);
        let (alice, bob, password) = (name("alice"), name("bob"), Secret::new("secret"));
        let tag = verified.tag("realm", &alice, &password);
        verified.remember(&alice, tag, 7, Instant::now());

        assert!(verified.holds(&alice, &tag, 7));
        assert!(!verified.holds(&alice, &tag, 8), "the user has changed");
        assert!(!verified.holds(&alice, &verified.tag("realm", &alice, &Secret::new("Secret")), 7));
        assert!(!verified.holds(&alice, &verified.tag("other", &alice, &password), 7));
        assert!(!verified.holds(&bob, &tag, 7), "not another user's");
        assert!(!verified.holds(&alice, &verified.tag("realma", &name("lice"), &password), 7));

        tokio::time::advance(LIFETIME).await;
        assert!(!verified.holds(&alice, &tag, 7));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_and_forgets_the_oldest_first() {
        let verified = Verified::new([1; 64]);
        let tag = Tag([0; 32]);
        for n in 0..=CAPACITY {
            tokio::time::advance(Duration::from_millis(1)).await;
            verified.remember(&name(&format!("user{n}")), tag, 1, Instant::now());
        }
        assert_eq!(verified.users().len(), CAPACITY);
        assert!(!verified.holds(&name("user0"), &tag, 1));
        assert!(verified.holds(&name("user1"), &tag, 1));
        assert!(verified.holds(&name(&format!("user{CAPACITY}")), &tag, 1));
    }

    #[test]
    fn another_process_has_other_tags() {
        let (alice, password) = (name("alice"), Secret::new("secret"));
        let [one, two] = [[1; 64], [2; 64]].map(|key| Verified::new(key).tag("realm", &alice, &password).0);
        assert_ne!(one, two);
    }
}
