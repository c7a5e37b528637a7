//! `ConvertId`: asked by clients to learn the server's version, which every answer carries.
//!
//! An item has one id here, the same in the formats of EWS and of Outlook on the web; the others it does not have.

use crate::enumeration::enumeration;
use crate::namespace::{MESSAGES, Name, TYPES};
use crate::print::{print_attribute, request};
use crate::response::ResponseMessage;
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
    pub source_ids: Vec<AlternateId>,
}

/// `t:AlternateIdBaseType`: one of `m:SourceIds`, or what one was converted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlternateId {
    /// `Format`
    pub format: IdFormat,
    /// What the id names.
    pub subject: Subject,
}

/// What an id names.
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
            source_ids.push(AlternateId::decode(reader, &element)?);
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
            body.push_str("<t:");
            body.push_str(source_id.name());
            source_id.print_attributes(&mut body);
        }
        body.push_str(&format!("</m:SourceIds></m:{NAME}>"));
        request(version, &body)
    }

    /// One message for each source id; the schema wants at least one.
    pub(crate) fn encode_response(messages: &[ResponseMessage<AlternateId>]) -> String {
        let mut out = format!("<{RESPONSE} xmlns=\"{MESSAGES}\"><ResponseMessages>");
        for message in messages {
            message.print_nested(&mut out, MESSAGE, |out, converted| {
                // Its declared type is abstract; the prefix xsi is the Body's.
                out.push_str("<AlternateId");
                print_attribute(out, "xmlns:t", TYPES);
                print_attribute(out, "xsi:type", &format!("t:{}Type", converted.name()));
                converted.print_attributes(out);
            });
        }
        out.push_str(&format!("</ResponseMessages></{RESPONSE}>"));
        out
    }

    pub(crate) fn example() -> Self {
        Self {
            destination_format: IdFormat::EntryId,
            source_ids: vec![
                AlternateId {
                    format: IdFormat::EwsId,
                    subject: Subject::Mailbox {
                        id: "DUMMY".into(),
                        mailbox: "anna@example.org".into(),
                    },
                },
                AlternateId {
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

impl AlternateId {
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
                mailbox: decode_mailbox(reader, element)?,
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

    /// The element in a list; the type is called so, too, with Type at the end.
    fn name(&self) -> &'static str {
        match self.subject {
            Subject::Mailbox { .. } => ALTERNATE_ID.local,
            Subject::PublicFolder { item_id: None, .. } => ALTERNATE_PUBLIC_FOLDER_ID.local,
            Subject::PublicFolder { item_id: Some(_), .. } => ALTERNATE_PUBLIC_FOLDER_ITEM_ID.local,
        }
    }

    /// Prints the rest of an empty element whose name is there.
    fn print_attributes(&self, out: &mut String) {
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

/// `t:NonEmptyStringType`
fn decode_mailbox(reader: &Reader<'_>, element: &Element<'_>) -> Result<String, Violation> {
    let attribute = reader.required(element, "Mailbox")?;
    if attribute.value.is_empty() {
        let text = format!(
            "The 'Mailbox' attribute is invalid - The value '' is invalid according to its datatype \
             '{TYPES}:NonEmptyStringType' - The actual length is less than the MinLength value."
        );
        return Err(reader.violation(attribute.offset, text));
    }
    Ok(attribute.value.clone().into_owned())
}

fn decode_format(reader: &Reader<'_>, element: &Element<'_>, name: &str) -> Result<IdFormat, Violation> {
    let attribute = reader.required(element, name)?;
    IdFormat::named(&attribute.value).ok_or_else(|| {
        let subject = format!("'{name}' attribute");
        reader.not_in_enumeration(attribute.offset, &subject, &attribute.value, "IdFormatType")
    })
}
