//! Users of the store. A password is hashed with argon2id, which is slow on purpose: wrong ones are counted before the
//! next is hashed, at most a few are hashed at once, and a right one is remembered until the user changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::credentials::Credentials;
use super::throttle::Attempt;
use super::turns::LoginTurns;
use super::verified::Verified;
use super::{AuthError, password};
use crate::store::{KnownUsers, StoreError, UserCache, UserName};

/// The hash of a user's password, and the version of the user that has it.
type HashAndVersion = (String, i64);

/// How many passwords are hashed at once: 19 MiB and a core each.
const HASHING: usize = 2;
/// How long a right password is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Users {
    users: UserCache,
    verified: Verified,
    hashing: Arc<Semaphore>,
    turns: LoginTurns,
    /// Verified against when there is no such user, so that the answer takes as long.
    nobody: String,
}

impl Users {
    pub(super) fn new(users: UserCache, realm: &str) -> Result<Self, AuthError> {
        let nobody = password::nobodys().map_err(|_| AuthError::Verifier)?;
        Ok(Self {
            users,
            verified: Verified::new(realm, REMEMBERED)?,
            hashing: Arc::new(Semaphore::new(HASHING)),
            turns: LoginTurns::default(),
            nobody,
        })
    }

    /// The first of the names that is a user's who has a password here.
    pub(super) async fn find(&self, names: &[UserName]) -> Result<Option<(UserName, HashAndVersion)>, StoreError> {
        let users = self.users.now().await?;
        Ok(names
            .iter()
            .find_map(|name| Some((name.clone(), hash_of(&users, name)?))))
    }

    /// Verifies the password of the user who was found, or somebody else's who does not exist.
    pub(super) async fn login(
        &self,
        given: &Credentials,
        found: Option<(UserName, HashAndVersion)>,
        attempt: &mut Attempt<'_>,
    ) -> Result<UserName, AuthError> {
        let (name, known) = match found {
            Some((name, known)) => (name, Some(known)),
            None => (attempt.name().clone(), None),
        };
        let tag = self.verified.tag(&name, &given.password);
        if let Some((_, version)) = known
            && let Some(user) = self.verified.recall(&name, &tag, version)
        {
            return Ok(user);
        }
        // Before queueing, so that a flood of guesses does not keep the user waiting in the same queue.
        attempt.check()?;
        let turn = self.turns.of(attempt.name()).await;
        // Who had the turn before may have verified the same, and the user may have changed while we waited.
        let known = hash_of(&self.users.now().await?, &name);
        if let Some((_, version)) = known
            && let Some(user) = self.verified.recall(&name, &tag, version)
        {
            return Ok(user);
        }
        let permit = Arc::clone(&self.hashing)
            .acquire_owned()
            .await
            .map_err(|_| AuthError::Verifier)?;
        attempt.count()?;
        let (hash, version) = match known {
            Some((hash, version)) => (hash, Some(version)),
            None => (self.nobody.clone(), None),
        };
        let password = given.password.clone();
        // Turn and permit travel along: a client that goes away does not make room for one more hash.
        let is_right = tokio::task::spawn_blocking(move || {
            let is_right = password::verify(&password, &hash);
            drop((turn, permit));
            is_right
        });
        let is_right = is_right.await.map_err(|_| AuthError::Verifier)?;
        let version = version.filter(|_| is_right).ok_or(AuthError::Rejected)?;
        self.verified.remember(&name, tag, version, &name, Instant::now());
        Ok(name)
    }
}

fn hash_of(users: &KnownUsers, name: &UserName) -> Option<HashAndVersion> {
    let user = users.get(name)?;
    Some((user.password.clone()?, user.version))
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::super::throttle::Throttle;
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn few_are_hashed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let users = Users::new(UserCache::start(&store).unwrap(), "realm").unwrap();
        let throttle = Throttle::default();
        let given = Credentials::decode("bm9ib2R5OmEgcGFzc3dvcmQ=").unwrap();
        let nobody = given.counted().unwrap();
        let mut attempt = throttle.attempt([192, 0, 2, 1].into(), nobody, nobody);

        let started = Instant::now();
        let judged = users.login(&given, None, &mut attempt).await;
        assert!(matches!(judged, Err(AuthError::Rejected)));
        let others = users.hashing.acquire_many(2).await.unwrap();
        let long_enough = 5 * started.elapsed();
        let waiting = timeout(long_enough, users.login(&given, None, &mut attempt)).await;
        assert!(waiting.is_err(), "two are being hashed already");
        drop(others);
        let judged = users.login(&given, None, &mut attempt).await;
        assert!(matches!(judged, Err(AuthError::Rejected)));
    }
}
