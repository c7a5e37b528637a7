//! Tokens that an application has got for itself: nobody is signed in, and the configuration says whose account it is.

use ews::ServerVersion;
use serde_json::{Value, json};

use crate::house::{House, play};
use crate::impersonation::in_place_of;
use crate::issuer::{Issuer, app_claims, bearer, claims_with, rs256};

const APPS: &str = "scope = \"voice\"\n\
    [[login.oauth.app]]\nid = \"6f0b1c9e\"\naccount = \"dialler\"\nrole = \"full_access_as_app\"\n\
    [[login.oauth.app]]\nid = \"any-role\"\naccount = \"dialler\"\n\
    [[login.impersonation]]\naccount = \"dialler\"\nmailboxes = [\"alice\"]\n";

async fn start(apps: &str) -> (tempfile::TempDir, Issuer, House) {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    let house = House::plain(&format!("login = [\"oauth\"]\n{}{apps}", issuer.toml())).await;
    (folder, issuer, house)
}

/// As the issuers make them: the id that they give the application, and what else tells that it is one.
fn tokens_of(id: &str) -> [(&'static str, Value); 5] {
    let roles = json!(["another", "full_access_as_app"]);
    [
        (
            "Entra ID, version 1",
            json!({ "appid": id, "appidacr": "1", "idtyp": "app", "oid": "1", "sub": "1", "roles": roles }),
        ),
        (
            "Entra ID, version 2",
            json!({ "azp": id, "azpacr": "1", "idtyp": "app", "oid": "1", "sub": "1", "roles": roles }),
        ),
        (
            "without the optional idtyp",
            json!({ "azp": id, "oid": "1", "sub": "1", "roles": roles }),
        ),
        (
            "RFC 9068",
            json!({ "client_id": id, "sub": id, "scope": "voice", "roles": roles }),
        ),
        (
            "Okta",
            json!({ "cid": id, "sub": id, "scp": ["voice"], "roles": roles }),
        ),
    ]
}

async fn who(house: &House, issuer: &Issuer, claims: Value) -> Result<String, u16> {
    house
        .who(&bearer(&issuer.sign(&rs256("rsa"), &app_claims(claims))))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_the_account_that_the_configuration_says_and_acts_for_its_mailboxes() {
    let (_folder, issuer, house) = start(APPS).await;
    for id in ["6f0b1c9e", "any-role"] {
        for (kind, claims) in tokens_of(id) {
            assert_eq!(
                who(&house, &issuer, claims.clone()).await.as_deref(),
                Ok("dialler"),
                "{kind}"
            );
            let token = bearer(&issuer.sign(&rs256("rsa"), &app_claims(claims)));
            for (mailbox, fault) in [("alice", None), ("bob", Some("ErrorImpersonateUserDenied"))] {
                let document = play(house.item(mailbox)).encode(ServerVersion::EXCHANGE_2013);
                let sid = format!("<t:SmtpAddress>{mailbox}</t:SmtpAddress>");
                let answer = house.ask(&token, &in_place_of(&document, &sid)).await;
                let is_reached = answer.status == 200 && !answer.body.contains("ErrorItemNotFound");
                assert_eq!(is_reached, fault.is_none(), "{kind}, {mailbox}: {}", answer.body);
                assert!(answer.body.contains(fault.unwrap_or_default()), "{}", answer.body);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_listed_or_lacks_its_role_is_refused() {
    let (_folder, issuer, none_listed) = start("").await;
    for (kind, claims) in tokens_of("6f0b1c9e") {
        assert_eq!(who(&none_listed, &issuer, claims).await, Err(401), "{kind}");
    }
    let (_folder, issuer, house) = start(APPS).await;
    for (kind, claims) in tokens_of("another") {
        assert_eq!(who(&house, &issuer, claims).await, Err(401), "{kind}");
    }
    for (kind, mut claims) in tokens_of("6f0b1c9e") {
        claims["roles"] = json!(["another"]);
        assert_eq!(who(&house, &issuer, claims).await, Err(401), "{kind}");
    }
}

/// An application that is let in by itself is none for everybody who uses it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_uses_an_application_is_not_the_application() {
    let (_folder, issuer, house) = start(APPS).await;
    for id in ["6f0b1c9e", "any-role"] {
        let roles = json!(["full_access_as_app"]);
        for claims in [
            json!({ "azp": id, "scp": "voice", "sub": "1", "oid": "2", "roles": roles }),
            json!({ "azp": id, "idtyp": "user", "sub": "1", "oid": "2", "roles": roles }),
            json!({ "azp": id, "sub": "1" }),
            // An ID token of somebody whom the application has signed in.
            json!({ "azp": id, "sub": "1", "oid": "2", "nonce": "3", "roles": roles }),
            json!({ "azp": id, "appid": "another", "idtyp": "app", "roles": roles }),
        ] {
            assert_eq!(who(&house, &issuer, claims.clone()).await, Err(401), "{claims}");
        }
        let mut of_carol = claims_with("azp", json!(id));
        of_carol["roles"] = roles;
        let token = |claims: &Value| bearer(&issuer.sign(&rs256("rsa"), claims));
        assert_eq!(house.who(&token(&of_carol)).await, Err(401), "users need the scope");
        of_carol["scp"] = json!("voice");
        assert_eq!(house.who(&token(&of_carol)).await.as_deref(), Ok("carol"));
    }
}
