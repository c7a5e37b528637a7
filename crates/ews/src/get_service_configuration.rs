//! `GetServiceConfiguration`: whether the caller may use Play on Phone, and with which number by default.

use crate::enumeration::enumeration;
use crate::namespace::{Name, TYPES};
use crate::print::{print_element, request};
use crate::reply::{ReplyError, decode_message, decode_reply};
use crate::response::ResponseMessage;
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const NAME: &str = "GetServiceConfiguration";
const RESPONSE: &str = "GetServiceConfigurationResponse";
const MESSAGE: &str = "ServiceConfigurationResponseMessageType";
const ACTING_AS: Name<'_> = Name::messages("ActingAs");
const REQUESTED_CONFIGURATION: Name<'_> = Name::messages("RequestedConfiguration");
const CONFIGURATION_NAME: Name<'_> = Name::messages("ConfigurationName");
const CONFIGURATION_REQUEST_DETAILS: Name<'_> = Name::messages("ConfigurationRequestDetails");
/// `t:EmailAddressType`, in its order.
static EMAIL_ADDRESS: [Name<'_>; 6] = [
    Name::types("Name"),
    Name::types("EmailAddress"),
    Name::types("RoutingType"),
    Name::types("MailboxType"),
    Name::types("ItemId"),
    Name::types("OriginalDisplayName"),
];

/// `m:GetServiceConfiguration`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetServiceConfiguration {
    /// The address in `m:ActingAs`; empty when it holds none.
    pub acting_as: Option<String>,
    /// `m:RequestedConfiguration`, never empty when it was decoded.
    pub requested: Vec<ServiceConfiguration>,
}

enumeration! {
    /// `t:ServiceConfigurationType`
    ServiceConfiguration {
        /// Hints about recipients; not served.
        MailTips,
        /// Play on Phone.
        UnifiedMessagingConfiguration,
        /// Rights management; not served.
        ProtectionRules,
        /// Policies; not served.
        PolicyNudges,
    }
}

/// `m:UnifiedMessagingConfiguration`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedMessagingConfiguration {
    /// `UmEnabled`
    pub enabled: bool,
    /// `PlayOnPhoneDialString`: the number to offer first; may be empty.
    pub dial_string: String,
    /// `PlayOnPhoneEnabled`
    pub play_on_phone_enabled: bool,
}

impl GetServiceConfiguration {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(element, &[])?;
        let mut child = reader.required_child(element, &[ACTING_AS, REQUESTED_CONFIGURATION])?;
        let mut acting_as = None;
        if child.name == ACTING_AS {
            acting_as = Some(decode_address(reader, &child)?);
            child = reader.required_child(element, &[REQUESTED_CONFIGURATION])?;
        }
        let requested = decode_requested(reader, &child)?;
        if reader.child(element, &[CONFIGURATION_REQUEST_DETAILS])?.is_some() {
            // Details of configurations that are not served here; the schema lets them be anything.
            reader.skip()?;
            reader.end(element)?;
        }
        Ok(Self { acting_as, requested })
    }

    /// The request, as a client sends it.
    pub fn encode(&self, version: ServerVersion) -> String {
        let mut body = format!("<m:{NAME}>");
        if let Some(address) = &self.acting_as {
            body.push_str("<m:ActingAs>");
            print_element(&mut body, "t:EmailAddress", address);
            body.push_str("</m:ActingAs>");
        }
        body.push_str("<m:RequestedConfiguration>");
        for requested in &self.requested {
            print_element(&mut body, "m:ConfigurationName", requested.name());
        }
        body.push_str(&format!("</m:RequestedConfiguration></m:{NAME}>"));
        request(version, &body)
    }

    /// The caller's Unified Messaging configuration.
    ///
    /// # Errors
    /// When the server refused, or the answer is none.
    pub fn decode_response(body: &[u8]) -> Result<UnifiedMessagingConfiguration, ReplyError> {
        let mut configuration = None;
        decode_reply(body, RESPONSE, |reader, messages| {
            if messages.name != Name::messages("ResponseMessages") {
                return Ok(reader.skip()?);
            }
            while let Some(message) = reader.child(messages, &[Name::messages(MESSAGE)])? {
                decode_message(reader, &message, |reader, child| {
                    if child.name == Name::messages("UnifiedMessagingConfiguration") {
                        configuration = Some(UnifiedMessagingConfiguration::decode(reader, child)?);
                        return Ok(());
                    }
                    Ok(reader.skip()?)
                })?;
            }
            Ok(())
        })?;
        configuration.ok_or(ReplyError::Missing("UnifiedMessagingConfiguration"))
    }

    pub(crate) fn encode_response(
        response: &ResponseMessage<Vec<ResponseMessage<UnifiedMessagingConfiguration>>>,
    ) -> String {
        response.encode(RESPONSE, |out, messages| {
            out.push_str("<ResponseMessages>");
            for message in messages {
                message.print_nested(out, MESSAGE, |out, configuration| configuration.print(out));
            }
            out.push_str("</ResponseMessages>");
        })
    }

    pub(crate) fn example() -> Self {
        Self {
            acting_as: Some("anna@example.org".into()),
            requested: vec![ServiceConfiguration::UnifiedMessagingConfiguration],
        }
    }
}

fn decode_address(reader: &mut Reader<'_>, acting_as: &Element<'_>) -> Result<String, Violation> {
    reader.declared(acting_as, &[])?;
    let mut address = String::new();
    let mut expected = EMAIL_ADDRESS.as_slice();
    while let Some(child) = reader.child(acting_as, expected)? {
        let place = expected.iter().position(|name| *name == child.name).unwrap_or_default();
        expected = expected.get(place + 1..).unwrap_or_default();
        match child.name.local {
            "EmailAddress" => address = reader.text_of(&child)?,
            _ => reader.skip()?,
        }
    }
    Ok(address)
}

fn decode_requested(reader: &mut Reader<'_>, list: &Element<'_>) -> Result<Vec<ServiceConfiguration>, Violation> {
    reader.declared(list, &[])?;
    let mut requested = Vec::new();
    let mut child = Some(reader.required_child(list, &[CONFIGURATION_NAME])?);
    while let Some(element) = child {
        reader.declared(&element, &[])?;
        // The type is a list: one element may name several.
        let names = reader.text_of(&element)?;
        for name in names.split_ascii_whitespace() {
            requested.push(ServiceConfiguration::named(name).ok_or_else(|| {
                let subject = format!("{} element", element.name);
                reader.not_in_enumeration(element.offset, &subject, name, "ServiceConfigurationType")
            })?);
        }
        child = reader.child(list, &[CONFIGURATION_NAME])?;
    }
    Ok(requested)
}

impl UnifiedMessagingConfiguration {
    fn print(&self, out: &mut String) {
        out.push_str(&format!("<UnifiedMessagingConfiguration xmlns:t=\"{TYPES}\">"));
        print_element(out, "t:UmEnabled", &self.enabled.to_string());
        print_element(out, "t:PlayOnPhoneDialString", &self.dial_string);
        print_element(out, "t:PlayOnPhoneEnabled", &self.play_on_phone_enabled.to_string());
        out.push_str("</UnifiedMessagingConfiguration>");
    }

    fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        let mut configuration = Self {
            enabled: false,
            dial_string: String::new(),
            play_on_phone_enabled: false,
        };
        let is_true = |text: String| matches!(text.trim(), "true" | "1");
        while let Some(child) = reader.any_child(element, &[Name::types("UmEnabled")])? {
            match child.name.local {
                "UmEnabled" => configuration.enabled = is_true(reader.text_of(&child)?),
                "PlayOnPhoneDialString" => configuration.dial_string = reader.text_of(&child)?,
                "PlayOnPhoneEnabled" => configuration.play_on_phone_enabled = is_true(reader.text_of(&child)?),
                _ => reader.skip()?,
            }
        }
        Ok(configuration)
    }

    pub(crate) fn example() -> Self {
        Self {
            enabled: true,
            dial_string: "4711".into(),
            play_on_phone_enabled: true,
        }
    }
}
