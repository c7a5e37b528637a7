//! What stands behind the door: who may come in, and who answers.

use std::net::IpAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::auth::{AuthError, Authenticator, Caller, Presented, Taken};
use crate::operations::Operations;

/// What the door needs from those behind it.
pub trait Service: Send + Sync + 'static {
    /// Who is asking.
    type Caller: Send + Sync;

    /// Finds out who presents this, by what is taken where it was presented. `client` is the address that wrong ones
    /// are counted for.
    fn authenticate(
        &self,
        presented: Presented<'_>,
        taken: Taken,
        client: IpAddr,
    ) -> impl Future<Output = Result<Self::Caller, Unauthenticated>> + Send;

    /// Does what the request asks for. It is carried out to its end, also when the client is gone.
    fn answer(&self, asked: Asked<'_, Self::Caller>) -> impl Future<Output = Result<Answer, ews::Fault>> + Send;
}

/// A request that was understood.
pub struct Asked<'a, C> {
    /// Who asks.
    pub caller: &'a C,
    pub request: ews::Request,
    /// Cancelled when the client has gone: it can be told nothing any more.
    pub gone: &'a CancellationToken,
}

/// What a request gets.
pub struct Answer {
    pub(super) response: ews::Response,
    pub(super) on_told: Option<Box<dyn FnOnce() + Send>>,
}

impl From<ews::Response> for Answer {
    fn from(response: ews::Response) -> Self {
        Self {
            response,
            on_told: None,
        }
    }
}

impl Answer {
    /// Calls this when the answer has left for a client that was there. It is dropped when that never happens.
    #[must_use]
    pub fn once_told(self, on_told: impl FnOnce() + Send + 'static) -> Self {
        Self {
            on_told: Some(Box::new(on_told)),
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

    async fn authenticate(
        &self,
        presented: Presented<'_>,
        taken: Taken,
        client: IpAddr,
    ) -> Result<Caller, Unauthenticated> {
        let authenticated = self.authenticator.authenticate(presented, taken, client).await;
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

    async fn answer(&self, asked: Asked<'_, Caller>) -> Result<Answer, ews::Fault> {
        let outcome = self.operations.answer(asked.caller, asked.request, asked.gone).await?;
        let answer = Answer::from(outcome.response);
        Ok(match outcome.untold {
            Some(untold) => answer.once_told(|| untold.told()),
            None => answer,
        })
    }
}
