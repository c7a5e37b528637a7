//! Promise 10 for logins: no password and no token in any log, nor what was given for either.

use onhook::config::Secret;
use serde_json::json;

use crate::house::{ask, basic};
use crate::issuer::{Issuer, app_claims, bearer, claims_with, rs256};
use crate::program::Program;
use crate::slapd::Slapd;

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_there_is_no_password_and_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, slapd) = (Issuer::start(folder.path()).await, Slapd::start().await);
    let search = slapd
        .by_search("(uid={user})", "")
        .replace("search_password = \"\"", "search_password_env = \"OF_LDAP\"");
    let toml = format!(
        "listen = \"127.0.0.1:0\"\nlogin = [\"users\", \"ldap\", \"oauth\"]\n{}[login.ldap]\n{search}",
        issuer.toml()
    );
    let program = Program::serve("trace", &toml, &[("OF_LDAP", "pass-of-the-search")]).await;
    let address = program.http[0];

    let good = issuer.token();
    let expired = issuer.sign(&rs256("rsa"), &claims_with("exp", json!(1)));
    let of_app = issuer.sign(
        &rs256("rsa"),
        &app_claims(json!({ "azp": "some-app", "idtyp": "app", "roles": ["some"] })),
    );
    let forged = format!("{}forged", good.rsplit_once('.').unwrap().0.to_owned() + ".");
    for (headers, status) in [
        (basic("carol", "pass-of-carol"), 500),
        (basic("carol", "guessed-by-somebody"), 401),
        (basic("nobody", "guessed-by-somebody"), 401),
        (bearer(&good), 500),
        (bearer(&expired), 401),
        (bearer(&forged), 401),
        (bearer(&of_app), 401),
    ] {
        // 500: let in, and the empty body is a fault.
        assert_eq!(ask(address, None, &headers, "").await.unwrap().status, status);
    }
    let log = program.stop().await;

    assert!(log.contains("the token is not taken"), "{log}");
    let in_words = "it is application \"some-app\"'s own and names no user; no [[login.oauth.app]] says which account";
    assert!(log.replace("\\\"", "\"").contains(in_words), "{log}");
    let signatures = [&good, &expired, &of_app].map(|token| token.rsplit_once('.').unwrap().1);
    let payload = good.split('.').nth(1).unwrap();
    let encoded = basic("carol", "pass-of-carol");
    let encoded = encoded.trim().rsplit_once(' ').unwrap().1;
    for secret in [
        "pass-of-carol",
        "pass-of-the-search",
        "guessed-by-somebody",
        payload,
        encoded,
    ]
    .iter()
    .chain(&signatures)
    {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn a_configuration_that_is_shown_shows_no_password() {
    let toml = "[login.ldap]\nsearch_dn = \"cn=a\"\nsearch_password = \"hunter2\"\n";
    let config = onhook::config::Config::parse(toml, std::path::Path::new("onhook.toml")).unwrap();
    assert_eq!(config.login.ldap.search_password, Some(Secret::new("hunter2")));
    assert!(!format!("{config:?}").contains("hunter2"));
}
