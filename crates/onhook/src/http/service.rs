//! What stands behind the door: who may come in, and who answers.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::auth::{AuthError, Authenticator, Caller, LoginMethods, Presented};
use crate::operations::Operations;

/// What the door needs from those behind it.
pub trait Service: Send + Sync + 'static {
    /// Who is asking.
    type Caller: Send + Sync;
    /// What is kept for a client's connection: made with it, and dropped when it has ended and its requests are done.
    type Connection: Default + Send + Sync;

    /// Finds out who presents this, by what is taken where it was presented. `client` is the address that wrong ones
    /// are counted for.
    fn authenticate(
        &self,
        presented: Presented<'_>,
        methods: LoginMethods,
        client: IpAddr,
        connection: &Self::Connection,
    ) -> impl Future<Output = Result<Self::Caller, Unauthenticated>> + Send;

    /// The longest body of a request of this operation, in bytes; `None` for the `body_limit` of the door, which is all that
    /// a stranger may send. How many bodies are held at once is the door's matter: see `bodies_limit`.
    fn body_limit(&self, _operation: &'static str) -> Option<usize> {
        None
    }

    /// Does what the request asks for. It is carried out to its end, also when the client is gone.
    fn answer(&self, request: ServiceRequest<'_, Self>) -> impl Future<Output = Result<Answer, ews::Fault>> + Send;
}

/// A request that was understood, and what belongs to it.
pub struct ServiceRequest<'a, S: Service + ?Sized> {
    /// Who asks.
    pub caller: &'a S::Caller,
    /// What is kept for the connection the request came in on.
    pub connection: &'a S::Connection,
    /// What is asked.
    pub decoded: ews::Request,
    /// Cancelled when the client has gone: it can be told nothing any more.
    pub gone: &'a CancellationToken,
}

/// What a request gets.
pub struct Answer {
    pub(super) content: Content,
    pub(super) on_delivered: Option<Box<dyn FnOnce() + Send>>,
}

pub(super) enum Content {
    Response(ews::Response),
    Parts(mpsc::Receiver<io::Result<Bytes>>),
}

impl From<ews::Response> for Answer {
    fn from(response: ews::Response) -> Self {
        Self {
            content: Content::Response(response),
            on_delivered: None,
        }
    }
}

impl Answer {
    /// A document that is passed on part by part, as fast as the client takes it and for as long as parts come. After an
    /// error the connection ends early, so that no client takes what it has for the whole. `parts` is dropped when the
    /// client is gone, or has taken nothing for too long.
    pub fn in_parts(parts: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self {
            content: Content::Parts(parts),
            on_delivered: None,
        }
    }

    /// Calls this when the answer has left for a client that was there. It is dropped when that never happens.
    #[must_use]
    pub fn once_delivered(self, on_delivered: impl FnOnce() + Send + 'static) -> Self {
        Self {
            on_delivered: Some(Box::new(on_delivered)),
            ..self
        }
    }
}

/// Why it is not known who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// The credentials are wrong, or of a scheme that is not offered: they are asked for again (401).
    #[error("wrong credentials")]
    Rejected,
    /// Too many attempts: try again after so long (`ErrorServerBusy`; to a browser, 429).
    #[error("too many attempts")]
    TryLater(Duration),
    /// It could not be found out (503).
    #[error("the user cannot be looked up")]
    Unavailable,
}

/// The house itself: the store's users, and the operations.
pub struct House {
    pub authenticator: Authenticator,
    pub operations: Operations,
}

impl Service for House {
    type Caller = Caller;
    type Connection = ();

    async fn authenticate(
        &self,
        presented: Presented<'_>,
        methods: LoginMethods,
        client: IpAddr,
        (): &(),
    ) -> Result<Caller, Unauthenticated> {
        let authenticated = self.authenticator.authenticate(presented, methods, client).await;
        if let Ok(Caller { name: Some(name), .. }) = &authenticated {
            tracing::Span::current().record("caller", name.as_str());
        }
        let from = |caller| Caller {
            address: Some(client.to_canonical()),
            ..caller
        };
        authenticated.map(from).map_err(|error| match error {
            AuthError::Malformed | AuthError::Rejected => Unauthenticated::Rejected,
            AuthError::Token(_) | AuthError::Certificate => {
                tracing::info!(%client, "{error}");
                Unauthenticated::Rejected
            }
            AuthError::Throttled { retry_after } => Unauthenticated::TryLater(retry_after),
            AuthError::Store(_) | AuthError::Verifier | AuthError::Ldap(_) | AuthError::Keys(_) => {
                tracing::error!(%error, "nobody can be let in");
                Unauthenticated::Unavailable
            }
        })
    }

    async fn answer(&self, request: ServiceRequest<'_, Self>) -> Result<Answer, ews::Fault> {
        let outcome = self
            .operations
            .answer(request.caller, request.decoded, request.gone)
            .await?;
        let answer = Answer::from(outcome.response);
        Ok(match outcome.undelivered {
            Some(undelivered) => answer.once_delivered(|| undelivered.delivered()),
            None => answer,
        })
    }
}
