//! What the handlers share: the settings, the service behind the door, and who is asking.
//!
//! Step 2 in the life of a DisconnectPhoneCall begins here: what the client presents goes to the service, which knows the
//! users.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;

use super::answer::{Refusal, challenge, refuse};
use super::connection::{ClientCertificate, Connection};
use super::{Service, Settings, Unauthenticated, forwarded, page};
use crate::auth::{LoginMethods, Presented, takes_secrets};
use crate::metrics;

/// What handlers share.
pub(super) struct Front<S> {
    pub(super) settings: Arc<Settings>,
    pub(super) service: Arc<S>,
    /// Bytes of bodies that there is room for.
    pub(super) room: Arc<Semaphore>,
}

impl<S> Front<S> {
    pub(super) fn new(settings: Arc<Settings>, service: Arc<S>) -> Self {
        let room = Arc::new(Semaphore::new(settings.bodies_limit.min(Semaphore::MAX_PERMITS)));
        Self {
            settings,
            service,
            room,
        }
    }
}

impl<S> Clone for Front<S> {
    fn clone(&self) -> Self {
        Self {
            settings: Arc::clone(&self.settings),
            service: Arc::clone(&self.service),
            room: Arc::clone(&self.room),
        }
    }
}

/// Whose request it is. Routes are made of handlers that take it first, so that none answers a stranger.
pub(super) struct Authenticated<S: Service> {
    pub(super) caller: S::Caller,
    pub(super) connection: Connection,
    /// What the service keeps for the connection.
    pub(super) kept: Arc<S::Connection>,
    pub(super) front: Front<S>,
}

impl<S: Service> FromRequestParts<Front<S>> for Authenticated<S> {
    type Rejection = Response;

    async fn from_request_parts(head: &mut Parts, front: &Front<S>) -> Result<Self, Response> {
        let (Some(connection), Some(kept)) = (
            head.extensions.get::<Connection>().cloned(),
            head.extensions.get::<Arc<S::Connection>>().cloned(),
        ) else {
            // There is no request without a connection.
            return Err(refuse(Refusal::Unavailable, &head.method, &front.settings));
        };
        match authenticate(front, &connection, &kept, &head.headers).await {
            Ok(caller) => Ok(Self {
                caller,
                connection,
                kept,
                front: front.clone(),
            }),
            Err(refused) => {
                let page = page::for_strangers(&head.method, &head.uri);
                Err(refused.into_response(&head.method, &front.settings, page))
            }
        }
    }
}

/// Why the caller is not known.
pub(super) enum Refused {
    /// No credentials, or wrong ones; with what would be taken.
    Challenge(LoginMethods),
    Other(Refusal),
}

impl Refused {
    /// The answer; `page` is what a browser shows when its user has no password to give.
    pub(super) fn into_response(self, method: &Method, settings: &Settings, page: Option<String>) -> Response {
        match self {
            Self::Challenge(methods) => challenge(methods, method, settings, page),
            Self::Other(refusal) => refuse(refusal, method, settings),
        }
    }
}

/// Finds out who is asking, by what is taken on this connection.
async fn authenticate<S: Service>(
    front: &Front<S>,
    connection: &Connection,
    kept: &S::Connection,
    headers: &HeaderMap,
) -> Result<S::Caller, Refused> {
    let peer = connection.peer.ip();
    if !takes_secrets(front.settings.basic_over_plain_http, connection.is_tls, peer) {
        // Without a challenge: a client that is asked would send the password.
        return Err(Refused::Other(Refusal::NeedsTls));
    }
    let methods = connection.methods;
    let certificate = match connection.client_certificate.as_deref().map(ClientCertificate::verify) {
        None => None,
        Some(Ok(certificate)) => certificate,
        Some(Err(error)) => {
            let peer = connection.peer;
            tracing::info!(%peer, "not let in: its certificate has been good, and is no longer: {error}");
            metrics::login_refused("wrong");
            return Err(Refused::Other(Refusal::CertificateLapsed));
        }
    };
    let certificate = certificate.filter(|_| methods.certificate);
    let Some(presented) = presented(certificate, headers) else {
        return Err(Refused::Challenge(methods));
    };
    let client = forwarded::client(peer, headers, &front.settings.trusted_proxies);
    let authenticated = front.service.authenticate(presented, methods, client, kept).await;
    authenticated.map_err(|unauthenticated| {
        let peer = connection.peer;
        match unauthenticated {
            // The attempts before it are in the log, and there is no end to these.
            Unauthenticated::TryLater(_) => tracing::debug!(%peer, %client, "not let in: {unauthenticated}"),
            _ => tracing::info!(%peer, %client, "not let in: {unauthenticated}"),
        }
        let (reason, refused) = match unauthenticated {
            Unauthenticated::Rejected => ("wrong", Refused::Challenge(methods)),
            Unauthenticated::TryLater(wait) => ("too-many", Refused::Other(Refusal::TooManyAttempts(wait))),
            Unauthenticated::Unavailable => ("unavailable", Refused::Other(Refusal::Unavailable)),
        };
        metrics::login_refused(reason);
        refused
    })
}

/// What the client says about itself. An `Authorization` header goes before a certificate: it was sent for this request.
fn presented<'r>(certificate: Option<&'r CertificateDer<'static>>, headers: &'r HeaderMap) -> Option<Presented<'r>> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(authorization), None) => authorization.to_str().ok().map(Presented::Authorization),
        (None, None) => certificate.map(Presented::Certificate),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::HeaderValue;

    use super::super::places::Places;
    use super::*;
    use crate::config::Config;
    use crate::http::{Answer, ServiceRequest};

    struct Anybody;

    impl Service for Anybody {
        type Caller = ();
        type Connection = ();

        async fn authenticate(
            &self,
            _: Presented<'_>,
            _: LoginMethods,
            _: IpAddr,
            (): &(),
        ) -> Result<(), Unauthenticated> {
            Ok(())
        }

        async fn answer(&self, _: ServiceRequest<'_, Self>) -> Result<Answer, ews::Fault> {
            Err(ews::Fault::InvalidRequest)
        }
    }

    #[tokio::test]
    async fn over_plain_http_from_another_machine_no_password_is_taken_and_none_is_asked_for() {
        let config: Config = Config::parse("", std::path::Path::new("onhook.toml")).unwrap();
        let front = Front::new(Arc::new(Settings::from(&config.http)), Arc::new(Anybody));
        let mut given = HeaderMap::new();
        given.insert(AUTHORIZATION, HeaderValue::from_static("Basic YWxpY2U6c2VjcmV0"));
        for (peer, is_tls, is_safe) in [
            ("192.0.2.1:4711", false, false),
            ("192.0.2.1:4711", true, true),
            ("127.0.0.1:4711", false, true),
        ] {
            let peer = peer.parse().unwrap();
            let connection = Connection {
                peer,
                is_tls,
                methods: LoginMethods::of(&config.http.login),
                client_certificate: None,
                place: Arc::new(Places::new(1, 1, Vec::new()).take(peer.ip()).unwrap()),
                outbox: Arc::default(),
            };
            let with = authenticate(&front, &connection, &(), &given).await;
            assert_eq!(with.is_ok(), is_safe, "{peer}");
            let without = authenticate(&front, &connection, &(), &HeaderMap::new()).await;
            assert_eq!(matches!(without, Err(Refused::Challenge(_))), is_safe, "{peer}");
        }
    }
}
