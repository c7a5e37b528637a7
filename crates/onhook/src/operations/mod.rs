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

use ews::{ConnectingSid, Fault, Operation, Request, Response};

use crate::auth::Caller;
use crate::calls::Calls;
use crate::dial::DialPolicy;
use crate::messages::Messages;

/// What operations work with.
#[derive(Clone)]
pub struct Operations {
    calls: Calls,
    messages: Arc<dyn Messages>,
    dial: Arc<DialPolicy>,
}

impl Operations {
    pub fn new(calls: Calls, messages: Arc<dyn Messages>, dial: DialPolicy) -> Self {
        Self {
            calls,
            messages,
            dial: Arc::new(dial),
        }
    }

    /// Does what a request asks for, on behalf of `caller`.
    ///
    /// # Errors
    /// A fault when the caller may not ask on that behalf. What cannot be done otherwise is told in the response.
    pub async fn answer(&self, caller: &Caller, request: Request) -> Result<Response, Fault> {
        if let Some(sid) = &request.impersonation
            && !is_self(caller, sid)
        {
            return Err(Fault::ImpersonateUserDenied);
        }
        Ok(match request.operation {
            Operation::PlayOnPhone(operation) => {
                Response::PlayOnPhone(self.play_on_phone(caller, &operation).await.into())
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
                Response::GetServiceConfiguration(self.get_service_configuration(caller, &operation).into())
            }
            Operation::ConvertId(operation) => Response::ConvertId(convert_id::convert_id(&operation)),
        })
    }
}

/// Whether the mailbox to act as is the caller's own; acting as somebody else is not granted to anybody yet.
fn is_self(caller: &Caller, sid: &ConnectingSid) -> bool {
    match sid {
        ConnectingSid::PrincipalName(name)
        | ConnectingSid::PrimarySmtpAddress(name)
        | ConnectingSid::SmtpAddress(name) => is_name_of(caller, name),
        ConnectingSid::Sid(_) => false,
    }
}

/// Whether a user name or address is the caller's. Like addresses, names are compared without regard to case.
fn is_name_of(caller: &Caller, name: &str) -> bool {
    let own = caller.name.as_deref();
    own.is_some_and(|own| own.eq_ignore_ascii_case(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_act_as_itself_only() {
        let anna = Caller {
            key: [1; 32],
            name: Some("anna@example.org".into()),
        };
        assert!(is_self(
            &anna,
            &ConnectingSid::PrimarySmtpAddress("Anna@Example.org".into())
        ));
        assert!(is_self(&anna, &ConnectingSid::PrincipalName("anna@example.org".into())));
        assert!(!is_self(&anna, &ConnectingSid::SmtpAddress("bob@example.org".into())));
        assert!(!is_self(&anna, &ConnectingSid::Sid("anna@example.org".into())));
        let nameless = Caller {
            key: [1; 32],
            name: None,
        };
        assert!(!is_self(&nameless, &ConnectingSid::PrincipalName(String::new())));
    }
}
