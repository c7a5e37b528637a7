//! `DisconnectPhoneCall`: ends the caller's call, and says so when the far end has, or when the wish to end is durable
//! and the far end takes its time.

use ews::{PhoneCallId, ResponseCode, ResponseError};

use super::{Operations, of_store};
use crate::auth::Caller;
use crate::calls::DisconnectError;

impl Operations {
    pub(super) async fn disconnect_phone_call(&self, caller: &Caller, id: &PhoneCallId) -> Result<(), ResponseError> {
        let disconnected = self.calls.disconnect(caller, &id.0).await;
        disconnected.map_err(|error| of_disconnect(&error).into())
    }
}

fn of_disconnect(error: &DisconnectError) -> ResponseCode {
    match error {
        DisconnectError::Unknown => ResponseCode::InvalidPhoneCallId,
        DisconnectError::Store(cause) => {
            tracing::error!(%error, "a call cannot be looked up");
            of_store(cause)
        }
        DisconnectError::NotJournaled | DisconnectError::NotInTime => {
            tracing::error!(%error, "a hang-up cannot be promised");
            ResponseCode::InternalServerTransientError
        }
        // Every call is being ended, but this one is not known to be.
        DisconnectError::Draining => ResponseCode::InternalServerTransientError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_never_claimed_for_a_wish_that_is_not_durable() {
        assert_eq!(
            of_disconnect(&DisconnectError::Unknown),
            ResponseCode::InvalidPhoneCallId
        );
        let transient = ResponseCode::InternalServerTransientError;
        assert_eq!(of_disconnect(&DisconnectError::NotJournaled), transient);
        assert_eq!(of_disconnect(&DisconnectError::NotInTime), transient);
        assert_eq!(of_disconnect(&DisconnectError::Draining), transient);
    }
}
