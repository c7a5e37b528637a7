//! Promise 10 for logins: no password and no token in any log, nor what was given for either.

use std::process::Stdio;

use onhook::config::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::house::{PATIENCE, ask, basic};
use crate::issuer::{Issuer, app_claims, bearer, claims_with, rs256};
use crate::slapd::Slapd;

#[tokio::test(flavor = "multi_thread")]
async fn at_trace_there_is_no_password_and_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, slapd) = (Issuer::start(folder.path()).await, Slapd::start().await);
    let config = folder.path().join("onhook.toml");
    let search = slapd
        .by_search("(uid={user})", "")
        .replace("search_password = \"\"", "search_password_env = \"OF_LDAP\"");
    let toml = format!(
        "[store]\nballast = \"0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[log]\nlevel = \"trace\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nlogin = [\"users\", \"ldap\", \"oauth\"]\n{}[login.ldap]\n{search}",
        issuer.toml()
    );
    std::fs::write(&config, toml).unwrap();
    let ready = folder.path().join("ready.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_onhook"))
        .args(["serve", "--config"])
        .arg(&config)
        .arg("--ready-file")
        .arg(&ready)
        .env("OF_LDAP", "pass-of-the-search")
        .env_remove("ONHOOK_LOG")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = String::new();
    let starting = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let is_ready = line.contains(" ready ");
            log = std::mem::take(&mut log) + &line + "\n";
            if is_ready {
                return;
            }
        }
        panic!("{log}");
    };
    timeout(PATIENCE, starting).await.unwrap();
    let addresses: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let address = addresses["http"][0].as_str().unwrap().parse().unwrap();

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
    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let mut rest = lines.into_inner();
    timeout(PATIENCE, rest.read_to_string(&mut log)).await.unwrap().unwrap();
    assert!(child.wait().await.unwrap().success());

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
