//! `t:PhoneCallIdType`: our handle for a call, and no SIP Call-ID.

use crate::namespace::Name;
use crate::print::print_attribute;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const PHONE_CALL_ID: Name<'_> = Name::messages("PhoneCallId");

/// `m:PhoneCallId`, as a client brings it: opaque, and not checked to be one of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhoneCallId(pub String);

impl PhoneCallId {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(element, &["Id"])?;
        let id = reader.required(element, "Id")?.value.clone().into_owned();
        reader.end_of_empty(element)?;
        Ok(Self(id))
    }

    /// The one child of an operation's element.
    pub(crate) fn decode_only_child(reader: &mut Reader<'_>, operation: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(operation, &[])?;
        let child = reader.required_child(operation, &[PHONE_CALL_ID])?;
        let id = Self::decode(reader, &child)?;
        reader.end(operation)?;
        Ok(id)
    }

    /// Prints the element under `name`, which carries the prefix, if any, that stands for messages.
    pub(crate) fn print(&self, out: &mut String, name: &str) {
        out.push('<');
        out.push_str(name);
        print_attribute(out, "Id", &self.0);
        out.push_str("/>");
    }

    /// Of the length and alphabet that this server's ids have.
    pub(crate) fn example() -> Self {
        Self("b25ob29rLWV4YW1wbGUtMQ".into())
    }
}
