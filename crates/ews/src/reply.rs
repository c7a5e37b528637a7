//! The client's side of an answer: from the document to the payload, or to why there is none.
//!
//! Servers of other kinds and ages are met here, so codes stay text, and elements we do not know are passed over.

use crate::namespace::{Name, Namespace};
use crate::violation::Violation;
use crate::xml::{Element, Node, Reader};

/// Why an answer holds no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// `ResponseClass` is not `Success`.
    #[error("{text} ({code})")]
    Refused {
        /// `m:ResponseCode`
        code: String,
        /// `m:MessageText`
        text: String,
    },
    /// A SOAP fault.
    #[error("{text} ({code})")]
    Fault {
        /// The response code in the detail, or else the fault code.
        code: String,
        /// `faultstring`
        text: String,
    },
    /// A success without what it should have brought.
    #[error("the answer lacks its {0}")]
    Missing(&'static str),
    /// Not an answer of EWS.
    #[error("the answer is not what EWS sends: {0}")]
    Invalid(#[from] Violation),
}

/// Decodes an answer whose Body holds `name`; `payload` gets every child that is not common to all responses, and
/// reads it to its end.
pub(crate) fn decode_reply(
    body: &[u8],
    name: &str,
    payload: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    let mut reader = Reader::new(body, false)?;
    let expected = [Name::messages(name), Name::soap("Fault")];
    let envelope = loop {
        match reader.next()? {
            Node::Start(element) => break element,
            Node::Text { .. } | Node::End => {}
            Node::Eof => return Err(reader.violation(0, "The document is empty.").into()),
        }
    };
    while let Some(part) = reader.any_child(&envelope, &[Name::soap("Body")])? {
        if part.name != Name::soap("Body") {
            reader.skip()?;
            continue;
        }
        let answer = reader.required_child(&part, &expected)?;
        if answer.name.namespace == Namespace::Soap {
            return Err(decode_fault(&mut reader, &answer)?);
        }
        return decode_message(&mut reader, &answer, payload);
    }
    Err(reader.incomplete(&envelope, &[Name::soap("Body")]).into())
}

/// Decodes one response message, of the Body or inside another.
pub(crate) fn decode_message(
    reader: &mut Reader<'_>,
    message: &Element<'_>,
    mut payload: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    let success = message.value("ResponseClass").is_some_and(|class| class == "Success");
    let mut code = String::new();
    let mut text = String::new();
    while let Some(child) = reader.any_child(message, &[Name::messages("ResponseCode")])? {
        match child.name.local {
            "ResponseCode" => code = reader.text_of(&child)?,
            "MessageText" => text = reader.text_of(&child)?,
            "DescriptiveLinkKey" | "MessageXml" => reader.skip()?,
            _ if success => payload(reader, &child)?,
            _ => reader.skip()?,
        }
    }
    if success {
        Ok(())
    } else {
        Err(ReplyError::Refused { code, text })
    }
}

fn decode_fault(reader: &mut Reader<'_>, fault: &Element<'_>) -> Result<ReplyError, Violation> {
    let mut code = String::new();
    let mut text = String::new();
    while let Some(child) = reader.any_child(fault, &[])? {
        match child.name.local {
            "faultcode" => {
                let name = reader.text_of(&child)?;
                code = name.rsplit(':').next().unwrap_or_default().to_owned();
            }
            "faultstring" => text = reader.text_of(&child)?,
            "detail" => {
                while let Some(entry) = reader.any_child(&child, &[])? {
                    if entry.name.local == "ResponseCode" {
                        code = reader.text_of(&entry)?;
                    } else {
                        reader.skip()?;
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    Ok(ReplyError::Fault { code, text })
}
