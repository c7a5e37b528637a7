//! Passwords that a directory verifies, by binding as the user (RFC 4513 §5.1).
//!
//! The user's DN is told by a template, or searched for. A connection is opened for each login and closed after it: what
//! was right is remembered for a minute, so there are few, and no state of one user's can reach another's. Groups are not
//! looked at, referrals are not followed.
//!
//! A wrong password is as many operations whoever it is for: where a search finds nobody, it is nobody who is bound.

mod result;

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry, SearchOptions, dn_escape, ldap_escape};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::AuthError;
use super::credentials::Credentials;
use super::domains::Domains;
use super::throttle::{Attempt, EntryThrottle};
use super::turns::LoginTurns;
use super::verified::Verified;
use crate::config::{self, Secret};
use crate::pem::{self, PemError};
use crate::store::UserName;
use result::Searched;

/// What stands for the user in a template.
const USER: &str = "{user}";
/// The version of a user of whom the directory says no more: what was right is right until it is forgotten.
const VERSION: i64 = 0;

/// Why the directory could not say who somebody is.
#[derive(Debug, Error)]
pub enum LdapError {
    #[error("no authorities to verify its certificate by: {0}")]
    Authorities(#[from] PemError),
    #[error("no authorities to verify its certificate by")]
    NoAuthorities,
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Ldap(#[from] ldap3::LdapError),
    #[error("the account that searches is refused: {0}")]
    SearchAccount(String),
    #[error("it answers {0}")]
    Unexpected(String),
    #[error("it answers what is no LDAP")]
    Unreadable,
    #[error("it takes too long")]
    TooSlow,
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

/// How a user becomes a DN.
#[derive(Debug)]
enum Entry {
    Template(String),
    Search {
        base: String,
        filter: String,
        /// Who searches; `None` for anonymously.
        account: Option<(String, Secret)>,
        /// The attribute that is the user.
        attribute: Option<String>,
    },
}

impl Entry {
    fn tells_the_user(&self) -> bool {
        matches!(self, Self::Search { attribute: Some(_), .. })
    }
}

/// Whom a name stands for.
struct Found {
    dn: String,
    /// The name that counts from now on.
    user: UserName,
}

#[derive(Debug)]
pub(super) struct Directory {
    bind: Arc<Bind>,
    domains: Arc<Domains>,
    timeout: Duration,
    connections: Arc<Semaphore>,
    turns: LoginTurns,
    verified: Verified,
}

/// How to ask.
#[derive(Debug)]
struct Bind {
    url: String,
    tls: Arc<ClientConfig>,
    entry: Entry,
    domains: Arc<Domains>,
    timeout: Duration,
}

impl Directory {
    /// `None` when `[login.ldap]` names no directory. Nothing is connected to.
    pub(super) fn new(config: &config::LoginLdap, domains: Arc<Domains>) -> Result<Option<Self>, AuthError> {
        let entry = match (&config.bind_dn, &config.search_base) {
            (Some(dn), _) => Entry::Template(dn.clone()),
            (None, Some(base)) => Entry::Search {
                base: base.clone(),
                filter: config.search_filter.clone(),
                account: config.search_dn.clone().zip(config.search_password.clone()),
                attribute: config.user_attribute.clone(),
            },
            (None, None) => return Ok(None),
        };
        let Some(url) = config.url.clone() else {
            return Ok(None);
        };
        let verified = Verified::new(&url, config.remember.0)?;
        let bind = Bind {
            url,
            tls: tls(config.ca.as_deref())?,
            entry,
            domains: Arc::clone(&domains),
            timeout: config.timeout.0,
        };
        Ok(Some(Self {
            bind: Arc::new(bind),
            domains,
            timeout: config.timeout.0,
            connections: Arc::new(Semaphore::new(config.max_connections as usize)),
            turns: LoginTurns::default(),
            verified,
        }))
    }

    /// Whose these credentials are, if they were right a moment ago.
    pub(super) fn recall(&self, given: &Credentials) -> Option<UserName> {
        let name = self.user(given)?;
        self.verified
            .recall(&name, &self.verified.tag(&name, &given.password), VERSION)
    }

    /// Verifies a password, and says which user it belongs to.
    pub(super) async fn login(&self, given: &Credentials, attempt: &mut Attempt<'_>) -> Result<UserName, AuthError> {
        // A bind without a password is no login but an anonymous one, and succeeds (RFC 4513 §5.1.2).
        if given.password.expose().is_empty() {
            return Err(AuthError::Rejected);
        }
        if let Some(user) = self.recall(given) {
            return Ok(user);
        }
        let name = self.user(given).ok_or(AuthError::Rejected)?;
        attempt.check()?;
        // Those before may each wait for a directory that does not answer.
        let turn = timeout(self.timeout, self.turns.of(&name)).await;
        let _turn = turn.map_err(|_| LdapError::TooSlow)?;
        if let Some(user) = self.recall(given) {
            return Ok(user);
        }
        attempt.count()?;
        let answer = timeout(self.timeout, self.ask(&name, &given.password, attempt.entries())).await;
        let user = answer.unwrap_or(Err(LdapError::TooSlow))?.ok_or(AuthError::Rejected)?;
        let tag = self.verified.tag(&name, &given.password);
        self.verified.remember(&name, tag, VERSION, &user, Instant::now());
        Ok(user)
    }

    /// Whom the directory is asked for. It takes letters of other widths and styles for the same (RFC 4518 §2.4), and one
    /// entry would be many users here; so unless it says itself who that is, names are ASCII.
    fn user(&self, given: &Credentials) -> Option<UserName> {
        let name = self.domains.user(given.names.first()?.as_str())?;
        let is_one = name.as_str().is_ascii() || self.bind.entry.tells_the_user();
        is_one.then_some(name)
    }

    /// In a task of its own, which ends with this: the library panics on answers that no directory gives.
    async fn ask(
        &self,
        name: &UserName,
        password: &Secret,
        entries: EntryThrottle,
    ) -> Result<Option<UserName>, LdapError> {
        let place = Arc::clone(&self.connections).acquire_owned().await;
        let (bind, name, password) = (Arc::clone(&self.bind), name.clone(), password.clone());
        let asking = tokio::spawn(async move {
            let answer = bind.ask(&name, &password, &entries).await;
            drop(place);
            answer
        });
        AbortOnDropHandle::new(asking)
            .await
            .map_err(|_| LdapError::Unreadable)?
    }
}

impl Bind {
    /// One connection: perhaps a search, then the bind. `None` when it is not that user's password.
    async fn ask(
        &self,
        name: &UserName,
        password: &Secret,
        entries: &EntryThrottle,
    ) -> Result<Option<UserName>, LdapError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.timeout)
            .set_config(Arc::clone(&self.tls))
            .set_starttls(!self.url.starts_with("ldaps://"));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await?;
        let asking = async {
            let found = self.find(&mut ldap, name).await?;
            let attempted = found.map(|found| (entries.attempt(&found.dn), found));
            let Some((Some(attempt), found)) = attempted else {
                if attempted.is_some() {
                    // Told as a wrong password: "too many", under a name that has had few, would say that it is another
                    // one's and that there is such an entry.
                    debug!(user = %name, "its entry has been guessed at too often, by other names");
                }
                let bound = ldap.simple_bind(&self.nobody()?, password.expose()).await?;
                return result::is_bound(name, &bound).map(|_| None);
            };
            let bound = ldap.simple_bind(&found.dn, password.expose()).await?;
            if result::is_bound(name, &bound)? {
                attempt.succeeded();
                Ok(Some(found.user))
            } else {
                attempt.failed();
                Ok(None)
            }
        };
        // The connection lives as long as the question, and a polite word.
        let mut driving = pin!(connection.drive());
        let answer = tokio::select! {
            biased;
            answer = asking => answer,
            ended = driving.as_mut() => Err(ended.err().map_or(
                LdapError::Unexpected("nothing, and closes the connection".to_owned()),
                LdapError::Ldap,
            )),
        };
        if answer.is_ok() {
            tokio::select! {
                _ = ldap.unbind() => {}
                _ = driving => {}
            }
        }
        answer
    }

    /// The entry that is the user.
    async fn find(&self, ldap: &mut ldap3::Ldap, name: &UserName) -> Result<Option<Found>, LdapError> {
        let (base, filter, account, attribute) = match &self.entry {
            Entry::Template(template) => {
                return Ok(Some(Found {
                    dn: template.replace(USER, &dn_escape(name.as_str())),
                    user: name.clone(),
                }));
            }
            Entry::Search {
                base,
                filter,
                account,
                attribute,
            } => (base, filter, account, attribute),
        };
        if let Some((dn, password)) = account {
            let bound = ldap.simple_bind(dn, password.expose()).await?;
            result::search_account(&bound)?;
        }
        let filter = filter.replace(USER, &ldap_escape(name.as_str()));
        // RFC 4511 §4.5.1.8: "1.1" is no attribute at all.
        let wanted = attribute.as_deref().unwrap_or("1.1");
        // One more than there may be.
        ldap.with_search_options(SearchOptions::new().sizelimit(2));
        let found = ldap.search(base, Scope::Subtree, &filter, vec![wanted]).await?;
        if matches!(result::searched(&found.1)?, Searched::TooMany) {
            debug!(user = %name, "the directory has more than one such entry");
            return Ok(None);
        }
        let mut entries = found
            .0
            .into_iter()
            .filter(|entry| !entry.is_ref() && !entry.is_intermediate())
            .map(SearchEntry::construct);
        let (Some(entry), None) = (entries.next(), entries.next()) else {
            return Ok(None);
        };
        let user = match attribute {
            None => Some(name.clone()),
            Some(attribute) => self.user_of(&entry, attribute),
        };
        Ok(user.map(|user| Found { dn: entry.dn, user }))
    }

    /// The DN of an entry that is not there, and was in nobody's power to add.
    fn nobody(&self) -> Result<String, LdapError> {
        let mut number = [0; 16];
        getrandom::fill(&mut number)?;
        let rdn = format!("cn=nobody-{:032x}", u128::from_ne_bytes(number));
        Ok(match &self.entry {
            Entry::Search { base, .. } if !base.is_empty() => format!("{rdn},{base}"),
            Entry::Search { .. } | Entry::Template(_) => rdn,
        })
    }

    /// The one value of the attribute, if it can be a user's name.
    fn user_of(&self, entry: &SearchEntry, attribute: &str) -> Option<UserName> {
        let mut attributes = entry.attrs.iter();
        // Names of attributes are compared without regard to case, and come back as the schema spells them.
        let (_, values) = attributes.find(|(name, _)| name.eq_ignore_ascii_case(attribute))?;
        match values.as_slice() {
            [value] => self.domains.user(value),
            _ => None,
        }
    }
}

fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>, LdapError> {
    let roots = match ca {
        Some(path) => pem::authorities(path)?,
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    if roots.is_empty() {
        return Err(LdapError::NoAuthorities);
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // On a resumed session nobody would look at its certificate again before it is told a password.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
