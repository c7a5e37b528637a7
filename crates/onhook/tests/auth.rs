//! Logging in, against a real store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use onhook::auth::{AuthError, Authenticator, Caller, LoginMethods, Presented, password, takes_secrets};
use onhook::config::{Config, LoginMethod, PlainBasic, Secret};
use onhook::store::{Store, UserCache, UserName};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct House {
    path: PathBuf,
    auth: Arc<Authenticator>,
    _folder: tempfile::TempDir,
}

impl House {
    fn new(users: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onhook.db");
        let store = Store::open(&path).unwrap();
        for (user, password) in users {
            store.add_user(&name(user), &hash(password)).unwrap();
        }
        let auth = Arc::new(Authenticator::new(UserCache::start(&store).unwrap(), "onhook", &login()).unwrap());
        Self {
            path,
            auth,
            _folder: folder,
        }
    }

    /// Another process with the same store.
    fn elsewhere(&self) -> Store {
        Store::open(&self.path).unwrap()
    }

    async fn login(&self, user: &str, password: &str) -> Result<Caller, AuthError> {
        self.given(&basic(user, password), PEER).await
    }

    async fn given(&self, authorization: &str, client: IpAddr) -> Result<Caller, AuthError> {
        given(&self.auth, authorization, client).await
    }
}

async fn given(auth: &Authenticator, authorization: &str, client: IpAddr) -> Result<Caller, AuthError> {
    let methods = LoginMethods::of(&[LoginMethod::Users]);
    auth.authenticate(Presented::Authorization(authorization), methods, client)
        .await
}

fn login() -> onhook::config::Login {
    Config::parse("", Path::new("onhook.toml")).unwrap().login
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn hash(text: &str) -> String {
    password::hash(&Secret::new(text)).unwrap()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test]
async fn a_user_is_the_same_caller_however_spelled() {
    let house = House::new(&[("alice", "secret"), ("bob@example.com", "other")]);
    let alice = house.login("alice", "secret").await.unwrap();
    assert_eq!(alice, Caller::named(&name("alice")));
    for spelling in ["ALICE", r"CORP\alice", "alice@example.com"] {
        assert_eq!(house.login(spelling, "secret").await.unwrap(), alice, "{spelling}");
    }
    let bob = house.login("Bob@Example.com", "other").await.unwrap();
    assert_ne!(bob.key, alice.key);
    assert!(matches!(house.login("bob", "other").await, Err(AuthError::Rejected)));
}

#[tokio::test]
async fn a_remembered_password_serves_neither_another_user_nor_another_password() {
    let house = House::new(&[("alice", "secret"), ("bob", "other")]);
    for _ in 0..2 {
        house.login("alice", "secret").await.unwrap();
        assert!(matches!(house.login("bob", "secret").await, Err(AuthError::Rejected)));
        assert!(matches!(house.login("alice", "other").await, Err(AuthError::Rejected)));
        assert!(matches!(
            house.login("nobody", "secret").await,
            Err(AuthError::Rejected)
        ));
        assert!(matches!(house.login("alice", "").await, Err(AuthError::Rejected)));
    }
}

#[tokio::test]
async fn a_password_changed_by_another_process_counts_at_once() {
    let house = House::new(&[("alice", "old")]);
    house.login("alice", "old").await.unwrap();
    house.login("alice", "old").await.unwrap();
    house.elsewhere().change_password(&name("alice"), &hash("new")).unwrap();
    assert!(matches!(house.login("alice", "old").await, Err(AuthError::Rejected)));
    house.login("alice", "new").await.unwrap();

    house
        .elsewhere()
        .remove_user(&name("alice"), &Caller::named(&name("alice")).key, true)
        .unwrap();
    assert!(matches!(house.login("alice", "new").await, Err(AuthError::Rejected)));
    house.elsewhere().add_user(&name("alice"), &hash("another")).unwrap();
    assert!(matches!(house.login("alice", "new").await, Err(AuthError::Rejected)));
}

#[tokio::test]
async fn failures_are_throttled_and_a_remembered_login_is_not() {
    let house = House::new(&[("alice", "secret")]);
    house.login("alice", "secret").await.unwrap();
    let mut throttled = 0;
    for _ in 0..12 {
        match house.login("alice", "guess").await.unwrap_err() {
            AuthError::Rejected => assert_eq!(throttled, 0),
            AuthError::Throttled { .. } => throttled += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!(throttled, 2);
    house.login("alice", "secret").await.unwrap();
    let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    assert!(matches!(
        house.given(&basic("alice", "guess"), elsewhere).await,
        Err(AuthError::Rejected)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_logins_of_one_user_are_no_failures_and_hashed_once() {
    let house = House::new(&[("alice", "secret"), ("bob", "other")]);
    let started = Instant::now();
    house.login("bob", "other").await.unwrap();
    let one = started.elapsed();
    let started = Instant::now();
    let logins: Vec<_> = (0..100)
        .map(|_| {
            let auth = Arc::clone(&house.auth);
            tokio::spawn(async move { given(&auth, &basic("alice", "secret"), PEER).await.is_ok() })
        })
        .collect();
    for login in logins {
        assert!(login.await.unwrap());
    }
    let hundred = started.elapsed();
    assert!(hundred < 20 * one, "{hundred:?}, and {one:?} for one");
}

#[tokio::test]
async fn guesses_for_nobody_are_throttled_too() {
    let house = House::new(&[("alice", "secret")]);
    for _ in 0..10 {
        assert!(matches!(house.login("nobody", "guess").await, Err(AuthError::Rejected)));
    }
    assert!(matches!(
        house.login("nobody", "guess").await,
        Err(AuthError::Throttled { .. })
    ));
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed_and_what_is_nobodys_name_is_rejected() {
    let house = House::new(&[]);
    for header in ["", "Basic", "Negotiate abc", "Basic ====", "Basic YWxpY2U="] {
        assert!(
            matches!(house.given(header, PEER).await, Err(AuthError::Malformed)),
            "{header}"
        );
    }
    assert!(matches!(house.login("", "x").await, Err(AuthError::Rejected)));
}

#[test]
fn passwords_travel_over_tls_or_loopback_unless_told_otherwise() {
    let far = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    assert!(takes_secrets(PlainBasic::LoopbackOnly, true, far));
    assert!(takes_secrets(PlainBasic::LoopbackOnly, false, PEER));
    assert!(takes_secrets(
        PlainBasic::LoopbackOnly,
        false,
        "::ffff:127.0.0.1".parse().unwrap()
    ));
    assert!(!takes_secrets(PlainBasic::LoopbackOnly, false, far));
    assert!(takes_secrets(PlainBasic::Everywhere, false, far));
}

#[test]
fn nothing_shows_a_password() {
    let house = House::new(&[("alice", "hunter2")]);
    assert!(!format!("{:?}", house.auth).contains("hunter2"));
    assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
}
