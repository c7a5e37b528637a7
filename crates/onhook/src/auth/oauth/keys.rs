//! The issuer's keys (JWKS, RFC 7517 §5), fetched over HTTPS.
//!
//! A key that is not known makes them be fetched anew, and so does an hour; but never more than once a minute, and never
//! twice at a time. While they cannot be fetched, those that are known go on for a day.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::jws::{Jwk, Key, Signed};
use crate::auth::AuthError;
use crate::pem::{self, PemError};

/// How often they are fetched at most.
const PAUSE: Duration = Duration::from_secs(60);
/// How old they become before they are fetched again.
const FRESH: Duration = Duration::from_secs(3_600);
/// How old they may become.
const USABLE: Duration = Duration::from_secs(24 * 3_600);
/// How long fetching may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest document, in bytes.
const SIZE_LIMIT: u64 = 256 * 1024;
/// How many keys are looked at.
const MOST_KEYS: usize = 64;

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum KeysError {
    #[error(transparent)]
    Authorities(#[from] PemError),
    #[error("cannot fetch them: {0}")]
    Unreachable(#[from] Box<ureq::Error>),
    #[error("the issuer answers with status {0}")]
    Status(u16),
    #[error("the issuer sends no JWKS: {0}")]
    NoJwks(#[from] serde_json::Error),
    #[error("there is no key among them that verifies signatures")]
    NoKeys,
    #[error("they could not be fetched a moment ago")]
    NotYet,
    #[error("fetching was interrupted")]
    Interrupted,
}

/// Fetches the keys; blocks.
type Fetch = dyn Fn() -> Result<Arc<[Key]>, KeysError> + Send + Sync;

pub(super) struct Keys {
    fetch: Arc<Fetch>,
    known: Arc<RwLock<Option<Fetched>>>,
    /// When they were last fetched, or that was tried. Who holds it fetches; the others wait for it or do without.
    last_fetch: Arc<Mutex<Option<Instant>>>,
}

#[derive(Clone, Debug)]
struct Fetched {
    keys: Arc<[Key]>,
    since: Instant,
}

impl Keys {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, KeysError> {
        let tls = TlsConfig::builder().root_certs(roots(ca)?).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("onhook/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let url = url.to_owned();
        Ok(Self::fetched_by(move || fetch(&agent, &url)))
    }

    fn fetched_by(fetch: impl Fn() -> Result<Arc<[Key]>, KeysError> + Send + Sync + 'static) -> Self {
        Self {
            fetch: Arc::new(fetch),
            known: Arc::default(),
            last_fetch: Arc::default(),
        }
    }

    /// The key that a token says it was signed with; `None` when the issuer has none like it.
    pub(super) async fn find(&self, token: &Signed<'_>) -> Result<Option<Key>, AuthError> {
        let known = self.usable();
        let found = known.as_ref().and_then(|known| pick(&known.keys, token));
        if found.is_some() && known.is_some_and(|known| known.since.elapsed() < FRESH) {
            return Ok(found);
        }
        let last_fetch = if found.is_some() {
            // They are due, and somebody is at it already: the old one still does.
            let Ok(last_fetch) = Arc::clone(&self.last_fetch).try_lock_owned() else {
                return Ok(found);
            };
            last_fetch
        } else {
            Arc::clone(&self.last_fetch).lock_owned().await
        };
        let refreshed = self.refresh(last_fetch).await;
        match (self.usable(), refreshed) {
            (Some(known), refreshed) => {
                if let Err(error) = refreshed
                    && !matches!(error, KeysError::NotYet)
                {
                    tracing::warn!(%error, "the keys of the issuer cannot be fetched; those that are known go on");
                }
                Ok(pick(&known.keys, token))
            }
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(KeysError::NoKeys.into()),
        }
    }

    fn usable(&self) -> Option<Fetched> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| known.since.elapsed() < USABLE)
    }

    /// Fetches the keys, unless that was done less than a minute ago.
    async fn refresh(&self, mut last_fetch: OwnedMutexGuard<Option<Instant>>) -> Result<(), KeysError> {
        if last_fetch.is_some_and(|last_fetch| last_fetch.elapsed() < PAUSE) {
            return Err(KeysError::NotYet);
        }
        *last_fetch = Some(Instant::now());
        let (fetch, known) = (Arc::clone(&self.fetch), Arc::clone(&self.known));
        // It goes on without the client that was the reason: one that asks and goes away would leave the others without
        // keys for a minute.
        let fetching = tokio::task::spawn_blocking(move || {
            let keys = fetch()?;
            tracing::info!(keys = keys.len(), "fetched the keys of the issuer");
            *known.write().unwrap_or_else(PoisonError::into_inner) = Some(Fetched {
                keys,
                since: Instant::now(),
            });
            drop(last_fetch);
            Ok(())
        });
        fetching.await.map_err(|_| KeysError::Interrupted)?
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("known", &self.usable())
            .finish_non_exhaustive()
    }
}

/// The key with the token's id, or, when it names none, the only one there is for its algorithm.
pub(super) fn pick(keys: &[Key], token: &Signed<'_>) -> Option<Key> {
    let mut candidates = keys
        .iter()
        .filter(|key| key.is_for(token.algorithm) && (token.key_id.is_none() || key.id == token.key_id));
    match (candidates.next(), candidates.next()) {
        (Some(key), None) => Some(key.clone()),
        (_, _) => None,
    }
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

fn fetch(agent: &Agent, url: &str) -> Result<Arc<[Key]>, KeysError> {
    let mut answer = agent.get(url).call().map_err(Box::new)?;
    if answer.status() != 200 {
        return Err(KeysError::Status(answer.status().as_u16()));
    }
    let document = answer.body_mut().with_config().limit(SIZE_LIMIT).read_to_vec();
    parse(&document.map_err(Box::new)?)
}

pub(super) fn parse(document: &[u8]) -> Result<Arc<[Key]>, KeysError> {
    let jwks: Jwks = serde_json::from_slice(document)?;
    // One that cannot be read is passed over (RFC 7517 §5): issuers publish kinds that we do not know.
    let jwks = jwks.keys.into_iter().take(MOST_KEYS);
    let keys: Arc<[Key]> = jwks.filter_map(|jwk| Key::of(Jwk::deserialize(jwk).ok()?)).collect();
    if keys.is_empty() {
        return Err(KeysError::NoKeys);
    }
    Ok(keys)
}

fn roots(ca: Option<&Path>) -> Result<RootCerts, KeysError> {
    let Some(path) = ca else {
        return Ok(RootCerts::WebPki);
    };
    let found = pem::certificates(path)?;
    let found: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::new_with_certs(&found))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use serde_json::json;
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::SigningAlgorithm;

    /// Keys with one that is called `key-N` the N-th time they are fetched, from 1; or none, while `down` says so.
    fn keys(down: &Arc<AtomicUsize>) -> (Keys, Arc<AtomicUsize>) {
        let fetched = Arc::new(AtomicUsize::new(0));
        let (count, down) = (Arc::clone(&fetched), Arc::clone(down));
        let keys = Keys::fetched_by(move || {
            let count = count.fetch_add(1, Ordering::SeqCst) + 1;
            if down.load(Ordering::SeqCst) > 0 {
                return Err(KeysError::Status(503));
            }
            let jwk = json!({ "kty": "RSA", "kid": format!("key-{count}"), "n": "AQAB", "e": "AQAB" });
            parse(json!({ "keys": [jwk] }).to_string().as_bytes())
        });
        (keys, fetched)
    }

    async fn knows(keys: &Keys, id: &str) -> Result<bool, AuthError> {
        let found = keys.find(&Signed::unsigned(SigningAlgorithm::Rs256, id)).await;
        found.map(|key| key.is_some())
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_key_is_looked_for_once_a_minute() {
        let (keys, fetched) = keys(&Arc::default());
        assert!(knows(&keys, "key-1").await.unwrap());
        for _ in 0..100 {
            assert!(!knows(&keys, "key-2").await.unwrap());
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        tokio::time::advance(PAUSE).await;
        assert!(knows(&keys, "key-2").await.unwrap());
        assert!(
            !knows(&keys, "key-1").await.unwrap(),
            "what is no longer published is no longer taken"
        );
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_look_for_them_at_once_have_them_fetched_once() {
        let (keys, fetched) = keys(&Arc::default());
        let keys = Arc::new(keys);
        let looking: Vec<_> = (0..100)
            .map(|_| {
                let keys = Arc::clone(&keys);
                tokio::spawn(async move { knows(&keys, "key-1").await.unwrap() })
            })
            .collect();
        for looking in looking {
            assert!(looking.await.unwrap());
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_client_that_goes_away_does_not_take_the_keys_along() {
        let (asked, is_asked) = oneshot::channel();
        let (answer, answered) = mpsc::channel();
        let once = std::sync::Mutex::new(Some((asked, answered)));
        let keys = Arc::new(Keys::fetched_by(move || {
            let (asked, answered) = once.lock().unwrap().take().ok_or(KeysError::Status(500))?;
            asked.send(()).unwrap();
            answered.recv().unwrap();
            parse(br#"{"keys":[{"kty":"RSA","kid":"key-1","n":"AQAB","e":"AQAB"}]}"#)
        }));
        let asking = Arc::clone(&keys);
        let asking = tokio::spawn(async move { knows(&asking, "key-1").await });
        is_asked.await.unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        answer.send(()).unwrap();
        assert!(knows(&keys, "key-1").await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_fetched_again_every_hour_and_old_ones_do_for_a_day() {
        let down = Arc::new(AtomicUsize::new(0));
        let (keys, fetched) = keys(&down);
        assert!(knows(&keys, "key-1").await.unwrap());
        down.store(1, Ordering::SeqCst);
        tokio::time::advance(FRESH).await;
        for _ in 0..10 {
            assert!(knows(&keys, "key-1").await.unwrap());
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 2);
        tokio::time::advance(USABLE - FRESH).await;
        let error = knows(&keys, "key-1").await.unwrap_err();
        assert!(matches!(error, AuthError::Keys(KeysError::Status(503))), "{error}");
        down.store(0, Ordering::SeqCst);
        assert!(matches!(
            knows(&keys, "key-4").await.unwrap_err(),
            AuthError::Keys(KeysError::NotYet)
        ));
        tokio::time::advance(PAUSE).await;
        assert!(knows(&keys, "key-4").await.unwrap());
    }
}
