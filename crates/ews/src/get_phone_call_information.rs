//! `GetPhoneCallInformation`: how a call is going, or how it ended.

use crate::enumeration::enumeration;
use crate::namespace::{Name, TYPES};
use crate::phone_call_id::PhoneCallId;
use crate::print::{print_element, request};
use crate::reply::{ReplyError, decode_reply};
use crate::response::ResponseMessage;
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const NAME: &str = "GetPhoneCallInformation";
const RESPONSE: &str = "GetPhoneCallInformationResponse";

/// `m:GetPhoneCallInformation`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetPhoneCallInformation {
    /// The call to tell about.
    pub phone_call_id: PhoneCallId,
}

/// `t:PhoneCallInformation`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneCallInformation {
    /// `PhoneCallState`
    pub state: PhoneCallState,
    /// `ConnectionFailureCause`
    pub failure_cause: ConnectionFailureCause,
    /// `SIPResponseText` and `SIPResponseCode`: of the final answer, if there was one. Clients take a missing code
    /// for 200 and a missing text for OK, so there are both or none.
    pub sip_response: Option<SipResponse>,
}

/// A final SIP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipResponse {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub text: String,
}

enumeration! {
    /// `t:PhoneCallStateType`
    PhoneCallState {
        /// Nothing has happened yet.
        Idle,
        /// The call was placed; nobody has answered, not even by ringing.
        Connecting,
        /// The phone rings.
        Alerted,
        /// The phone was answered.
        Connected,
        /// The call is over.
        Disconnected,
        /// Somebody calls us.
        Incoming,
        /// The call is being handed to somebody else.
        Transferring,
        /// The phone passes the call on.
        Forwarding,
    }
}

enumeration! {
    /// `t:ConnectionFailureCauseType`
    ConnectionFailureCause {
        /// No failure.
        None,
        /// Busy or declined.
        UserBusy,
        /// It rang, and nobody came.
        NoAnswer,
        /// No such number, or no way to it.
        Unavailable,
        /// The rest.
        Other,
    }
}

impl GetPhoneCallInformation {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        let phone_call_id = PhoneCallId::decode_only_child(reader, element)?;
        Ok(Self { phone_call_id })
    }

    /// The request, as a client sends it.
    pub fn encode(&self, version: ServerVersion) -> String {
        let mut body = format!("<m:{NAME}>");
        self.phone_call_id.print(&mut body, "m:PhoneCallId");
        body.push_str(&format!("</m:{NAME}>"));
        request(version, &body)
    }

    /// What the server says of the call.
    ///
    /// # Errors
    /// When the server refused, or the answer is none.
    pub fn decode_response(body: &[u8]) -> Result<PhoneCallInformation, ReplyError> {
        let mut information = None;
        decode_reply(body, RESPONSE, |reader, child| {
            if child.name == Name::messages("PhoneCallInformation") {
                information = Some(PhoneCallInformation::decode(reader, child)?);
                return Ok(());
            }
            Ok(reader.skip()?)
        })?;
        information.ok_or(ReplyError::Missing("PhoneCallInformation"))
    }

    pub(crate) fn encode_response(response: &ResponseMessage<PhoneCallInformation>) -> String {
        response.encode(RESPONSE, |out, information| information.print(out))
    }

    pub(crate) fn example() -> Self {
        Self {
            phone_call_id: PhoneCallId::example(),
        }
    }
}

impl PhoneCallInformation {
    fn print(&self, out: &mut String) {
        out.push_str(&format!("<PhoneCallInformation xmlns:t=\"{TYPES}\">"));
        print_element(out, "t:PhoneCallState", self.state.name());
        print_element(out, "t:ConnectionFailureCause", self.failure_cause.name());
        if let Some(SipResponse { code, text }) = &self.sip_response {
            print_element(out, "t:SIPResponseText", text);
            print_element(out, "t:SIPResponseCode", &code.to_string());
        }
        out.push_str("</PhoneCallInformation>");
    }

    fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, ReplyError> {
        let mut state = None;
        let mut failure_cause = None;
        let mut code = None;
        let mut text = String::new();
        while let Some(child) = reader.any_child(element, &[Name::types("PhoneCallState")])? {
            match child.name.local {
                "PhoneCallState" => state = PhoneCallState::named(reader.text_of(&child)?.trim()),
                "ConnectionFailureCause" => {
                    failure_cause = ConnectionFailureCause::named(reader.text_of(&child)?.trim());
                }
                "SIPResponseText" => text = reader.text_of(&child)?,
                "SIPResponseCode" => code = reader.text_of(&child)?.trim().parse().ok(),
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            state: state.ok_or(ReplyError::Missing("PhoneCallState"))?,
            failure_cause: failure_cause.ok_or(ReplyError::Missing("ConnectionFailureCause"))?,
            sip_response: code.map(|code| SipResponse { code, text }),
        })
    }

    /// One of every state and every cause.
    pub(crate) fn examples() -> Vec<Self> {
        let in_state = |&state| Self {
            state,
            failure_cause: ConnectionFailureCause::None,
            sip_response: None,
        };
        let ended = |&failure_cause| Self {
            state: PhoneCallState::Disconnected,
            failure_cause,
            sip_response: Some(SipResponse {
                code: 486,
                text: "Busy Here".into(),
            }),
        };
        let states = PhoneCallState::ALL.iter().map(in_state);
        states.chain(ConnectionFailureCause::ALL.iter().map(ended)).collect()
    }
}
