//! What a listener takes, it offers; and no more.

use crate::house::{House, PASSWORD, basic};
use crate::issuer::{Issuer, bearer};
use crate::slapd::Slapd;

async fn challenges(house: &House, headers: &str) -> (u16, Vec<String>) {
    let answer = house.ask(headers, "").await;
    let challenges = answer.headers("www-authenticate");
    (answer.status, challenges.into_iter().map(str::to_owned).collect())
}

const BASIC: &str = "Basic realm=\"onhook\"";
const BEARER: &str = "Bearer realm=\"onhook\"";

#[tokio::test(flavor = "multi_thread")]
async fn by_default_that_is_basic_with_the_users_of_the_store() {
    let house = House::plain("").await;
    assert_eq!(challenges(&house, "").await, (401, vec![BASIC.to_owned()]));
    assert_eq!(house.login("alice", PASSWORD).await.as_deref(), Ok("alice"));
    for headers in [
        "Authorization: Bearer a.b.c\r\n",
        "Authorization: Negotiate YII=\r\n",
        &basic("alice", "wrong"),
    ] {
        assert_eq!(
            challenges(&house, headers).await,
            (401, vec![BASIC.to_owned()]),
            "{headers}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_at_once_are_offered_and_each_works() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, slapd) = (Issuer::start(folder.path()).await, Slapd::start().await);
    let toml = format!(
        "login = [\"users\", \"ldap\", \"oauth\"]\n{}[login.ldap]\n{}",
        issuer.toml(),
        slapd.by_template()
    );
    for house in [House::plain(&toml).await, House::tls(&toml).await] {
        assert_eq!(
            challenges(&house, "").await,
            (401, vec![BASIC.to_owned(), BEARER.to_owned()])
        );
        assert_eq!(house.login("alice", PASSWORD).await.as_deref(), Ok("alice"));
        assert_eq!(
            house.login("dave", "pass-of-dave").await,
            Err(401),
            "his entry is not where the template says"
        );
        assert_eq!(house.login("carol", "pass-of-carol").await.as_deref(), Ok("carol"));
        assert_eq!(house.who(&bearer(&issuer.token())).await.as_deref(), Ok("carol"));
        assert_eq!(
            house
                .who(&[basic("alice", PASSWORD), bearer(&issuer.token())].concat())
                .await,
            Err(401)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_tokens_are_taken_passwords_are_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    let house = House::plain(&format!("login = [\"oauth\"]\n{}", issuer.toml())).await;
    assert_eq!(challenges(&house, "").await, (401, vec![BEARER.to_owned()]));
    assert_eq!(
        challenges(&house, &basic("alice", PASSWORD)).await,
        (401, vec![BEARER.to_owned()])
    );
    assert_eq!(issuer.fetched(), 0);
}
