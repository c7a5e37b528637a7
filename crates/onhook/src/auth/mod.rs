//! Credentials become a [`Caller`], or nothing does.
//!
//! One way today: HTTP Basic against the users of the store. A password is hashed with argon2id, which is slow on purpose;
//! so a verified one is remembered for a minute, wrong ones are counted before the next is hashed, and at most a few are
//! hashed at once. What a caller may do is decided elsewhere.

mod credentials;
pub mod password;
mod throttle;
mod verified;

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tracing::debug;

use crate::config::{PlainBasic, Secret};
use crate::store::{Store, StoreError, UserName};

use credentials::Credentials;
use throttle::Throttle;
use verified::Verified;

/// A user's hash and version.
type Known = (String, i64);

/// How many passwords are hashed at once: 19 MiB and a core each.
const HASHING: usize = 2;
/// Users are verified one at a time each; this many locks serve all of them.
const TURNS: usize = 64;

/// Who asks. Calls and messages belong to the key; the name is for policy and for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Opaque: two callers are the same if and only if their keys are.
    pub key: [u8; 32],
    pub name: Option<String>,
}

impl Caller {
    /// The caller that a user name stands for, however the user has logged in.
    pub fn named(name: &UserName) -> Self {
        let key = Sha256::new()
            .chain_update(b"onhook caller\0")
            .chain_update(name.as_str())
            .finalize()
            .into();
        Self {
            key,
            name: Some(name.to_string()),
        }
    }
}

/// Why there is no caller. None of them says whether the user exists.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthError {
    #[error("the Authorization header is not Basic credentials")]
    Malformed,
    #[error("wrong user or password")]
    Rejected,
    #[error("too many failed logins")]
    Throttled { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a password could not be verified")]
    Verifier,
}

/// Verifies credentials. One serves all listeners.
#[derive(Debug)]
pub struct Authenticator {
    store: Arc<Store>,
    realm: String,
    verified: Verified,
    throttle: Throttle,
    hashing: Arc<Semaphore>,
    turns: [Arc<Mutex<()>>; TURNS],
    turn_of: RandomState,
    /// Verified against when there is no such user, so that the answer takes as long.
    nobody: String,
}

impl Authenticator {
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(store: Arc<Store>, realm: impl Into<String>) -> Result<Self, AuthError> {
        let mut secret = [0; 64];
        getrandom::fill(&mut secret).map_err(StoreError::from)?;
        let nobody = password::nobodys().map_err(|_| AuthError::Verifier)?;
        Ok(Self {
            store,
            realm: realm.into(),
            verified: Verified::new(secret),
            throttle: Throttle::default(),
            hashing: Arc::new(Semaphore::new(HASHING)),
            turns: std::array::from_fn(|_| Arc::default()),
            turn_of: RandomState::new(),
            nobody,
        })
    }

    /// The realm that a 401 names.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The caller behind the value of an `Authorization` header (RFC 7617). The user may be spelled `alice`,
    /// `CORP\alice` or `alice@example.com`, in any case; a user stored under a mail address goes before one stored
    /// under its first part.
    ///
    /// # Errors
    /// When the credentials are not right, cannot be read or verified, or too many were wrong lately.
    pub async fn basic(&self, authorization: &str, peer: IpAddr) -> Result<Caller, AuthError> {
        let Credentials { names, password } = Credentials::decode(authorization).ok_or(AuthError::Malformed)?;
        let found = self.find(&names)?;
        let (name, known) = match found {
            Some((name, known)) => (name, Some(known)),
            None => (names.into_iter().next().ok_or(AuthError::Rejected)?, None),
        };
        let tag = self.verified.tag(&self.realm, &name, &password);
        if let Some((_, version)) = known
            && self.verified.holds(&name, &tag, version)
        {
            return Ok(Caller::named(&name));
        }
        // Before queueing, so that a flood of guesses does not keep the user waiting in the same queue.
        self.throttle.check(peer, &name)?;
        self.verify(name, password, tag, peer).await
    }

    async fn verify(
        &self,
        name: UserName,
        password: Secret,
        tag: verified::Tag,
        peer: IpAddr,
    ) -> Result<Caller, AuthError> {
        let turn = &self.turns[self.turn_of.hash_one(&name) as usize % TURNS];
        let turn = Arc::clone(turn).lock_owned().await;
        // Who had the turn before may have verified the same, and the user may have changed while we waited.
        let known = self.store.password_hash(&name)?;
        if let Some((_, version)) = known
            && self.verified.holds(&name, &tag, version)
        {
            return Ok(Caller::named(&name));
        }
        let permit = Arc::clone(&self.hashing)
            .acquire_owned()
            .await
            .map_err(|_| AuthError::Verifier)?;
        let attempt = self.throttle.attempt(peer, &name)?;
        let (hash, version) = match known {
            Some((hash, version)) => (hash, Some(version)),
            None => (self.nobody.clone(), None),
        };
        // Turn and permit travel along: a client that goes away does not make room for one more hash.
        let is_right = tokio::task::spawn_blocking(move || {
            let is_right = password::verify(&password, &hash);
            drop((turn, permit));
            is_right
        });
        let is_right = is_right.await.map_err(|_| AuthError::Verifier)?;
        match version {
            Some(version) if is_right => {
                self.throttle.succeeded(attempt);
                self.verified.remember(&name, tag, version, Instant::now());
                Ok(Caller::named(&name))
            }
            Some(_) | None => {
                debug!(user = %name, %peer, "login failed");
                Err(AuthError::Rejected)
            }
        }
    }

    fn find(&self, names: &[UserName]) -> Result<Option<(UserName, Known)>, StoreError> {
        for name in names {
            if let Some(known) = self.store.password_hash(name)? {
                return Ok(Some((name.clone(), known)));
            }
        }
        Ok(None)
    }
}

/// Whether a password may be taken, or asked for, on a connection: always over TLS, else as `[http]
/// basic_over_plain_http` says.
pub fn takes_basic(policy: PlainBasic, is_tls: bool, peer: IpAddr) -> bool {
    is_tls || policy == PlainBasic::Everywhere || peer.to_canonical().is_loopback()
}
