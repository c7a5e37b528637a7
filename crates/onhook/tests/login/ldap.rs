//! Passwords that a directory verifies.

use std::collections::HashSet;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::house::{House, THROTTLED};
use crate::slapd::Slapd;

async fn house(login: &str, domains: &str, ldap: &str) -> House {
    House::plain(&format!(
        "login = {login}\n[login]\ndomains = {domains}\n[login.ldap]\n{ldap}"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bind_by_template_lets_in_who_has_the_password() {
    let slapd = Slapd::start().await;
    let house = house("[\"ldap\"]", "[\"example.com\"]", &slapd.by_template()).await;
    for user in ["carol", "CAROL", r"CORP\carol", "carol@example.com"] {
        assert_eq!(
            house.login(user, "pass-of-carol").await.as_deref(),
            Ok("carol"),
            "{user}"
        );
    }
    assert_eq!(house.login("carol", "pass-of-dave").await, Err(401));
    assert_eq!(house.login("nobody", "pass-of-carol").await, Err(401));
    // Somebody else's address is not our Carol's.
    assert_eq!(house.login("carol@elsewhere.example", "pass-of-carol").await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_the_entry_and_an_attribute_of_it_is_the_user() {
    let slapd = Slapd::start().await;
    let ldap = slapd.by_search("(|(uid={user})(mail={user}))", "pass-of-the-search") + "user_attribute = \"UID\"\n";
    let house = house("[\"ldap\"]", "[]", &ldap).await;
    assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
    assert_eq!(
        house.login("c.smith@example.com", "pass-of-carol").await.as_deref(),
        Ok("carol")
    );
    assert_eq!(
        house.login("dave@example.com", "pass-of-dave").await.as_deref(),
        Ok("dave")
    );
    assert_eq!(house.login("dave", "pass-of-carol").await, Err(401));
    assert_eq!(house.login("nobody", "pass-of-carol").await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_entries_of_one_name_are_nobody_and_so_is_one_without_a_password() {
    let slapd = Slapd::start().await;
    let twins = house(
        "[\"ldap\"]",
        "[]",
        &slapd.by_search("(cn={user})", "pass-of-the-search"),
    )
    .await;
    assert_eq!(twins.login("twin", "pass-of-dave").await, Err(401));
    assert_eq!(twins.login("other", "pass-of-dave").await, Err(401));
    assert_eq!(twins.login("other", "").await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_never_binds() {
    let slapd = Slapd::start().await;
    let house = house("[\"ldap\"]", "[]", &slapd.by_template()).await;
    assert_eq!(house.login("carol", "").await, Err(401));
    assert_eq!(house.who("Authorization: Basic Y2Fyb2w6\r\n").await, Err(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_cannot_write_filters_or_names_of_entries() {
    let slapd = Slapd::start().await;
    let search = house(
        "[\"ldap\"]",
        "[]",
        &slapd.by_search("(uid={user})", "pass-of-the-search"),
    )
    .await;
    for user in ["*", "car*", "carol)(uid=*", "*)(|(uid=*", "carol)(|(a=b)", "c\u{0}arol"] {
        assert_eq!(search.login(user, "pass-of-carol").await, Err(401), "{user}");
    }
    let template = house("[\"ldap\"]", "[]", &slapd.by_template()).await;
    for user in [
        "carol,dc=example,dc=com",
        "x+uid=carol",
        "carol,dc=example,dc=com#",
        "#6361726f6c",
    ] {
        assert_eq!(template.login(user, "pass-of-carol").await, Err(401), "{user}");
    }
    // An entry that Carol may have made below her own.
    assert_eq!(template.login("device,uid=carol", "pass-of-the-device").await, Err(401));
}

/// Caps and mailboxes go by the name: who is one entry there must not be many users here.
#[tokio::test(flavor = "multi_thread")]
async fn spellings_that_are_one_name_to_the_directory_are_not_many_users() {
    let slapd = Slapd::start().await;
    let search = slapd.by_search("(uid={user})", "pass-of-the-search");
    for ldap in [&slapd.by_template(), &search] {
        let house = house("[\"ldap\"]", "[]", ldap).await;
        for user in ["\u{FF43}arol", "\u{217D}arol", "carol@\u{FF45}xample.com"] {
            assert_eq!(house.login(user, "pass-of-carol").await, Err(401), "{user}");
        }
    }
    // This one says who it is.
    let house = house("[\"ldap\"]", "[]", &(search + "user_attribute = \"uid\"\n")).await;
    assert_eq!(
        house.login("\u{FF43}arol", "pass-of-carol").await.as_deref(),
        Ok("carol")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_talks_nonsense_is_no_wrong_password() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ldap-ca");
    // An operation that does not exist; an answer that is none; a message without an end; another protocol; nothing.
    let nonsense: [&[u8]; 5] = [
        &[0x30, 5, 2, 1, 1, 0x7E, 0],
        &[0x30, 5, 2, 1, 1, 0x61, 0],
        &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 2, 1],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[],
    ];
    for answer in nonsense {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ldaps://{}", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(authority.server().serve());
        let answering = tokio::spawn(async move {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let mut request = [0; 512];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        let ca = authority.ca();
        let ldap = format!("url = {url:?}\nca = {ca:?}\nbind_dn = \"uid={{user}}\"\ntimeout = \"2s\"\n");
        let house = house("[\"ldap\"]", "[]", &ldap).await;
        assert_eq!(house.login("carol", "pass-of-carol").await, Err(503), "{answer:?}");
        answering.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_the_store_go_before_those_of_the_directory() {
    let slapd = Slapd::start().await;
    let house = house("[\"users\", \"ldap\"]", "[]", &slapd.by_template()).await;
    assert_eq!(
        house.login("alice", crate::house::PASSWORD).await.as_deref(),
        Ok("alice")
    );
    assert_eq!(house.login("alice", "pass-of-the-directory").await, Err(401));
    assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_throttled_before_the_directory_hears_of_them() {
    let mut slapd = Slapd::start().await;
    let house = house("[\"ldap\"]", "[]", &slapd.by_template()).await;
    assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
    let mut seen = Vec::new();
    for guess in 0..12 {
        seen.push(house.login("carol", &format!("guess-{guess}")).await.unwrap_err());
    }
    assert_eq!(seen[..10], [401; 10]);
    assert_eq!(seen[10..], [THROTTLED; 2]);
    // What was right a moment ago is not a guess.
    assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));

    // What it is asked after all that, it hears after all that.
    assert_eq!(house.login("last", "guess").await, Err(401));
    let binds = slapd.was_asked_for("last").await;
    let of_carol = binds
        .iter()
        .filter(|dn| dn.starts_with("uid=carol,"))
        .collect::<Vec<_>>();
    // slapd names it when it is asked, and again when the password was right.
    assert!((11..=12).contains(&of_carol.len()), "{binds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_remembered_as_long_as_the_configuration_says() {
    let slapd = Slapd::start().await;
    let remembering = house("[\"ldap\"]", "[]", &slapd.by_template()).await;
    let forgetful = house("[\"ldap\"]", "[]", &(slapd.by_template() + "remember = \"0s\"\n")).await;
    for house in [&remembering, &forgetful] {
        assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
    }
    slapd.change_password("uid=carol,dc=example,dc=com", "another").await;
    assert_eq!(
        remembering.login("carol", "pass-of-carol").await.as_deref(),
        Ok("carol")
    );
    assert_eq!(forgetful.login("carol", "pass-of-carol").await, Err(401));
    for house in [&remembering, &forgetful] {
        assert_eq!(house.login("carol", "another").await.as_deref(), Ok("carol"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_away_is_no_wrong_password_and_own_users_do_not_need_it() {
    let mut slapd = Slapd::start().await;
    let ldap = slapd.by_template();
    slapd.stop().await;
    let alone = house("[\"ldap\"]", "[]", &ldap).await;
    // More often than wrong passwords may be tried.
    for _ in 0..15 {
        assert_eq!(alone.login("carol", "pass-of-carol").await, Err(503));
    }
    let beside = house("[\"users\", \"ldap\"]", "[]", &ldap).await;
    assert_eq!(beside.login("carol", "pass-of-carol").await, Err(503));
    assert_eq!(
        beside.login("alice", crate::house::PASSWORD).await.as_deref(),
        Ok("alice")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_trusted_gets_no_password() {
    let slapd = Slapd::start().await;
    let stranger = Slapd::start().await;
    let other_ca = slapd
        .by_template()
        .replace(&slapd.ca.display().to_string(), &stranger.ca.display().to_string());
    assert_eq!(
        house("[\"ldap\"]", "[]", &other_ca)
            .await
            .login("carol", "pass-of-carol")
            .await,
        Err(503)
    );
    // ldap:// is never used without StartTLS: this slapd takes no password otherwise, and says so.
    let start_tls = slapd.by_template().replace(&slapd.ldaps, &slapd.ldap);
    let house = house("[\"ldap\"]", "[]", &start_tls).await;
    assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_search_is_our_fault_and_not_the_user_s() {
    let slapd = Slapd::start().await;
    let house = house("[\"ldap\"]", "[]", &slapd.by_search("(uid={user})", "wrong")).await;
    assert_eq!(house.login("carol", "pass-of-carol").await, Err(503));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_let_in_with_few_connections() {
    let slapd = Slapd::start().await;
    let ldap = slapd.by_template() + "max_connections = 2\nremember = \"0s\"\ntimeout = \"20s\"\n";
    let house = std::sync::Arc::new(house("[\"ldap\"]", "[]", &ldap).await);
    let logins = (0..30).map(|number| {
        let house = std::sync::Arc::clone(&house);
        // Of one user, who waits for its turn, and of many.
        let (user, password) = match number % 3 {
            0 => (format!("user{number}"), "guess"),
            _ => ("carol".to_owned(), "pass-of-carol"),
        };
        tokio::spawn(async move { house.login(&user, password).await })
    });
    let mut seen = HashSet::new();
    for login in logins.collect::<Vec<_>>() {
        seen.insert(login.await.unwrap());
    }
    assert_eq!(seen, HashSet::from([Ok("carol".to_owned()), Err(401)]));
    // It may hear of a new one before it hears that an old one is closed.
    let most = slapd.most_connections();
    assert!(most <= 4, "{most} at once");
}
