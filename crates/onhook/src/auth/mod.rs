//! Credentials become a [`Caller`], or nothing does.
//!
//! Four ways: HTTP Basic against the users of the store (`users`) or against a directory (`ldap`), bearer tokens (`oauth`),
//! client certificates (`certificate`). Which of them count is the listener's matter ([`LoginMethods`]). Whatever is slow, or can
//! be guessed, is counted before it is tried (`throttle`), and what was right is remembered for a minute (`verified`).
//! What a caller may do is decided elsewhere; for whom it may act, in [`impersonation`].

mod certificate;
mod credentials;
mod domains;
pub mod fuzzed;
pub mod impersonation;
mod ldap;
mod oauth;
pub mod password;
mod prepared;
mod throttle;
mod turns;
mod users;
mod verified;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tracing::debug;

use crate::config::{self, LoginMethod, PlainBasic};
use crate::store::{StoreError, UserCache, UserName};

use certificate::Certificates;
use credentials::Credentials;
use domains::Domains;
use ldap::Directory;
pub use ldap::LdapError;
use oauth::Tokens;
pub use oauth::{KeysError, TokenError};
use throttle::{Attempt, Throttle};
use users::Users;

/// Who asks. Calls and messages belong to the key; the name is for policy and for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Opaque: two callers are the same if and only if their keys are.
    pub key: [u8; 32],
    pub name: Option<String>,
    /// The client's address, where there is one: caps count by it, and the log names it.
    pub address: Option<IpAddr>,
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
            address: None,
        }
    }
}

/// What a client says about itself, yet to be verified.
#[derive(Clone, Copy)]
pub enum Presented<'r> {
    /// The value of an `Authorization` header.
    Authorization(&'r str),
    /// A certificate that the door has verified: an authority vouches for it now, and the client has its key.
    Certificate(&'r CertificateDer<'static>),
}

/// The ways to log in that a listener takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginMethods {
    pub users: bool,
    pub ldap: bool,
    pub oauth: bool,
    pub certificate: bool,
}

impl LoginMethods {
    /// As the configuration lists it.
    pub fn of(methods: &[LoginMethod]) -> Self {
        let has = |method| methods.contains(&method);
        Self {
            users: has(LoginMethod::Users),
            ldap: has(LoginMethod::Ldap),
            oauth: has(LoginMethod::OAuth),
            certificate: has(LoginMethod::Certificate),
        }
    }

    /// The schemes of HTTP (RFC 9110 §11.1) that can be asked for.
    pub fn schemes(self) -> impl Iterator<Item = &'static str> {
        let basic = (self.users || self.ldap).then_some("Basic");
        basic.into_iter().chain(self.oauth.then_some("Bearer"))
    }
}

/// Why there is no caller. None of them says whether the user exists.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthError {
    /// Not credentials at all, or of a scheme that is not taken here.
    #[error("the credentials cannot be read, or are not taken here")]
    Malformed,
    #[error("wrong user or password")]
    Rejected,
    #[error("the token is not taken: {0}")]
    Token(#[from] TokenError),
    #[error("the certificate names no user, or more than one")]
    Certificate,
    #[error("too many failed logins")]
    Throttled { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a password could not be verified")]
    Verifier,
    #[error("the directory could not be asked: {0}")]
    Ldap(#[from] LdapError),
    #[error("the keys of the issuer are not known: {0}")]
    Keys(#[from] KeysError),
}

/// Verifies credentials. One serves all listeners.
#[derive(Debug)]
pub struct Authenticator {
    throttle: Throttle,
    users: Users,
    directory: Option<Directory>,
    tokens: Option<Tokens>,
    certificates: Certificates,
}

impl Authenticator {
    /// Reads the files that `[login]` names. Nothing is connected to, and nothing is hashed.
    ///
    /// # Errors
    /// When the system has no random numbers, or a file of authorities cannot be read.
    pub fn new(users: UserCache, realm: &str, login: &config::Login) -> Result<Self, AuthError> {
        let domains = Arc::new(Domains::new(&login.domains));
        Ok(Self {
            throttle: Throttle::default(),
            users: Users::new(users, realm)?,
            directory: Directory::new(&login.ldap, Arc::clone(&domains))?,
            tokens: Tokens::new(&login.oauth, Arc::clone(&domains))?,
            certificates: Certificates::new(&login.certificate, domains),
        })
    }

    /// The caller behind what a client presents, where `methods` counts. A user may be spelled `alice`, `CORP\alice` or
    /// `alice@example.com`, in any case. Wrong credentials are counted for `client`.
    ///
    /// # Errors
    /// When the credentials are not right, cannot be read or verified, or too many were wrong lately.
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        methods: LoginMethods,
        client: IpAddr,
    ) -> Result<Caller, AuthError> {
        let name = match presented {
            Presented::Certificate(certificate) if methods.certificate => {
                self.certificates.user(certificate).ok_or(AuthError::Certificate)?
            }
            Presented::Certificate(_) => return Err(AuthError::Malformed),
            Presented::Authorization(authorization) => {
                let (scheme, credentials) = authorization.split_once(' ').ok_or(AuthError::Malformed)?;
                let is = |known: &str| scheme.eq_ignore_ascii_case(known);
                match &self.tokens {
                    _ if is("Basic") && (methods.users || methods.ldap) => {
                        self.basic(credentials, methods, client).await?
                    }
                    Some(tokens) if is("Bearer") && methods.oauth => {
                        tokens.login(credentials.trim(), client, &self.throttle).await?
                    }
                    _ => return Err(AuthError::Malformed),
                }
            }
        };
        Ok(Caller::named(&name))
    }

    /// RFC 7617: a user and a password.
    async fn basic(&self, encoded: &str, methods: LoginMethods, client: IpAddr) -> Result<UserName, AuthError> {
        let given = Credentials::decode(encoded).ok_or(AuthError::Malformed)?;
        let (spelled, counted) = given.spelled().zip(given.counted()).ok_or(AuthError::Rejected)?;
        let mut attempt = self.throttle.attempt(client, spelled, counted);
        let judged = match &self.directory {
            Some(directory) if methods.ldap && methods.users => self.either(directory, &given, &mut attempt).await,
            Some(directory) if methods.ldap => directory.login(&given, &mut attempt).await,
            _ if methods.users => {
                self.users
                    .login(&given, self.users.find(&given.names).await?, &mut attempt)
                    .await
            }
            _ => Err(AuthError::Malformed),
        };
        match &judged {
            Ok(_) => attempt.succeeded(),
            Err(AuthError::Rejected) => debug!(user = %counted, %client, "login failed"),
            // Where there are users of the store, it has been compared with a hash, and was wrong so far.
            Err(AuthError::Ldap(_)) if !methods.users => attempt.withdrawn(),
            Err(_) => {}
        }
        judged
    }

    /// A user of the store goes before one of the directory, with the store's password only. What the store does not
    /// know as right costs a hash and a question to the directory, whoever it is that was guessed: who is a user of the
    /// store shows neither in the time nor in the answer.
    async fn either(
        &self,
        directory: &Directory,
        given: &Credentials,
        attempt: &mut Attempt<'_>,
    ) -> Result<UserName, AuthError> {
        let own = self.users.find(&given.names).await?;
        let is_own = own.is_some();
        if !is_own && let Some(user) = directory.recall(given) {
            return Ok(user);
        }
        match self.users.login(given, own, attempt).await {
            Err(AuthError::Rejected) => {}
            judged => return judged,
        }
        let user = directory.login(given, attempt).await?;
        if is_own { Err(AuthError::Rejected) } else { Ok(user) }
    }
}

/// Whether a password or token may be taken, or asked for, on a connection: always over TLS, else as `[http]
/// basic_over_plain_http` says.
pub fn takes_secrets(policy: PlainBasic, is_tls: bool, peer: IpAddr) -> bool {
    is_tls || policy == PlainBasic::Everywhere || peer.to_canonical().is_loopback()
}
