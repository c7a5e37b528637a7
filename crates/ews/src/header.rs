//! The SOAP header of a request: which schema, on whose behalf, and what must be understood.

use crate::fault::Fault;
use crate::namespace::{Name, Namespace};
use crate::version::ServerVersion;
use crate::xml::{Element, Reader};

const REQUEST_SERVER_VERSION: Name<'_> = Name::types("RequestServerVersion");
const EXCHANGE_IMPERSONATION: Name<'_> = Name::types("ExchangeImpersonation");
const CONNECTING_SID: Name<'_> = Name::types("ConnectingSID");
const CONNECTING_SIDS: [Name<'_>; 4] = [
    Name::types("PrincipalName"),
    Name::types("SID"),
    Name::types("PrimarySmtpAddress"),
    Name::types("SmtpAddress"),
];
/// Blocks of the schema that change nothing about a telephone call.
const WITHOUT_EFFECT: [Name<'_>; 4] = [
    Name::types("MailboxCulture"),
    Name::types("TimeZoneContext"),
    Name::types("ManagementRole"),
    Name::types("DateTimePrecision"),
];
/// The `actor` that means whoever receives the message (SOAP 1.1 §4.2.2).
const NEXT: &str = "http://schemas.xmlsoap.org/soap/actor/next";

/// What the header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) server_version: Option<ServerVersion>,
    pub(crate) impersonation: Option<ConnectingSid>,
}

/// `t:ConnectingSID`: the mailbox the caller wants to act as. Whether it may is not decided here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectingSid {
    /// A user principal name.
    PrincipalName(String),
    /// A security identifier.
    Sid(String),
    /// The mailbox's main address.
    PrimarySmtpAddress(String),
    /// Any of the mailbox's addresses.
    SmtpAddress(String),
}

impl Header {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Fault> {
        let mut header = Self::default();
        while let Some(block) = reader.any_child(element, &[])? {
            let is_known = block.name == REQUEST_SERVER_VERSION
                || block.name == EXCHANGE_IMPERSONATION
                || WITHOUT_EFFECT.contains(&block.name);
            if !is_known && must_understand(&block) {
                return Err(Fault::MustUnderstand(block.name.to_string()));
            }
            if is_known && is_nil(&block) {
                // Not passed over: what stands in it would be said, and unheard.
                reader.end_of_empty(&block)?;
            } else if block.name == REQUEST_SERVER_VERSION {
                header.server_version = Some(decode_version(reader, &block)?);
            } else if block.name == EXCHANGE_IMPERSONATION {
                let sid = ConnectingSid::decode(reader, &block)?;
                // One reader would take the first of two mailboxes, another the last.
                if header.impersonation.replace(sid).is_some() {
                    return Err(Fault::InvalidExchangeImpersonationHeaderData);
                }
            } else {
                reader.skip()?;
            }
        }
        Ok(header)
    }
}

fn decode_version(reader: &mut Reader<'_>, block: &Element<'_>) -> Result<ServerVersion, Fault> {
    reader.declared(block, &["Version"])?;
    let name = &reader.required(block, "Version")?.value;
    let version = ServerVersion::named(name).ok_or(Fault::InvalidServerVersion)?;
    reader.end_of_empty(block)?;
    Ok(version)
}

impl ConnectingSid {
    fn decode(reader: &mut Reader<'_>, block: &Element<'_>) -> Result<Self, Fault> {
        reader.declared(block, &[])?;
        let sid = reader.required_child(block, &[CONNECTING_SID])?;
        let choice = reader.required_child(&sid, &CONNECTING_SIDS)?;
        let text = reader.text_of(&choice)?;
        reader.end(&sid)?;
        reader.end(block)?;
        if text.trim().is_empty() {
            return Err(Fault::InvalidExchangeImpersonationHeaderData);
        }
        Ok(match choice.name.local {
            "PrincipalName" => Self::PrincipalName(text),
            "SID" => Self::Sid(text),
            "PrimarySmtpAddress" => Self::PrimarySmtpAddress(text),
            _ => Self::SmtpAddress(text),
        })
    }
}

/// Whether a block is there to say that it is not (XML Schema part 1 §2.6.2). JAX-WS prints each header so that it was not
/// given; of a block that nobody here knows, the attributes may still say something.
fn is_nil(block: &Element<'_>) -> bool {
    let mut attributes = block.attributes.iter();
    attributes.any(|attribute| {
        let is_nil = attribute.name.namespace == Namespace::Xsi && attribute.name.local == "nil";
        is_nil && matches!(attribute.value.trim(), "1" | "true")
    })
}

/// Whether a block is for us and may not be passed over (SOAP 1.1 §4.2.3).
fn must_understand(block: &Element<'_>) -> bool {
    let soap = |name: &str| {
        let of_soap = |namespace: &Namespace| *namespace == Namespace::Soap;
        let mut attributes = block.attributes.iter();
        attributes
            .find(|attribute| of_soap(&attribute.name.namespace) && attribute.name.local == name)
            .map(|attribute| attribute.value.trim())
    };
    let is_for_us = soap("actor").is_none_or(|actor| actor.is_empty() || actor == NEXT);
    is_for_us && matches!(soap("mustUnderstand"), Some("1" | "true"))
}
