//! Bearer tokens (RFC 6750) that are signed JWTs (RFC 7519) of one issuer.
//!
//! A token counts when its signature is right under a key of the issuer (`keys`, `jws`) and its claims say: of this
//! issuer, for us, of this time, this user, or this application (`app`). What the token itself says about how to verify it (`jku`, `jwk`, `x5u`, an
//! algorithm that is not on the list) counts for nothing.

mod app;
mod jws;
mod keys;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use thiserror::Error;

use super::AuthError;
use super::domains::Domains;
use super::throttle::Throttle;
use crate::config::{self, SigningAlgorithm};
use crate::store::UserName;
use app::Apps;
use jws::Signed;
use keys::Keys;
pub use keys::KeysError;

/// Why a token is not taken. For the log; the client learns no more than that.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    #[error("it is no signed JWT")]
    Malformed,
    #[error("its algorithm is not one of those that are taken")]
    Algorithm,
    #[error("the issuer has no such key")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is another issuer's")]
    Issuer,
    #[error("it is meant for somebody else")]
    Audience,
    #[error("it has expired, or does not say when")]
    Expired,
    #[error("its time has not come")]
    NotYet,
    #[error("it lacks the scope")]
    Scope,
    #[error("it names no user")]
    User,
    #[error(
        "it is application {0:?}'s own and names no user; no [[login.oauth.app]] says which account that application is"
    )]
    App(String),
    #[error("it is application {0:?}'s own, and lacks the role")]
    Role(String),
}

/// Who verifies tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    keys: Keys,
    rules: Rules,
}

/// What a token has to say.
#[derive(Debug)]
struct Rules {
    issuer: String,
    audience: Vec<String>,
    algorithms: Vec<SigningAlgorithm>,
    user_claim: String,
    scope: Option<String>,
    leeway: Duration,
    domains: Arc<Domains>,
    apps: Apps,
}

impl Tokens {
    /// `None` when `[login.oauth]` names no issuer. Nothing is connected to.
    pub(super) fn new(config: &config::LoginOAuth, domains: Arc<Domains>) -> Result<Option<Self>, AuthError> {
        let (Some(issuer), Some(jwks_url)) = (&config.issuer, &config.jwks_url) else {
            return Ok(None);
        };
        Ok(Some(Self {
            keys: Keys::new(jwks_url, config.ca.as_deref())?,
            rules: Rules {
                issuer: issuer.clone(),
                audience: config.audience.clone(),
                algorithms: config.algorithms.clone(),
                user_claim: config.user_claim.clone(),
                scope: config.scope.clone(),
                leeway: config.leeway.0,
                domains,
                apps: Apps::new(&config.app),
            },
        }))
    }

    /// The user of a token. One that nobody can have got from the issuer counts as a failed login; one that has merely
    /// expired does not. Verifying costs less than counting would save, so a good one is never held up by others' bad ones.
    pub(super) async fn login(&self, token: &str, client: IpAddr, throttle: &Throttle) -> Result<UserName, AuthError> {
        match self.verify(token).await {
            Ok(claims) => Ok(self.rules.user(&claims, SystemTime::now())?),
            Err(error) => {
                if matches!(error, AuthError::Token(_)) {
                    throttle.check_tokens(client)?;
                    throttle.bad_token(client);
                }
                Err(error)
            }
        }
    }

    /// The claims, if a key of the issuer has signed them.
    async fn verify(&self, token: &str) -> Result<Map<String, Value>, AuthError> {
        let signed = Signed::parse(token, &self.rules.algorithms)?;
        let key = self.keys.find(&signed).await?.ok_or(TokenError::UnknownKey)?;
        Ok(signed.claims(&key)?)
    }
}

/// The algorithm of a token, and its claims if a key of this JWKS has signed them.
pub(super) fn read(
    token: &str,
    jwks: &[u8],
    allowed: &[SigningAlgorithm],
) -> Option<(SigningAlgorithm, Option<Map<String, Value>>)> {
    let signed = Signed::parse(token, allowed).ok()?;
    let key = keys::parse(jwks).ok().and_then(|keys| keys::pick(&keys, &signed));
    let claims = key.and_then(|key| signed.claims(&key).ok());
    Some((signed.algorithm, claims))
}

impl Rules {
    /// Whom the claims name, if they are as they must be.
    fn user(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<UserName, TokenError> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        if text("iss") != Some(&self.issuer) {
            return Err(TokenError::Issuer);
        }
        let is_for_us = |audience: &Value| {
            let audience = audience.as_str();
            audience.is_some_and(|audience| self.audience.iter().any(|own| own == audience))
        };
        if !match claims.get("aud") {
            Some(Value::Array(several)) => several.iter().any(is_for_us),
            Some(one) => is_for_us(one),
            None => false,
        } {
            return Err(TokenError::Audience);
        }
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| TokenError::NotYet)?
            .as_secs_f64();
        let leeway = self.leeway.as_secs_f64();
        let expires = claims.get("exp").and_then(Value::as_f64).ok_or(TokenError::Expired)?;
        if now >= expires + leeway {
            return Err(TokenError::Expired);
        }
        if let Some(not_before) = claims.get("nbf")
            && not_before.as_f64().is_none_or(|not_before| now < not_before - leeway)
        {
            return Err(TokenError::NotYet);
        }
        let Some(user) = claims.get(&self.user_claim).filter(|user| !user.is_null()) else {
            // An application has roles, and scopes only with some issuers.
            return self.apps.account(claims);
        };
        if let Some(scope) = &self.scope
            && !has_scope(claims, scope)
        {
            return Err(TokenError::Scope);
        }
        let user = user.as_str().and_then(|user| self.domains.user(user));
        user.ok_or(TokenError::User)
    }
}

/// `scope` (RFC 8693 §4.2) is words with spaces between; some issuers call it `scp`, some make a list of it.
fn has_scope(claims: &Map<String, Value>, wanted: &str) -> bool {
    ["scope", "scp"].iter().any(|claim| match claims.get(*claim) {
        Some(Value::String(scopes)) => scopes.split(' ').any(|scope| scope == wanted),
        Some(Value::Array(scopes)) => scopes.iter().any(|scope| scope == wanted),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn rules() -> Rules {
        Rules {
            issuer: "https://login.example/".to_owned(),
            audience: vec!["onhook".to_owned(), "https://voice.example".to_owned()],
            algorithms: vec![SigningAlgorithm::Rs256],
            user_claim: "upn".to_owned(),
            scope: None,
            leeway: Duration::from_secs(60),
            domains: Arc::new(Domains::new(&["example.com".to_owned()])),
            apps: Apps::new(&[]),
        }
    }

    fn good() -> Value {
        json!({ "iss": "https://login.example/", "aud": "onhook", "exp": NOW + 300, "upn": "Alice@example.com" })
    }

    /// The good claims with some of them changed; `null` leaves one out.
    fn judged(rules: &Rules, changes: Value) -> Result<String, TokenError> {
        let mut claims = good().as_object().unwrap().clone();
        for (claim, value) in changes.as_object().unwrap() {
            if value.is_null() {
                claims.remove(claim);
            } else {
                claims.insert(claim.clone(), value.clone());
            }
        }
        let user = rules.user(&claims, UNIX_EPOCH + Duration::from_secs(NOW))?;
        Ok(user.to_string())
    }

    #[test]
    fn a_token_of_the_issuer_for_us_and_of_this_time_names_its_user() {
        let alice = Ok("alice".to_owned());
        for changes in [
            json!({}),
            json!({ "aud": ["another", "https://voice.example"] }),
            json!({ "exp": NOW - 59 }),
            json!({ "exp": NOW as f64 + 0.5 }),
            json!({ "nbf": NOW + 60 }),
            json!({ "nbf": 0 }),
        ] {
            assert_eq!(judged(&rules(), changes.clone()), alice, "{changes}");
        }
        let foreign = judged(&rules(), json!({ "upn": "alice@elsewhere.example" }));
        assert_eq!(foreign.as_deref(), Ok("alice@elsewhere.example"));
    }

    #[test]
    fn any_other_is_refused_for_its_reason() {
        use TokenError::{Audience, Expired, Issuer, NotYet, User};
        for (changes, reason) in [
            (json!({ "iss": "https://login.example" }), Issuer),
            (json!({ "iss": null }), Issuer),
            (json!({ "aud": "other" }), Audience),
            (json!({ "aud": ["other"] }), Audience),
            (json!({ "aud": [] }), Audience),
            (json!({ "aud": null }), Audience),
            (json!({ "aud": { "onhook": true } }), Audience),
            (json!({ "exp": NOW - 60 }), Expired),
            (json!({ "exp": null }), Expired),
            (json!({ "exp": "9999999999" }), Expired),
            (json!({ "nbf": NOW + 61 }), NotYet),
            (json!({ "nbf": "soon" }), NotYet),
            (json!({ "upn": null }), User),
            (json!({ "upn": 5 }), User),
            (json!({ "upn": "a b" }), User),
        ] {
            assert_eq!(judged(&rules(), changes.clone()), Err(reason), "{changes}");
        }
    }

    #[test]
    fn a_scope_is_one_of_several_words() {
        let rules = Rules {
            scope: Some("voice".to_owned()),
            ..rules()
        };
        for changes in [
            json!({ "scope": "mail voice" }),
            json!({ "scp": "voice" }),
            json!({ "scp": ["mail", "voice"] }),
        ] {
            judged(&rules, changes).unwrap();
        }
        for changes in [json!({}), json!({ "scope": "voicemail" }), json!({ "scp": ["mail"] })] {
            assert_eq!(judged(&rules, changes), Err(TokenError::Scope));
        }
    }
}
