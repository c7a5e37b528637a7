//! The operations of EWS, in the house's own words: calls, messages, numbers.
//!
//! Step 4 in the life of a DisconnectPhoneCall. Here is decided what an operation does and which response code tells of
//! it; how it came in (HTTP, another door) is not known here, and neither is how a call is made.

mod convert_id;
mod disconnect_phone_call;
mod get_phone_call_information;
mod get_service_configuration;
mod play_on_phone;

use std::sync::Arc;

use ews::{Fault, Operation, PhoneCallId, Request, Response, ResponseCode, ResponseError};
use tokio_util::sync::CancellationToken;

use crate::auth::Caller;
use crate::auth::impersonation::{Impersonation, ImpersonationError};
use crate::calls::{Calls, UndeliveredId};
use crate::gate::Gate;
use crate::messages::Messages;
use crate::store::StoreError;

/// What operations work with.
#[derive(Clone)]
pub struct Operations {
    calls: Calls,
    messages: Arc<dyn Messages>,
    gate: Gate,
    impersonation: Arc<Impersonation>,
}

/// What became of a request.
pub struct Outcome {
    pub response: Response,
    /// The call whose id is in the response.
    pub undelivered: Option<UndeliveredId>,
}

impl Outcome {
    fn of_call(placed: Result<UndeliveredId, ResponseError>) -> Self {
        let id = placed
            .as_ref()
            .map(|undelivered| PhoneCallId(undelivered.id().as_str().to_owned()));
        Self {
            response: Response::PlayOnPhone(id.map_err(Clone::clone).into()),
            undelivered: placed.ok(),
        }
    }
}

impl Operations {
    pub fn new(calls: Calls, messages: Arc<dyn Messages>, gate: Gate, impersonation: Impersonation) -> Self {
        Self {
            calls,
            messages,
            gate,
            impersonation: Arc::new(impersonation),
        }
    }

    /// Does what a request asks for, on behalf of `caller`; `gone` is cancelled when nobody can be told any more. A call
    /// is not placed then. All else is carried out.
    ///
    /// # Errors
    /// A fault when the caller may not ask on that behalf. What cannot be done otherwise is told in the response.
    pub async fn answer(&self, caller: &Caller, request: Request, gone: &CancellationToken) -> Result<Outcome, Fault> {
        let acting_as;
        let caller = match &request.impersonation {
            None => caller,
            Some(sid) => {
                let owner = self.impersonation.act_as(caller, sid).await;
                acting_as = owner.map_err(|error| of_impersonation(&error))?;
                tracing::info!(mailbox = acting_as.name, "acting for a mailbox");
                &acting_as
            }
        };
        let response = match request.operation {
            Operation::PlayOnPhone(operation) => {
                let placing = self.play_on_phone(caller, &operation);
                let placed = gone.run_until_cancelled(placing).await;
                return Ok(Outcome::of_call(placed.unwrap_or_else(|| {
                    tracing::info!("no call is placed: the client is gone");
                    Err(ResponseCode::UnifiedMessagingRequestFailed.into())
                })));
            }
            Operation::GetPhoneCallInformation(operation) => {
                let id = &operation.phone_call_id;
                Response::GetPhoneCallInformation(self.get_phone_call_information(caller, id).await.into())
            }
            Operation::DisconnectPhoneCall(operation) => {
                let id = &operation.phone_call_id;
                Response::DisconnectPhoneCall(self.disconnect_phone_call(caller, id).await.into())
            }
            Operation::GetServiceConfiguration(operation) => {
                Response::GetServiceConfiguration(self.get_service_configuration(caller, &operation).await.into())
            }
            Operation::ConvertId(operation) => Response::ConvertId(self.convert_id(caller, &operation).await),
        };
        Ok(Outcome {
            response,
            undelivered: None,
        })
    }
}

/// A store that does not answer now may do so soon.
fn of_store(error: &StoreError) -> ResponseCode {
    if error.is_transient() {
        ResponseCode::InternalServerTransientError
    } else {
        ResponseCode::InternalServerError
    }
}

fn of_impersonation(error: &ImpersonationError) -> Fault {
    match error {
        ImpersonationError::Denied => Fault::ImpersonateUserDenied,
        ImpersonationError::NoMailbox => Fault::NonExistentMailbox,
        ImpersonationError::Store(_) => {
            tracing::error!(%error, "a mailbox cannot be looked up");
            Fault::InternalServerError
        }
    }
}
