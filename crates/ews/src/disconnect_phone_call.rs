//! `DisconnectPhoneCall`: ends a call.

use crate::phone_call_id::PhoneCallId;
use crate::print::request;
use crate::reply::{ReplyError, decode_reply};
use crate::response::ResponseMessage;
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const NAME: &str = "DisconnectPhoneCall";
const RESPONSE: &str = "DisconnectPhoneCallResponse";

/// `m:DisconnectPhoneCall`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisconnectPhoneCall {
    /// The call to end.
    pub phone_call_id: PhoneCallId,
}

impl DisconnectPhoneCall {
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

    /// A success has nothing to tell beyond itself.
    ///
    /// # Errors
    /// When the server refused, or the answer is none.
    pub fn decode_response(body: &[u8]) -> Result<(), ReplyError> {
        decode_reply(body, RESPONSE, |reader, _| Ok(reader.skip()?))
    }

    pub(crate) fn encode_response(response: &ResponseMessage<()>) -> String {
        response.encode(RESPONSE, |_, ()| {})
    }

    pub(crate) fn example() -> Self {
        Self {
            phone_call_id: PhoneCallId::example(),
        }
    }
}
