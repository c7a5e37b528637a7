//! One of everything that goes over the wire, for tests to validate and for people to read.

use std::time::Duration;

use crate::convert_id::ConvertId;
use crate::disconnect_phone_call::DisconnectPhoneCall;
use crate::fault::Fault;
use crate::get_phone_call_information::{GetPhoneCallInformation, PhoneCallInformation};
use crate::get_service_configuration::{GetServiceConfiguration, UnifiedMessagingConfiguration};
use crate::operation::{Operation, Response};
use crate::phone_call_id::PhoneCallId;
use crate::play_on_phone::PlayOnPhone;
use crate::response::{ResponseError, ResponseMessage};
use crate::response_code::ResponseCode;
use crate::version::{ServerVersion, ServerVersionInfo};

/// A document and what it is.
#[derive(Clone, Debug)]
pub struct Example {
    /// Fit for a file name.
    pub name: String,
    /// The whole document.
    pub document: String,
}

/// Every request, every response with every code, every fault.
pub fn examples() -> Vec<Example> {
    let version = ServerVersionInfo::default();
    let mut examples = Vec::new();
    let mut add = |name: String, document: String| examples.push(Example { name, document });

    for operation in Operation::examples() {
        let document = operation.encode(ServerVersion::EXCHANGE_2013);
        add(format!("{}-request", operation.name()), document);
    }
    for (index, response) in Response::successes().iter().enumerate() {
        let document = response.encode(&version);
        add(format!("{}-{index}", response.name()), document);
    }
    for code in ResponseCode::ALL {
        for response in Response::errors(*code) {
            let document = response.encode(&version);
            add(format!("{}-{}", response.name(), code.name()), document);
        }
    }
    for fault in Fault::examples() {
        let name = fault.code().map_or("MustUnderstand", ResponseCode::name);
        add(format!("Fault-{name}"), fault.encode(&version));
    }
    examples
}

impl Operation {
    /// One of each.
    pub fn examples() -> Vec<Self> {
        vec![
            Self::PlayOnPhone(PlayOnPhone::example()),
            Self::GetPhoneCallInformation(GetPhoneCallInformation::example()),
            Self::DisconnectPhoneCall(DisconnectPhoneCall::example()),
            Self::GetServiceConfiguration(GetServiceConfiguration::example()),
            Self::ConvertId(ConvertId::example()),
        ]
    }
}

impl Response {
    /// The response element's name.
    fn name(&self) -> &'static str {
        match self {
            Self::PlayOnPhone(_) => "PlayOnPhoneResponse",
            Self::GetPhoneCallInformation(_) => "GetPhoneCallInformationResponse",
            Self::DisconnectPhoneCall(_) => "DisconnectPhoneCallResponse",
            Self::GetServiceConfiguration(_) => "GetServiceConfigurationResponse",
            Self::ConvertId(_) => "ConvertIdResponse",
        }
    }

    fn successes() -> Vec<Self> {
        let configuration = ResponseMessage::Success(UnifiedMessagingConfiguration::example());
        let not_served = ResponseMessage::Error(ResponseCode::InvalidRequest.into());
        let mut successes = vec![
            Self::PlayOnPhone(ResponseMessage::Success(PhoneCallId::example())),
            Self::DisconnectPhoneCall(ResponseMessage::Success(())),
            Self::GetServiceConfiguration(ResponseMessage::Success(vec![configuration, not_served])),
            Self::ConvertId(
                ConvertId::example()
                    .source_ids
                    .into_iter()
                    .map(ResponseMessage::Success)
                    .collect(),
            ),
        ];
        let information = PhoneCallInformation::examples().into_iter();
        successes.extend(information.map(|each| Self::GetPhoneCallInformation(ResponseMessage::Success(each))));
        successes
    }

    fn errors(code: ResponseCode) -> Vec<Self> {
        let error = ResponseError {
            back_off: (code == ResponseCode::ServerBusy).then_some(Duration::from_secs(30)),
            ..code.into()
        };
        vec![
            Self::PlayOnPhone(ResponseMessage::Error(error.clone())),
            Self::GetPhoneCallInformation(ResponseMessage::Error(error.clone())),
            Self::DisconnectPhoneCall(ResponseMessage::Error(error.clone())),
            Self::GetServiceConfiguration(ResponseMessage::Error(error.clone())),
            Self::ConvertId(vec![
                ResponseMessage::Error(error.clone()),
                ResponseMessage::Error(error),
            ]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::OPERATIONS;

    #[test]
    fn every_operation_has_an_example_and_its_errors() {
        let names: Vec<_> = OPERATIONS.iter().map(|name| name.local).collect();
        let examples: Vec<_> = Operation::examples().iter().map(Operation::name).collect();
        assert_eq!(examples, names);
        let responses: Vec<_> = names.iter().map(|name| format!("{name}Response")).collect();
        let errors: Vec<_> = Response::errors(ResponseCode::AccessDenied)
            .iter()
            .map(Response::name)
            .collect();
        assert_eq!(errors, responses);
    }
}
