//! What the handlers share: the settings, the service behind the door, and who is asking.
//!
//! Step 2 in the life of a DisconnectPhoneCall begins here: the header goes to the service, which knows the users.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;

use super::answer::{Refusal, challenge, refuse};
use super::connection::Connection;
use super::{Service, Settings, Unauthenticated};
use crate::auth::takes_basic;

/// What handlers share.
pub(super) struct Front<S> {
    pub(super) settings: Arc<Settings>,
    pub(super) service: Arc<S>,
}

impl<S> Clone for Front<S> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            service: Arc::clone(&self.service),
        }
    }
}

/// Why the caller is not known.
pub(super) enum Refused {
    /// No credentials, or wrong ones.
    Challenge,
    Other(Refusal),
}

impl Refused {
    /// The answer; `page` is what a browser shows when its user has no password to give.
    pub(super) fn into_response(self, settings: &Settings, page: Option<String>) -> Response {
        match self {
            Self::Challenge => challenge(&settings.realm, page),
            Self::Other(refusal) => refuse(refusal),
        }
    }
}

/// Finds out who is asking, if passwords are taken on this connection.
pub(super) async fn authenticate<S: Service>(
    front: &Front<S>,
    connection: Connection,
    headers: &HeaderMap,
) -> Result<S::Caller, Refused> {
    let peer = connection.peer.ip();
    if !takes_basic(front.settings.basic_over_plain_http, connection.is_tls, peer) {
        // Without a challenge: a client that is asked would send the password.
        return Err(Refused::Other(Refusal::NeedsTls));
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(authorization), None) = (given.next(), given.next()) else {
        return Err(Refused::Challenge);
    };
    let Ok(authorization) = authorization.to_str() else {
        return Err(Refused::Challenge);
    };
    let authenticated = front.service.authenticate(authorization, peer).await;
    authenticated.map_err(|unauthenticated| {
        tracing::info!(peer = %connection.peer, "not let in: {unauthenticated}");
        match unauthenticated {
            Unauthenticated::Rejected => Refused::Challenge,
            Unauthenticated::TryLater(wait) => Refused::Other(Refusal::TooManyAttempts(wait)),
            Unauthenticated::Unavailable => Refused::Other(Refusal::Unavailable),
        }
    })
}
