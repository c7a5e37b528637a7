//! The SOAP 1.1 envelope of a request.

use crate::fault::Fault;
use crate::header::{ConnectingSid, Header};
use crate::namespace::{Name, Namespace};
use crate::operation::{OPERATIONS, Operation};
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Node, Reader};

const ENVELOPE: Name<'_> = Name::soap("Envelope");
const HEADER: Name<'_> = Name::soap("Header");
const BODY: Name<'_> = Name::soap("Body");

/// How forgiving to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecodeOptions {
    /// Refuse the `https` spellings of the soap, messages and types namespaces, which documentation prints.
    pub strict_namespaces: bool,
}

/// A request that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The schema the client wrote against; WSDL-generated clients name none.
    pub server_version: Option<ServerVersion>,
    /// On whose behalf. The caller's right to that is yet to be checked.
    pub impersonation: Option<ConnectingSid>,
    /// What is asked.
    pub operation: Operation,
}

/// Decodes a request. The cost is linear in its length; bounding that length is the caller's part.
///
/// # Errors
/// The fault to answer with.
pub fn decode(body: &[u8], options: &DecodeOptions) -> Result<Request, Fault> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::InvalidRequest);
    }
    let mut reader = Reader::new(body, options.strict_namespaces)?;
    let envelope = root(&mut reader)?;
    foreign_attributes_only(&reader, &envelope)?;

    let mut part = reader.required_child(&envelope, &[HEADER, BODY])?;
    let mut header = Header::default();
    if part.name == HEADER {
        foreign_attributes_only(&reader, &part)?;
        header = Header::decode(&mut reader, &part)?;
        part = reader.required_child(&envelope, &[BODY])?;
    }
    foreign_attributes_only(&reader, &part)?;

    let Some(element) = reader.any_child(&part, &OPERATIONS)? else {
        return Err(Fault::InvalidRequest);
    };
    let operation = Operation::decode(&mut reader, &part, &element, header.server_version)?;
    if reader.any_child(&part, &[])?.is_some() {
        return Err(Fault::InvalidRequest);
    }
    end(&mut reader, &envelope)?;
    Ok(Request {
        server_version: header.server_version,
        impersonation: header.impersonation,
        operation,
    })
}

/// Which operation a request addresses, from as much of it as has come: told once the operation's own tag is there. Whether
/// the rest is right is for [`decode`] to say.
pub fn addressed(begun: &[u8], options: &DecodeOptions) -> Option<&'static str> {
    // Behind the last whole tag half a character may stand.
    let whole_tags = begun.iter().rposition(|&byte| byte == b'>')? + 1;
    let mut reader = Reader::new(&begun[..whole_tags], options.strict_namespaces).ok()?;
    let envelope = root(&mut reader).ok()?;
    let mut part = reader.required_child(&envelope, &[HEADER, BODY]).ok()?;
    if part.name == HEADER {
        reader.skip().ok()?;
        part = reader.required_child(&envelope, &[BODY]).ok()?;
    }
    let element = reader.any_child(&part, &OPERATIONS).ok()??;
    let operation = OPERATIONS.into_iter().find(|operation| *operation == element.name)?;
    Some(operation.local)
}

fn root<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, Violation> {
    loop {
        match reader.next()? {
            Node::Start(element) if element.name == ENVELOPE => return Ok(element),
            Node::Start(element) => {
                let text = format!(
                    "The element {} is not declared. List of possible elements expected: {ENVELOPE}.",
                    element.name
                );
                return Err(reader.violation(element.offset, text));
            }
            Node::Text { .. } | Node::End => {}
            Node::Eof => return Err(reader.violation(0, "The root element is missing.")),
        }
    }
}

/// The Envelope may have further elements after the Body (SOAP 1.1 §4); nothing may follow the Envelope.
fn end(reader: &mut Reader<'_>, envelope: &Element<'_>) -> Result<(), Violation> {
    while reader.any_child(envelope, &[])?.is_some() {
        reader.skip()?;
    }
    loop {
        match reader.next()? {
            Node::Eof => return Ok(()),
            Node::Start(element) => return Err(reader.violation(element.offset, "There are multiple root elements.")),
            Node::Text { .. } | Node::End => {}
        }
    }
}

/// SOAP's own elements take attributes of any namespace, but none without one (SOAP 1.1 §4.1.1).
fn foreign_attributes_only(reader: &Reader<'_>, element: &Element<'_>) -> Result<(), Violation> {
    let bare = |namespace: &Namespace| *namespace == Namespace::Unqualified;
    match element
        .attributes
        .iter()
        .find(|attribute| bare(&attribute.name.namespace))
    {
        None => Ok(()),
        Some(attribute) => {
            let text = format!("The {} attribute is not declared.", attribute.name);
            Err(reader.violation(attribute.offset, text))
        }
    }
}
