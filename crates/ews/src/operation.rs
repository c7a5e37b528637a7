//! The operations this server knows: the one place that lists them.

use crate::convert_id::{self, AlternateId, ConvertId};
use crate::disconnect_phone_call::{self, DisconnectPhoneCall};
use crate::fault::Fault;
use crate::get_phone_call_information::{self, GetPhoneCallInformation, PhoneCallInformation};
use crate::get_service_configuration::{self, GetServiceConfiguration, UnifiedMessagingConfiguration};
use crate::namespace::{Name, Namespace};
use crate::not_served::is_not_served;
use crate::phone_call_id::PhoneCallId;
use crate::play_on_phone::{self, PlayOnPhone};
use crate::print::answer;
use crate::response::ResponseMessage;
use crate::version::{ServerVersion, ServerVersionInfo};
use crate::xml::{Element, Reader};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Ring a phone and play a message.
    PlayOnPhone(PlayOnPhone),
    /// Tell how a call is going.
    GetPhoneCallInformation(GetPhoneCallInformation),
    /// End a call.
    DisconnectPhoneCall(DisconnectPhoneCall),
    /// Tell what the caller may do.
    GetServiceConfiguration(GetServiceConfiguration),
    /// Convert ids; a version probe.
    ConvertId(ConvertId),
}

/// What the client is told, one variant for each operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The call that was placed.
    PlayOnPhone(ResponseMessage<PhoneCallId>),
    /// How the call is going.
    GetPhoneCallInformation(ResponseMessage<PhoneCallInformation>),
    /// The call has ended.
    DisconnectPhoneCall(ResponseMessage<()>),
    /// One message for each configuration asked for.
    GetServiceConfiguration(ResponseMessage<Vec<ResponseMessage<UnifiedMessagingConfiguration>>>),
    /// One message for each source id.
    ConvertId(Vec<ResponseMessage<AlternateId>>),
}

/// The elements a Body may hold, in the order of the schema.
pub(crate) const OPERATIONS: [Name<'static>; 5] = [
    Name::messages(play_on_phone::NAME),
    Name::messages(get_phone_call_information::NAME),
    Name::messages(disconnect_phone_call::NAME),
    Name::messages(get_service_configuration::NAME),
    Name::messages(convert_id::NAME),
];

impl Operation {
    /// Decodes the Body's child.
    pub(crate) fn decode(
        reader: &mut Reader<'_>,
        body: &Element<'_>,
        element: &Element<'_>,
        version: Option<ServerVersion>,
    ) -> Result<Self, Fault> {
        if !OPERATIONS.contains(&element.name) {
            if element.name.namespace == Namespace::Messages && is_not_served(element.name.local) {
                return Err(Fault::InvalidOperation);
            }
            return Err(reader.unexpected_child(body, element, &OPERATIONS).into());
        }
        let name = element.name.local;
        let is_too_old = version.is_some_and(|version| version < ServerVersion::EXCHANGE_2010);
        if is_too_old && name != convert_id::NAME {
            return Err(Fault::IncorrectSchemaVersion);
        }
        Ok(match name {
            play_on_phone::NAME => Self::PlayOnPhone(PlayOnPhone::decode(reader, element)?),
            get_phone_call_information::NAME => {
                Self::GetPhoneCallInformation(GetPhoneCallInformation::decode(reader, element)?)
            }
            disconnect_phone_call::NAME => Self::DisconnectPhoneCall(DisconnectPhoneCall::decode(reader, element)?),
            get_service_configuration::NAME => {
                Self::GetServiceConfiguration(GetServiceConfiguration::decode(reader, element)?)
            }
            _ => Self::ConvertId(ConvertId::decode(reader, element)?),
        })
    }

    /// The names of all operations that are served.
    pub fn names() -> impl Iterator<Item = &'static str> {
        OPERATIONS.into_iter().map(|operation| operation.local)
    }

    /// The operation's name in the schema.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PlayOnPhone(_) => play_on_phone::NAME,
            Self::GetPhoneCallInformation(_) => get_phone_call_information::NAME,
            Self::DisconnectPhoneCall(_) => disconnect_phone_call::NAME,
            Self::GetServiceConfiguration(_) => get_service_configuration::NAME,
            Self::ConvertId(_) => convert_id::NAME,
        }
    }

    /// The request, as a client sends it.
    pub fn encode(&self, version: ServerVersion) -> String {
        match self {
            Self::PlayOnPhone(operation) => operation.encode(version),
            Self::GetPhoneCallInformation(operation) => operation.encode(version),
            Self::DisconnectPhoneCall(operation) => operation.encode(version),
            Self::GetServiceConfiguration(operation) => operation.encode(version),
            Self::ConvertId(operation) => operation.encode(version),
        }
    }
}

impl Response {
    /// The whole document. It travels with HTTP status 200, errors too.
    pub fn encode(&self, version: &ServerVersionInfo) -> String {
        let body = match self {
            Self::PlayOnPhone(response) => PlayOnPhone::encode_response(response),
            Self::GetPhoneCallInformation(response) => GetPhoneCallInformation::encode_response(response),
            Self::DisconnectPhoneCall(response) => DisconnectPhoneCall::encode_response(response),
            Self::GetServiceConfiguration(response) => GetServiceConfiguration::encode_response(response),
            Self::ConvertId(messages) => ConvertId::encode_response(messages),
        };
        answer(version, &body)
    }
}
