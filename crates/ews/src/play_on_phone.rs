//! `PlayOnPhone`: rings a phone and plays a message to it.

use crate::namespace::Name;
use crate::phone_call_id::{PHONE_CALL_ID, PhoneCallId};
use crate::print::{print_attribute, print_element, request};
use crate::reply::{ReplyError, decode_reply};
use crate::response::ResponseMessage;
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const NAME: &str = "PlayOnPhone";
const RESPONSE: &str = "PlayOnPhoneResponse";
const ITEM_ID: Name<'_> = Name::messages("ItemId");
const DIAL_STRING: Name<'_> = Name::messages("DialString");

/// `m:PlayOnPhone`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayOnPhone {
    /// The message to play.
    pub item_id: ItemId,
    /// The number to ring, as the client wrote it. May be empty.
    pub dial_string: String,
}

/// `t:ItemIdType`: opaque to everybody but the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemId {
    /// `Id`; may be empty.
    pub id: String,
    /// `ChangeKey`: the version of the item the client has seen.
    pub change_key: Option<String>,
}

impl ItemId {
    fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(element, &["Id", "ChangeKey"])?;
        let id = reader.required(element, "Id")?.value.clone().into_owned();
        let change_key = element.value("ChangeKey").map(|key| key.clone().into_owned());
        reader.end_of_empty(element)?;
        Ok(Self { id, change_key })
    }
}

impl PlayOnPhone {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(element, &[])?;
        let item_id = reader.required_child(element, &[ITEM_ID])?;
        let item_id = ItemId::decode(reader, &item_id)?;
        let dial_string = reader.required_child(element, &[DIAL_STRING])?;
        reader.declared(&dial_string, &[])?;
        let dial_string = reader.text_of(&dial_string)?;
        reader.end(element)?;
        Ok(Self { item_id, dial_string })
    }

    /// The request, as a client sends it.
    pub fn encode(&self, version: ServerVersion) -> String {
        let mut body = format!("<m:{NAME}><m:ItemId");
        print_attribute(&mut body, "Id", &self.item_id.id);
        if let Some(change_key) = &self.item_id.change_key {
            print_attribute(&mut body, "ChangeKey", change_key);
        }
        body.push_str("/>");
        print_element(&mut body, "m:DialString", &self.dial_string);
        body.push_str(&format!("</m:{NAME}>"));
        request(version, &body)
    }

    /// The call that was placed. It has only begun: what becomes of it is
    /// [`GetPhoneCallInformation`](crate::GetPhoneCallInformation)'s to tell.
    ///
    /// # Errors
    /// When the server refused, or the answer is none.
    pub fn decode_response(body: &[u8]) -> Result<PhoneCallId, ReplyError> {
        let mut phone_call_id = None;
        decode_reply(body, RESPONSE, |reader, child| {
            if child.name == PHONE_CALL_ID {
                phone_call_id = Some(PhoneCallId::decode(reader, child)?);
                return Ok(());
            }
            Ok(reader.skip()?)
        })?;
        phone_call_id.ok_or(ReplyError::Missing("PhoneCallId"))
    }

    pub(crate) fn encode_response(response: &ResponseMessage<PhoneCallId>) -> String {
        response.encode(RESPONSE, |out, id| id.print(out, "PhoneCallId"))
    }

    pub(crate) fn example() -> Self {
        Self {
            item_id: ItemId {
                id: "bWVzc2FnZS1leGFtcGxlLTE".into(),
                change_key: Some("CQAAAA==".into()),
            },
            dial_string: "4711".into(),
        }
    }
}
