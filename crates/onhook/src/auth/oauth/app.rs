//! Tokens that an application has got for itself (client credentials, RFC 6749 §4.4): nobody is signed in. They count for the
//! applications that the configuration lists, each of which is an account.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::TokenError;
use crate::config::LoginOAuthApp;
use crate::store::UserName;

/// What issuers call the application that a token was given to: RFC 9068 §2.2, Entra ID in its versions 1 and 2 (and OpenID
/// Connect), Okta.
const ID_CLAIMS: [&str; 4] = ["client_id", "appid", "azp", "cid"];

/// The applications that are somebody here, by their ids.
#[derive(Debug)]
pub(super) struct Apps(HashMap<String, LoginOAuthApp>);

impl Apps {
    pub(super) fn new(apps: &[LoginOAuthApp]) -> Self {
        Self(apps.iter().map(|app| (app.id.clone(), app.clone())).collect())
    }

    /// The account of the application whose own token this is.
    ///
    /// # Errors
    /// When it is nobody's, or of an application that is not listed or lacks its role.
    pub(super) fn account(&self, claims: &Map<String, Value>) -> Result<UserName, TokenError> {
        let id = id(claims)
            .filter(|id| is_app_only(claims, id))
            .ok_or(TokenError::User)?;
        let app = self.0.get(id).ok_or_else(|| TokenError::App(id.to_owned()))?;
        if let Some(role) = &app.role
            && !roles(claims).any(|given| given == role)
        {
            return Err(TokenError::Role(id.to_owned()));
        }
        Ok(app.account.clone())
    }
}

/// The one application that the token was given to.
fn id(claims: &Map<String, Value>) -> Option<&str> {
    let mut ids = ID_CLAIMS.iter().filter_map(|claim| claims.get(*claim));
    let id = ids.next()?;
    ids.all(|other| other == id).then(|| id.as_str())?
}

/// Whether it is the application that asks, and not somebody who uses it: both kinds of tokens may lack the claim that names
/// the user.
fn is_app_only(claims: &Map<String, Value>, id: &str) -> bool {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    // Entra ID: scopes are what a user lets an application do, which has roles for what it does by itself.
    let is_delegated = ["scp", "scope"].iter().any(|claim| claims.contains_key(*claim));
    let subject = text("sub");
    match claims.get("idtyp") {
        Some(kind) => kind == "app" && !is_delegated,
        // RFC 9068 §2.2: where no resource owner is involved, the subject is the client.
        None if subject == Some(id) => true,
        // Entra ID without the optional claim: the object that is signed in; for users the subject is another in each application.
        None => subject.is_some() && subject == text("oid") && !is_delegated,
    }
}

fn roles(claims: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let roles = claims.get("roles").and_then(Value::as_array);
    roles.into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(claims: Value) -> Result<String, TokenError> {
        let app = |id: &str, role: Option<&str>| LoginOAuthApp {
            id: id.to_owned(),
            account: "dialler".parse().unwrap(),
            role: role.map(str::to_owned),
        };
        let apps = Apps::new(&[app("any", None), app("with", Some("full_access_as_app"))]);
        apps.account(claims.as_object().unwrap())
            .map(|account| account.to_string())
    }

    #[test]
    fn an_application_s_own_token_is_its_account_s() {
        for claims in [
            json!({ "appid": "any", "idtyp": "app" }),
            json!({ "azp": "any", "oid": "1", "sub": "1" }),
            json!({ "appid": "with", "azp": "with", "idtyp": "app", "roles": ["some", "full_access_as_app"] }),
            json!({ "client_id": "any", "sub": "any", "scope": "voice" }),
            json!({ "cid": "any", "sub": "any", "scp": ["voice"] }),
        ] {
            assert_eq!(account(claims.clone()).as_deref(), Ok("dialler"), "{claims}");
        }
    }

    #[test]
    fn an_application_that_is_not_listed_or_lacks_its_role_is_told_so() {
        for (id, reason) in [
            ("other", TokenError::App("other".to_owned())),
            ("ANY", TokenError::App("ANY".to_owned())),
            ("with", TokenError::Role("with".to_owned())),
        ] {
            for claims in [
                json!({ "azp": id, "idtyp": "app", "roles": ["some"] }),
                json!({ "azp": id, "oid": "1", "sub": "1" }),
                json!({ "client_id": id, "sub": id, "roles": "full_access_as_app" }),
            ] {
                assert_eq!(account(claims.clone()), Err(reason.clone()), "{claims}");
            }
        }
    }

    #[test]
    fn any_other_token_is_nobody_s() {
        for claims in [
            // Somebody who uses the application.
            json!({ "azp": "any", "scp": "voice", "oid": "1", "sub": "1" }),
            json!({ "azp": "any", "scp": "voice", "idtyp": "app" }),
            json!({ "client_id": "any", "sub": "any", "idtyp": "user" }),
            json!({ "azp": "any", "roles": ["some"], "idtyp": "user", "oid": "1", "sub": "1" }),
            json!({ "azp": "any", "roles": ["some"], "oid": "1", "sub": "2" }),
            json!({ "azp": "any", "roles": ["some"], "sub": "somebody" }),
            json!({ "azp": "any", "roles": ["some"] }),
            // Nobody knows whose.
            json!({ "idtyp": "app", "sub": "any" }),
            json!({ "appid": "any", "azp": "other", "idtyp": "app" }),
            json!({ "azp": ["any"], "idtyp": "app" }),
            json!({}),
        ] {
            assert_eq!(account(claims.clone()), Err(TokenError::User), "{claims}");
        }
    }
}
