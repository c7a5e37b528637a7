//! What stands behind the door: who may come in, and who answers.

use std::net::IpAddr;
use std::time::Duration;

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

    /// Does what the request asks for.
    fn answer(
        &self,
        caller: &Self::Caller,
        request: ews::Request,
    ) -> impl Future<Output = Result<ews::Response, ews::Fault>> + Send;
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

    async fn answer(&self, caller: &Caller, request: ews::Request) -> Result<ews::Response, ews::Fault> {
        self.operations.answer(caller, request).await
    }
}
