//! Credentials that were right a moment ago. Only right ones are kept, and only as a MAC under a key of this process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::config::Secret;
use crate::store::{StoreError, UserName};

/// How many users are remembered.
const CAPACITY: usize = 4_096;
/// Stands for realm, user and password.
#[derive(Clone, Copy)]
pub(super) struct Tag([u8; 32]);

pub(super) struct Verified {
    mac: Hmac<Sha256>,
    realm: String,
    lifetime: Duration,
    /// By user: a tag is compared with its own user's only.
    users: Mutex<HashMap<UserName, Entry>>,
}

struct Entry {
    tag: Tag,
    /// The user's version when the password was verified.
    version: i64,
    /// Who that is; a directory may call somebody otherwise than the login did.
    user: UserName,
    until: Instant,
}

impl Verified {
    /// Remembers for as long as `lifetime`, under a fresh key.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn new(realm: &str, lifetime: Duration) -> Result<Self, StoreError> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self::with_key(key, realm, lifetime))
    }

    fn with_key(key: [u8; 64], realm: &str, lifetime: Duration) -> Self {
        Self {
            mac: Hmac::new(&key.into()),
            realm: realm.to_owned(),
            lifetime,
            users: Mutex::default(),
        }
    }

    pub(super) fn tag(&self, name: &UserName, password: &Secret) -> Tag {
        let mut mac = self.mac.clone();
        for part in [&self.realm, name.as_str(), password.expose()] {
            // The length goes first, so that no two triples spell the same bytes.
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        Tag(mac.finalize().into_bytes().into())
    }

    /// Whose these credentials are, if they were right a moment ago and the user has not changed since.
    pub(super) fn recall(&self, name: &UserName, tag: &Tag, version: i64) -> Option<UserName> {
        let users = self.users();
        let entry = users.get(name)?;
        let holds = entry.version == version && Instant::now() < entry.until && bool::from(entry.tag.0.ct_eq(&tag.0));
        holds.then(|| entry.user.clone())
    }

    pub(super) fn remember(&self, name: &UserName, tag: Tag, version: i64, user: &UserName, now: Instant) {
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
                user: user.clone(),
                until: now + self.lifetime,
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

    const LIFETIME: Duration = Duration::from_secs(60);

    fn verified(key: u8, realm: &str) -> Verified {
        Verified::with_key([key; 64], realm, LIFETIME)
    }

    #[tokio::test(start_paused = true)]
    async fn it_holds_for_a_minute_for_one_user_one_password_one_realm_one_version() {
        let (verified, other) = (verified(1, "realm"), verified(1, "realma"));
        let (alice, bob, password) = (name("alice"), name("bob"), Secret::new("secret"));
        let tag = verified.tag(&alice, &password);
        verified.remember(&alice, tag, 7, &name("alice.smith"), Instant::now());

        assert_eq!(verified.recall(&alice, &tag, 7), Some(name("alice.smith")));
        assert_eq!(verified.recall(&alice, &tag, 8), None, "the user has changed");
        assert_eq!(
            verified.recall(&alice, &verified.tag(&alice, &Secret::new("Secret")), 7),
            None
        );
        assert_eq!(verified.recall(&alice, &other.tag(&alice, &password), 7), None);
        assert_eq!(verified.recall(&bob, &tag, 7), None, "not another user's");
        assert_eq!(verified.recall(&alice, &other.tag(&name("lice"), &password), 7), None);

        tokio::time::advance(LIFETIME).await;
        assert_eq!(verified.recall(&alice, &tag, 7), None);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_and_forgets_the_oldest_first() {
        let verified = verified(1, "realm");
        let tag = Tag([0; 32]);
        let held = |user: &UserName| verified.recall(user, &tag, 1).is_some();
        for n in 0..=CAPACITY {
            tokio::time::advance(Duration::from_millis(1)).await;
            let user = name(&format!("user{n}"));
            verified.remember(&user, tag, 1, &user, Instant::now());
        }
        assert_eq!(verified.users().len(), CAPACITY);
        assert!(!held(&name("user0")));
        assert!(held(&name("user1")));
        assert!(held(&name(&format!("user{CAPACITY}"))));
    }

    #[test]
    fn another_process_has_other_tags() {
        let (alice, password) = (name("alice"), Secret::new("secret"));
        let [one, two] = [1, 2].map(|key| verified(key, "realm").tag(&alice, &password).0);
        assert_ne!(one, two);
    }
}
