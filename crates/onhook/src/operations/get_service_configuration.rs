//! `GetServiceConfiguration`: whether the caller may use Play on Phone.

use std::borrow::Cow;

use ews::{
    GetServiceConfiguration, ResponseCode, ResponseError, ResponseMessage, ServiceConfiguration,
    UnifiedMessagingConfiguration,
};

use super::Operations;
use crate::auth::Caller;

impl Operations {
    pub(super) async fn get_service_configuration(
        &self,
        caller: &Caller,
        operation: &GetServiceConfiguration,
    ) -> Result<Vec<ResponseMessage<UnifiedMessagingConfiguration>>, ResponseError> {
        let acts_as_other = operation
            .acting_as
            .as_ref()
            .is_some_and(|address| !self.impersonation.is_own(caller, address));
        if acts_as_other {
            return Err(ResponseError {
                text: Cow::Borrowed("The ActingAs parameter does not match a user in the directory."),
                ..ResponseCode::InvalidArgument.into()
            });
        }
        let mut configurations = Vec::with_capacity(operation.requested.len());
        for configuration in &operation.requested {
            configurations.push(self.configuration(caller, *configuration).await.into());
        }
        Ok(configurations)
    }

    async fn configuration(
        &self,
        caller: &Caller,
        configuration: ServiceConfiguration,
    ) -> Result<UnifiedMessagingConfiguration, ResponseError> {
        match configuration {
            ServiceConfiguration::UnifiedMessagingConfiguration => {
                let of_store = |error| {
                    tracing::error!(%error, "a user's numbers cannot be looked up");
                    ResponseError::from(super::of_store(&error))
                };
                let own = self.gate.own_extension(caller).await.map_err(of_store)?;
                Ok(UnifiedMessagingConfiguration {
                    enabled: true,
                    play_on_phone_enabled: self.gate.may_call(caller).await.map_err(of_store)?,
                    dial_string: own.unwrap_or_default(),
                })
            }
            ServiceConfiguration::MailTips
            | ServiceConfiguration::ProtectionRules
            | ServiceConfiguration::PolicyNudges => Err(ResponseError {
                text: Cow::Owned(format!("{} is not served here.", configuration.name())),
                ..ResponseCode::InvalidArgument.into()
            }),
        }
    }
}
