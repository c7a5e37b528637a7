//! Bearer tokens of a real issuer.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;

use crate::house::{House, THROTTLED};
use crate::issuer::{Issuer, bearer, claims, claims_with, message, now, rs256};

async fn start(more: &str) -> (tempfile::TempDir, Issuer, House) {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    let house = House::plain(&format!("login = [\"oauth\"]\n{}{more}", issuer.toml())).await;
    (folder, issuer, house)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_issuer_lets_its_user_in() {
    let (_folder, issuer, house) = start("").await;
    assert_eq!(issuer.fetched(), 0, "nothing is fetched before it is needed");
    assert_eq!(house.who(&bearer(&issuer.token())).await.as_deref(), Ok("carol"));
    let es256 = issuer.sign(&json!({ "alg": "ES256", "kid": "ec", "typ": "at+jwt" }), &claims());
    assert_eq!(house.who(&bearer(&es256)).await.as_deref(), Ok("carol"));
    let dave = issuer.sign(&rs256("rsa"), &claims_with("upn", json!("dave")));
    assert_eq!(house.who(&bearer(&dave)).await.as_deref(), Ok("dave"));
    // Without an id, the only key there is for the algorithm.
    let nameless = issuer.sign(&json!({ "alg": "RS256" }), &claims());
    assert_eq!(house.who(&bearer(&nameless)).await.as_deref(), Ok("carol"));
    assert_eq!(issuer.fetched(), 1, "the keys are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_left_out_only_when_it_is_this_site_s() {
    let (_folder, issuer, house) = start("[login]\ndomains = [\"example.com\"]\n").await;
    for (upn, who) in [
        ("Carol@Example.com", "carol"),
        ("carol@elsewhere.example", "carol@elsewhere.example"),
        ("carol@evil.example", "nobody with a message"),
    ] {
        let token = issuer.sign(&rs256("rsa"), &claims_with("upn", json!(upn)));
        assert_eq!(house.who(&bearer(&token)).await.as_deref(), Ok(who), "{upn}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_issuer_did_not_sign_is_refused() {
    let (_folder, issuer, house) = start("").await;
    let good = issuer.token();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let other_claims = BASE64.encode(claims_with("upn", json!("alice")).to_string());
    let hs256 = message(&json!({ "alg": "HS256", "kid": "rsa" }), &claims());
    let mut mac = Hmac::<Sha256>::new_from_slice(issuer.rsa_public()).unwrap();
    mac.update(hs256.as_bytes());
    let hs256 = format!("{hs256}.{}", BASE64.encode(mac.finalize().into_bytes()));
    for (what, token) in [
        ("none", message(&json!({ "alg": "none" }), &claims()) + "."),
        (
            "None",
            message(&json!({ "alg": "None", "kid": "rsa" }), &claims()) + ".",
        ),
        ("a public key as a shared secret", hs256),
        ("other claims", format!("{header}.{other_claims}.{signature}")),
        ("no signature", format!("{head}.")),
        (
            "another key's signature",
            issuer.sign(&json!({ "alg": "ES256", "kid": "rsa" }), &claims()),
        ),
        (
            "an algorithm that is not on the list",
            issuer.sign(&json!({ "alg": "PS256", "kid": "rsa" }), &claims()),
        ),
        ("a key of its own", {
            let header =
                json!({ "alg": "RS256", "kid": "mine", "jwk": issuer.rsa_key("mine"), "jku": "https://localhost/" });
            issuer.sign(&header, &claims())
        }),
        (
            "crit",
            issuer.sign(&json!({ "alg": "RS256", "kid": "rsa", "crit": ["exp"] }), &claims()),
        ),
        (
            "another type",
            issuer.sign(&json!({ "alg": "RS256", "kid": "rsa", "typ": "logout+jwt" }), &claims()),
        ),
        ("padding", format!("{good}=")),
        ("a fourth part", format!("{good}.e30")),
        ("nothing", String::new()),
        ("words", "one.two.three".to_owned()),
        ("no object", issuer.sign(&rs256("rsa"), &json!([1]))),
        ("much", "A".repeat(20_000)),
    ] {
        assert_eq!(house.who(&bearer(&token)).await, Err(401), "{what}");
    }
    assert_eq!(house.who(&bearer(&good)).await.as_deref(), Ok("carol"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_for_others_or_for_another_time_is_refused() {
    let (_folder, issuer, house) = start("").await;
    for (claim, value) in [
        ("iss", json!("https://evil.example/")),
        ("aud", json!("another")),
        ("exp", json!(now() - 61)),
        ("exp", json!(null)),
        ("nbf", json!(now() + 120)),
        ("upn", json!(null)),
        ("upn", json!("")),
    ] {
        let token = issuer.sign(&rs256("rsa"), &claims_with(claim, value.clone()));
        assert_eq!(house.who(&bearer(&token)).await, Err(401), "{claim} {value}");
    }
    let late = issuer.sign(&rs256("rsa"), &claims_with("exp", json!(now() - 30)));
    assert_eq!(
        house.who(&bearer(&late)).await.as_deref(),
        Ok("carol"),
        "clocks differ a little"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_looked_for_once_a_minute_and_not_more_often() {
    let (_folder, issuer, house) = start("").await;
    assert_eq!(house.who(&bearer(&issuer.token())).await.as_deref(), Ok("carol"));
    issuer.publish(&json!({ "keys": [issuer.rsa_key("next")] }));
    let next = issuer.sign(&rs256("next"), &claims());
    for _ in 0..5 {
        assert_eq!(house.who(&bearer(&next)).await, Err(401));
    }
    assert_eq!(issuer.fetched(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_does_not_publish_keys_is_no_wrong_token() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    // The right keys both, if somebody went there, or read so far.
    let elsewhere = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        issuer.url
    );
    let long = json!({ "keys": [issuer.rsa_key("rsa")], "more": "x".repeat(300 * 1024) }).to_string();
    for answer in [
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        elsewhere,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"keys\":[]}".to_owned(),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{long}",
            long.len()
        ),
        "nonsense".to_owned(),
    ] {
        issuer.answer_with(answer.clone());
        let house = House::plain(&format!("login = [\"oauth\"]\n{}", issuer.toml())).await;
        let before = issuer.fetched();
        for _ in 0..3 {
            assert_eq!(house.who(&bearer(&issuer.token())).await, Err(503), "{answer:.80}");
        }
        assert_eq!(issuer.fetched(), before + 1, "{answer:.80}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_from_whom_the_authority_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    let other = tempfile::tempdir().unwrap();
    let stranger = Issuer::start(other.path()).await;
    let toml = issuer
        .toml()
        .replace(&issuer.ca.display().to_string(), &stranger.ca.display().to_string());
    let house = House::plain(&format!("login = [\"oauth\"]\n{toml}")).await;
    assert_eq!(house.who(&bearer(&issuer.token())).await, Err(503));
    assert_eq!(issuer.fetched(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_secrets_and_keys_for_something_else_verify_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path()).await;
    let secret = json!({ "kty": "oct", "kid": "rsa", "k": BASE64.encode("secret") });
    let mut encrypting = issuer.rsa_key("rsa");
    encrypting["use"] = json!("enc");
    let mut for_another = issuer.rsa_key("rsa");
    for_another["alg"] = json!("PS256");
    // One at a time: of two with one name, neither would count.
    for key in [secret, encrypting, for_another, json!("no key")] {
        issuer.publish(&json!({ "keys": [key, issuer.ec_key("ec")] }));
        let house = House::plain(&format!("login = [\"oauth\"]\n{}", issuer.toml())).await;
        assert_eq!(house.who(&bearer(&issuer.token())).await, Err(401), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_throttled_and_expired_ones_are_not() {
    let (_folder, issuer, house) = start("").await;
    let expired = issuer.sign(&rs256("rsa"), &claims_with("exp", json!(now() - 3_600)));
    for _ in 0..70 {
        assert_eq!(house.who(&bearer(&expired)).await, Err(401));
    }
    for _ in 0..60 {
        assert_eq!(house.who(&bearer("a.b.c")).await, Err(401));
    }
    assert_eq!(house.who(&bearer("a.b.c")).await, Err(THROTTLED));
    assert_eq!(
        house.who(&bearer(&issuer.token())).await.as_deref(),
        Ok("carol"),
        "a good one is not held up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_can_be_asked_for() {
    let (_folder, issuer, house) = start("scope = \"voice\"\n").await;
    assert_eq!(house.who(&bearer(&issuer.token())).await, Err(401));
    let scoped = issuer.sign(&rs256("rsa"), &claims_with("scp", json!("mail voice")));
    assert_eq!(house.who(&bearer(&scoped)).await.as_deref(), Ok("carol"));
}
