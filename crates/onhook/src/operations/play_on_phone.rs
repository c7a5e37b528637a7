//! `PlayOnPhone`: finds the message, passes the gate, places the call. It returns once the call's intent is durable;
//! what becomes of the call is GetPhoneCallInformation's to tell.

use std::time::Duration;

use dial::Refusal;
use ews::{PlayOnPhone, ResponseCode, ResponseError};

use super::{Operations, of_store};
use crate::auth::Caller;
use crate::calls::{PlaceError, UndeliveredId};
use crate::gate::GateError;
use crate::messages::MessageError;

/// How long a client should wait when no port is free.
const BACK_OFF: Duration = Duration::from_secs(5);

impl Operations {
    pub(super) async fn play_on_phone(
        &self,
        caller: &Caller,
        operation: &PlayOnPhone,
    ) -> Result<UndeliveredId, ResponseError> {
        let found = self.messages.find(caller, &operation.item_id.id).await;
        let message = found.map_err(|error| of_message(&error))?;
        let permitted = self.gate.permit(caller, &operation.dial_string).await;
        let permit = permitted.map_err(|error| ResponseError::from(of_gate(&error)))?;
        let placed = self.calls.place(permit, message).await;
        placed.map_err(|error| of_place(&error))
    }
}

pub(super) fn of_message(error: &MessageError) -> ResponseError {
    let code = match error {
        MessageError::EmptyId => ResponseCode::InvalidIdEmpty,
        MessageError::MalformedId => ResponseCode::InvalidIdMalformed,
        MessageError::NotFound => ResponseCode::ItemNotFound,
        MessageError::Store(cause) => {
            tracing::error!(%error, "a message cannot be looked up");
            of_store(cause)
        }
    };
    code.into()
}

fn of_gate(error: &GateError) -> ResponseCode {
    match error {
        GateError::Refused(Refusal::NotANumber) => ResponseCode::InvalidPhoneNumber,
        GateError::Refused(Refusal::SipUri) => ResponseCode::InvalidSipUri,
        GateError::Refused(Refusal::NotAllowed | Refusal::Never(_)) => ResponseCode::PhoneNumberNotDialable,
        GateError::Refused(Refusal::NotEnabled) => ResponseCode::UserNotUnifiedMessagingEnabled,
        GateError::Store(error) => {
            tracing::error!(%error, "a user's extension cannot be looked up");
            of_store(error)
        }
    }
}

fn of_place(error: &PlaceError) -> ResponseError {
    let cause = error as &dyn std::error::Error;
    match error {
        PlaceError::Capped(capped) if capped.is_quota() => ResponseCode::SubmissionQuotaExceeded,
        PlaceError::Capped(capped) => return ResponseError::busy(capped.wait),
        PlaceError::NoPort(_) => {
            tracing::warn!(cause, "no call was placed");
            return ResponseError::busy(BACK_OFF);
        }
        PlaceError::NoTrunk => ResponseCode::IpGatewayNotFound,
        PlaceError::Draining => ResponseCode::UnifiedMessagingServerNotFound,
        PlaceError::NotPlayable(_) => {
            tracing::warn!(cause, "no call was placed");
            ResponseCode::UnifiedMessagingRequestFailed
        }
        PlaceError::NotJournaled | PlaceError::NotInTime => {
            tracing::error!(cause, "no call was placed");
            ResponseCode::InternalServerTransientError
        }
        PlaceError::NoRandomness(_) | PlaceError::Interrupted => {
            tracing::error!(cause, "no call was placed");
            ResponseCode::InternalServerError
        }
    }
    .into()
}

#[cfg(test)]
mod tests {
    use dial::Danger;

    use super::*;
    use crate::store::StoreError;

    #[test]
    fn what_the_gate_says_has_a_code_of_its_own() {
        for (refusal, code) in [
            (Refusal::NotANumber, ResponseCode::InvalidPhoneNumber),
            (Refusal::SipUri, ResponseCode::InvalidSipUri),
            (Refusal::NotAllowed, ResponseCode::PhoneNumberNotDialable),
            (Refusal::NotEnabled, ResponseCode::UserNotUnifiedMessagingEnabled),
            (Refusal::Never(Danger::Emergency), ResponseCode::PhoneNumberNotDialable),
        ] {
            assert_eq!(of_gate(&refusal.into()), code, "{refusal}");
        }
    }

    #[test]
    fn an_item_id_fails_in_three_ways() {
        assert_eq!(of_message(&MessageError::EmptyId).code, ResponseCode::InvalidIdEmpty);
        assert_eq!(
            of_message(&MessageError::MalformedId).code,
            ResponseCode::InvalidIdMalformed
        );
        assert_eq!(of_message(&MessageError::NotFound).code, ResponseCode::ItemNotFound);
    }

    #[test]
    fn a_disk_that_takes_too_long_may_be_asked_again() {
        let transient = ResponseCode::InternalServerTransientError;
        assert_eq!(of_message(&StoreError::NotInTime.into()).code, transient);
        assert_eq!(of_gate(&StoreError::TooManyReads.into()), transient);
        assert_eq!(of_place(&PlaceError::NotInTime).code, transient);
        assert_eq!(
            of_message(&StoreError::NoAnswer.into()).code,
            ResponseCode::InternalServerError
        );
    }

    #[test]
    fn a_call_that_was_not_placed_has_a_code_of_its_own() {
        assert_eq!(of_place(&PlaceError::NoTrunk).code, ResponseCode::IpGatewayNotFound);
        assert_eq!(
            of_place(&PlaceError::Draining).code,
            ResponseCode::UnifiedMessagingServerNotFound
        );
        assert_eq!(
            of_place(&PlaceError::NotJournaled).code,
            ResponseCode::InternalServerTransientError
        );
    }
}
