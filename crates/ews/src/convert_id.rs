//! `ConvertId`: asked by clients to learn the server's version, which every answer carries.
//!
//! An item has one id here, in one format, so there is nothing to convert to, and the answer to each source id is an
//! error.

use crate::enumeration::enumeration;
use crate::namespace::{MESSAGES, Name};
use crate::print::{print_attribute, request};
use crate::response::{ResponseError, ResponseMessage};
use crate::version::ServerVersion;
use crate::violation::Violation;
use crate::xml::{Element, Reader};

pub(crate) const NAME: &str = "ConvertId";
const RESPONSE: &str = "ConvertIdResponse";
const MESSAGE: &str = "ConvertIdResponseMessage";
const SOURCE_IDS: Name<'_> = Name::messages("SourceIds");
const ALTERNATE_ID: Name<'_> = Name::types("AlternateId");
const ALTERNATE_PUBLIC_FOLDER_ID: Name<'_> = Name::types("AlternatePublicFolderId");
const ALTERNATE_PUBLIC_FOLDER_ITEM_ID: Name<'_> = Name::types("AlternatePublicFolderItemId");
const ALTERNATE_IDS: [Name<'_>; 3] = [
    ALTERNATE_ID,
    ALTERNATE_PUBLIC_FOLDER_ID,
    ALTERNATE_PUBLIC_FOLDER_ITEM_ID,
];

/// `m:ConvertId`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertId {
    /// `DestinationFormat`
    pub destination_format: IdFormat,
    /// `m:SourceIds`, never empty when it was decoded.
    pub source_ids: Vec<SourceId>,
}

/// One of `m:SourceIds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceId {
    /// `Format`
    pub format: IdFormat,
    /// What the id names.
    pub subject: Subject,
}

/// What a source id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `t:AlternateId`: an item or folder of a mailbox.
    Mailbox {
        /// `Id`
        id: String,
        /// `Mailbox`
        mailbox: String,
    },
    /// `t:AlternatePublicFolderId`, or with an item `t:AlternatePublicFolderItemId`.
    PublicFolder {
        /// `FolderId`
        folder_id: String,
        /// `ItemId`
        item_id: Option<String>,
    },
}

enumeration! {
    /// `t:IdFormatType`
    IdFormat {
        /// Exchange 2007.
        EwsLegacyId,
        /// EWS since Exchange 2007 SP1.
        EwsId,
        /// MAPI, in base64.
        EntryId,
        /// MAPI, in hexadecimal.
        HexEntryId,
        /// The Exchange store.
        StoreId,
        /// Outlook on the web.
        OwaId,
    }
}

impl ConvertId {
    pub(crate) fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        reader.declared(element, &["DestinationFormat"])?;
        let destination_format = decode_format(reader, element, "DestinationFormat")?;
        let list = reader.required_child(element, &[SOURCE_IDS])?;
        reader.declared(&list, &[])?;
        let mut source_ids = Vec::new();
        let mut child = Some(reader.required_child(&list, &ALTERNATE_IDS)?);
        while let Some(element) = child {
            source_ids.push(SourceId::decode(reader, &element)?);
            child = reader.child(&list, &ALTERNATE_IDS)?;
        }
        reader.end(element)?;
        Ok(Self {
            destination_format,
            source_ids,
        })
    }

    /// The request, as a client sends it.
    pub fn encode(&self, version: ServerVersion) -> String {
        let mut body = format!("<m:{NAME}");
        print_attribute(&mut body, "DestinationFormat", self.destination_format.name());
        body.push_str("><m:SourceIds>");
        for source_id in &self.source_ids {
            source_id.print(&mut body);
        }
        body.push_str(&format!("</m:SourceIds></m:{NAME}>"));
        request(version, &body)
    }

    /// One message for each source id; the schema wants at least one.
    pub(crate) fn encode_response(errors: &[ResponseError]) -> String {
        let mut out = format!("<{RESPONSE} xmlns=\"{MESSAGES}\"><ResponseMessages>");
        for error in errors {
            ResponseMessage::<()>::Error(error.clone()).print_nested(&mut out, MESSAGE, |_, ()| {});
        }
        out.push_str(&format!("</ResponseMessages></{RESPONSE}>"));
        out
    }

    pub(crate) fn example() -> Self {
        Self {
            destination_format: IdFormat::EntryId,
            source_ids: vec![
                SourceId {
                    format: IdFormat::EwsId,
                    subject: Subject::Mailbox {
                        id: "DUMMY".into(),
                        mailbox: "anna@example.org".into(),
                    },
                },
                SourceId {
                    format: IdFormat::EwsLegacyId,
                    subject: Subject::PublicFolder {
                        folder_id: "DUMMY".into(),
                        item_id: Some("DUMMY".into()),
                    },
                },
            ],
        }
    }
}

impl SourceId {
    fn decode(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, Violation> {
        let declared: &[&str] = match element.name.local {
            "AlternateId" => &["Format", "Id", "Mailbox", "IsArchive"],
            "AlternatePublicFolderId" => &["Format", "FolderId"],
            _ => &["Format", "FolderId", "ItemId"],
        };
        reader.declared(element, declared)?;
        let format = decode_format(reader, element, "Format")?;
        let value = |name: &str| Ok(reader.required(element, name)?.value.clone().into_owned());
        let subject = match element.name.local {
            "AlternateId" => Subject::Mailbox {
                id: value("Id")?,
                mailbox: value("Mailbox")?,
            },
            "AlternatePublicFolderId" => Subject::PublicFolder {
                folder_id: value("FolderId")?,
                item_id: None,
            },
            _ => Subject::PublicFolder {
                folder_id: value("FolderId")?,
                item_id: Some(value("ItemId")?),
            },
        };
        reader.end_of_empty(element)?;
        Ok(Self { format, subject })
    }

    fn print(&self, out: &mut String) {
        out.push_str(match self.subject {
            Subject::Mailbox { .. } => "<t:AlternateId",
            Subject::PublicFolder { item_id: None, .. } => "<t:AlternatePublicFolderId",
            Subject::PublicFolder { item_id: Some(_), .. } => "<t:AlternatePublicFolderItemId",
        });
        print_attribute(out, "Format", self.format.name());
        match &self.subject {
            Subject::Mailbox { id, mailbox } => {
                print_attribute(out, "Id", id);
                print_attribute(out, "Mailbox", mailbox);
            }
            Subject::PublicFolder { folder_id, item_id } => {
                print_attribute(out, "FolderId", folder_id);
                if let Some(item_id) = item_id {
                    print_attribute(out, "ItemId", item_id);
                }
            }
        }
        out.push_str("/>");
    }
}

fn decode_format(reader: &Reader<'_>, element: &Element<'_>, name: &str) -> Result<IdFormat, Violation> {
    let attribute = reader.required(element, name)?;
    IdFormat::named(&attribute.value).ok_or_else(|| {
        let subject = format!("'{name}' attribute");
        reader.not_in_enumeration(attribute.offset, &subject, &attribute.value, "IdFormatType")
    })
}
