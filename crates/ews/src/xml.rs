//! A streaming reader of the XML that SOAP allows: no DOCTYPE, no processing instructions, no entities but the
//! five, everything bounded.
//!
//! quick-xml splits the text into tags and knows the prefixes; what it leaves open of well-formedness is checked
//! here, so that what passes is XML. Nothing here knows a schema: that is `content.rs`.

use std::borrow::Cow;

use quick_xml::escape::EscapeError;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use quick_xml::name::{NamespaceError, QName, ResolveResult};
use quick_xml::{NsReader, escape};

use crate::declaration::{self, is_space};
use crate::namespace::{Name, Namespace};
use crate::violation::Violation;

/// Elements inside one another.
const MAX_DEPTH: usize = 32;
/// Elements of a document.
const MAX_ELEMENTS: usize = 4096;
/// Attributes of an element, namespace declarations among them.
const MAX_ATTRIBUTES: usize = 64;
/// Namespace declarations in scope at any place.
const MAX_NAMESPACE_DECLARATIONS: usize = 32;
/// Bytes of a namespace name that is used: every name in it carries a copy.
const MAX_NAMESPACE_NAME: usize = 256;

/// A start tag.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) name: Name<'a>,
    /// Without namespace declarations.
    pub(crate) attributes: Vec<Attribute<'a>>,
    /// Where the name begins.
    pub(crate) offset: usize,
}

#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: Name<'a>,
    /// Normalised, references replaced.
    pub(crate) value: Cow<'a, str>,
    pub(crate) offset: usize,
}

/// The next thing in the document. Comments are passed over.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Start(Element<'a>),
    End,
    Text { text: Cow<'a, str>, offset: usize },
    Eof,
}

pub(crate) struct Reader<'a> {
    document: &'a str,
    xml: NsReader<&'a [u8]>,
    strict_namespaces: bool,
    depth: usize,
    elements: usize,
}

impl<'a> Reader<'a> {
    /// Opens a document, which has to be UTF-8, with or without a byte order mark.
    pub(crate) fn new(body: &'a [u8], strict_namespaces: bool) -> Result<Self, Violation> {
        let document = text_of(body)?;
        let mut xml = NsReader::from_str(document);
        xml.config_mut().expand_empty_elements = true;
        xml.config_mut().check_comments = true;
        xml.resolver_mut()
            .set_max_namespace_bindings(MAX_NAMESPACE_DECLARATIONS);
        Ok(Self {
            document,
            xml,
            strict_namespaces,
            depth: 0,
            elements: 0,
        })
    }

    pub(crate) fn violation(&self, offset: usize, text: impl Into<String>) -> Violation {
        Violation::at(self.document, offset, &text.into())
    }

    pub(crate) fn next(&mut self) -> Result<Node<'a>, Violation> {
        loop {
            let offset = self.position();
            let event = match self.xml.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.malformed(offset, &error)),
            };
            match event {
                Event::Start(start) => return self.start(&start, offset).map(Node::Start),
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(Node::End);
                }
                Event::Text(text) => {
                    if let Some(at) = text.find("]]>") {
                        return Err(self.violation(offset + at, "']]>' is not allowed in text."));
                    }
                    return self.text(line_ends(text.into_inner()), offset);
                }
                Event::CData(text) => {
                    if self.depth == 0 {
                        return Err(self.violation(offset, "Text is not allowed outside the root element."));
                    }
                    return self.text(line_ends(text.into_inner()), offset);
                }
                Event::GeneralRef(reference) => {
                    let raw = format!("&{};", &*reference);
                    let text = match escape::unescape(&raw) {
                        Ok(text) => text.into_owned(),
                        Err(error) => return Err(self.violation(offset, reference_error(&error))),
                    };
                    self.check_characters(&text, offset)?;
                    if self.depth == 0 {
                        return Err(self.violation(offset, "Text is not allowed outside the root element."));
                    }
                    return Ok(Node::Text {
                        text: text.into(),
                        offset,
                    });
                }
                Event::Empty(start) => {
                    // `expand_empty_elements` turns these into a start and an end.
                    return Err(self.violation(offset, format!("Unexpected tag '{}'.", &*start)));
                }
                Event::Comment(_) => {}
                Event::Decl(declaration) => self.check_declaration(&declaration, offset)?,
                Event::PI(_) => {
                    return Err(self.violation(offset, "Processing instructions are not allowed in a SOAP message."));
                }
                Event::DocType(_) => {
                    return Err(self.violation(offset, "A document type declaration is not allowed in a SOAP message."));
                }
                Event::Eof => {
                    if self.depth > 0 {
                        return Err(
                            self.violation(self.document.len(), "The document ends before its elements are closed.")
                        );
                    }
                    return Ok(Node::Eof);
                }
            }
        }
    }

    fn start(&mut self, start: &BytesStart<'_>, tag: usize) -> Result<Element<'a>, Violation> {
        // The name begins after '<', where schema validators place an element.
        let offset = tag + 1;
        if self.depth == 0 && self.elements > 0 {
            return Err(self.violation(offset, "There are multiple root elements."));
        }
        self.depth += 1;
        self.elements += 1;
        if self.depth > MAX_DEPTH {
            let text = format!("The document is nested more than {MAX_DEPTH} elements deep.");
            return Err(self.violation(offset, text));
        }
        if self.elements > MAX_ELEMENTS {
            let text = format!("The document has more than {MAX_ELEMENTS} elements.");
            return Err(self.violation(offset, text));
        }
        let name = self.resolve(start.name(), offset, true)?;
        let attributes = self.attributes(start, offset)?;
        Ok(Element {
            name,
            attributes,
            offset,
        })
    }

    fn attributes(&self, start: &BytesStart<'_>, base: usize) -> Result<Vec<Attribute<'a>>, Violation> {
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        let mut declared: Vec<&str> = Vec::new();
        let mut iterator = start.attributes();
        // Duplicates are found below, by namespace, and after the count has been bounded.
        for (count, attribute) in iterator.with_checks(false).enumerate() {
            let attribute = match attribute {
                Ok(attribute) => attribute,
                Err(error) => return Err(self.violation(base, format!("The tag is not well-formed: {error}."))),
            };
            let offset = self.offset_of(attribute.key.0).unwrap_or(base);
            if count >= MAX_ATTRIBUTES {
                let text = format!("The element has more than {MAX_ATTRIBUTES} attributes.");
                return Err(self.violation(offset, text));
            }
            let before = offset.checked_sub(1).and_then(|i| self.document.as_bytes().get(i));
            if !before.is_some_and(u8::is_ascii_whitespace) {
                return Err(self.violation(offset, "White space is missing before an attribute."));
            }
            if attribute.value.contains('<') {
                return Err(self.violation(offset, "'<' is not allowed in an attribute value."));
            }
            let value = match attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0) {
                Ok(value) => value,
                Err(quick_xml::Error::Escape(error)) => return Err(self.violation(offset, reference_error(&error))),
                Err(error) => return Err(self.malformed(offset, &error)),
            };
            self.check_characters(&value, offset)?;
            let key = attribute.key;
            if let Some(prefix) = declared_prefix(key) {
                if declared.contains(&prefix) {
                    return Err(self.violation(offset, format!("'{}' is a duplicate attribute name.", key.0)));
                }
                if key.0 != "xmlns" && !is_name(prefix) {
                    return Err(self.violation(offset, format!("'{}' is not a name of XML.", key.0)));
                }
                if !prefix.is_empty() && value.is_empty() {
                    return Err(self.violation(offset, format!("The prefix '{prefix}' is bound to no namespace.")));
                }
                declared.push(self.slice(offset + key.0.len() - prefix.len(), prefix.len()));
                continue;
            }
            let name = self.resolve(key, offset, false)?;
            if attributes.iter().any(|earlier| earlier.name == name) {
                return Err(self.violation(offset, format!("'{}' is a duplicate attribute name.", key.0)));
            }
            attributes.push(Attribute {
                name,
                value: Cow::Owned(value.into_owned()),
                offset,
            });
        }
        Ok(attributes)
    }

    /// Expands a name; an attribute without a prefix is in no namespace, whatever the default.
    fn resolve(&self, name: QName<'_>, offset: usize, is_element: bool) -> Result<Name<'a>, Violation> {
        let (local, prefix) = name.decompose();
        if !is_name(local.as_ref()) || !prefix.is_none_or(|prefix| is_name(prefix.as_ref())) {
            return Err(self.violation(offset, format!("'{}' is not a name of XML.", name.0)));
        }
        let resolver = self.xml.resolver();
        let (namespace, _) = if is_element {
            resolver.resolve_element(name)
        } else {
            resolver.resolve_attribute(name)
        };
        let namespace = match namespace {
            ResolveResult::Unbound => Namespace::Unqualified,
            ResolveResult::Bound(uri) if uri.0.len() > MAX_NAMESPACE_NAME => {
                let text = format!("A namespace name is longer than {MAX_NAMESPACE_NAME} bytes.");
                return Err(self.violation(offset, text));
            }
            ResolveResult::Bound(uri) => Namespace::of(uri.0, self.strict_namespaces),
            ResolveResult::Unknown(prefix) => {
                return Err(self.violation(offset, format!("'{prefix}' is an undeclared prefix.")));
            }
        };
        let length = local.as_ref().len();
        let local = self.slice(offset + name.0.len() - length, length);
        Ok(Name { namespace, local })
    }

    fn text(&self, text: Cow<'a, str>, offset: usize) -> Result<Node<'a>, Violation> {
        if self.depth == 0 && !text.bytes().all(is_space) {
            return Err(self.violation(offset, "Text is not allowed outside the root element."));
        }
        Ok(Node::Text { text, offset })
    }

    fn check_declaration(&self, declaration: &BytesDecl<'_>, offset: usize) -> Result<(), Violation> {
        if offset != 0 {
            return Err(self.violation(offset, "The XML declaration must be the first thing in the document."));
        }
        let content = declaration.strip_prefix("xml").unwrap_or_default();
        declaration::check(content).map_err(|text| self.violation(offset, text))
    }

    /// Checks what references brought in; the rest of the document was checked when it was opened.
    fn check_characters(&self, text: &str, offset: usize) -> Result<(), Violation> {
        match text.chars().find(|character| !is_character(*character)) {
            None => Ok(()),
            Some(illegal) => Err(self.violation(offset, illegal_character(illegal))),
        }
    }

    fn malformed(&self, offset: usize, error: &quick_xml::Error) -> Violation {
        let offset = match error {
            // The tag was read whole before its fault was seen.
            quick_xml::Error::IllFormed(_) | quick_xml::Error::Namespace(_) => offset,
            _ => usize::try_from(self.xml.error_position()).map_or(offset, |at| at.max(offset)),
        };
        match error {
            quick_xml::Error::Namespace(NamespaceError::TooManyBindings(limit)) => {
                let text = format!("More than {limit} namespaces are declared in one place.");
                self.violation(offset, text)
            }
            _ => self.violation(offset, format!("The document is not well-formed XML: {error}.")),
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.xml.buffer_position()).unwrap_or(self.document.len())
    }

    /// Where a part of the document, as quick-xml handed it out, begins.
    fn offset_of(&self, part: &str) -> Option<usize> {
        let offset = (part.as_ptr() as usize).checked_sub(self.document.as_ptr() as usize)?;
        (offset + part.len() <= self.document.len()).then_some(offset)
    }

    fn slice(&self, offset: usize, length: usize) -> &'a str {
        self.document.get(offset..offset + length).unwrap_or_default()
    }
}

/// The body as text: UTF-8 without its byte order mark, of the characters XML allows.
fn text_of(body: &[u8]) -> Result<&str, Violation> {
    if matches!(body, [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, _, ..] | [_, 0, ..]) {
        let text = "The document is not UTF-8: it begins as UTF-16 or UTF-32 does.";
        return Err(Violation::at("", 0, text));
    }
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let document = match str::from_utf8(body) {
        Ok(document) => document,
        Err(error) => {
            let valid = body.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            let text = "The document is not UTF-8: it has an invalid byte sequence.";
            return Err(Violation::at(&before, before.len(), text));
        }
    };
    match document.char_indices().find(|(_, character)| !is_character(*character)) {
        None => Ok(document),
        Some((offset, illegal)) => Err(Violation::at(document, offset, &illegal_character(illegal))),
    }
}

/// `Char` of XML 1.0 §2.2.
pub(crate) fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
/// `NCName` of Namespaces in XML 1.0 §3.
fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_character)
}

/// `NameStartChar` of XML 1.0 §2.3, without the colon.
fn is_name_start(character: char) -> bool {
    matches!(character,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` of XML 1.0 §2.3, without the colon.
fn is_name_character(character: char) -> bool {
    is_name_start(character)
        || matches!(character, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

fn declared_prefix<'n>(name: QName<'n>) -> Option<&'n str> {
    match name.0 {
        "xmlns" => Some(""),
        name => name.strip_prefix("xmlns:"),
    }
}

/// Line ends as XML 1.0 §2.11 has applications see them.
fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text
    }
}

fn illegal_character(character: char) -> String {
    format!("The character U+{:04X} is not allowed in XML.", u32::from(character))
}

fn reference_error(error: &EscapeError) -> String {
    match error {
        EscapeError::UnrecognizedEntity(_, name) => format!("Reference to undeclared entity '{name}'."),
        EscapeError::UnterminatedEntity(_) => "A reference is not closed by ';'.".into(),
        _ => format!("A character reference is not valid: {error}."),
    }
}
