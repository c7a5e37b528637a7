//! Assembling documents: constants, and escaped text between them.

use crate::namespace::{SOAP, TYPES, XSD, XSI};
use crate::version::{ServerVersion, ServerVersionInfo};
use crate::xml::is_character;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="utf-8"?>"#;

/// Prints text or an attribute value. What XML cannot hold, such as a control character in a peer's reason phrase,
/// becomes U+FFFD.
pub(crate) fn print_text(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            _ if is_character(character) => out.push(character),
            _ => out.push('\u{FFFD}'),
        }
    }
}

/// Prints `<name>text</name>`.
pub(crate) fn print_element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    print_text(out, text);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Prints ` name="value"`.
pub(crate) fn print_attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    print_text(out, value);
    out.push('"');
}

/// An answer's envelope, in the form the documentation prints.
pub(crate) fn answer(version: &ServerVersionInfo, body: &str) -> String {
    let ServerVersionInfo {
        major,
        minor,
        build,
        revision,
        version,
    } = version;
    format!(
        "{DECLARATION}<s:Envelope xmlns:s=\"{SOAP}\"><s:Header>\
         <h:ServerVersionInfo MajorVersion=\"{major}\" MinorVersion=\"{minor}\" MajorBuildNumber=\"{build}\" \
         MinorBuildNumber=\"{revision}\" Version=\"{}\" xmlns:h=\"{TYPES}\" xmlns=\"{TYPES}\" \
         xmlns:xsi=\"{XSI}\" xmlns:xsd=\"{XSD}\"/></s:Header>\
         <s:Body xmlns:xsi=\"{XSI}\" xmlns:xsd=\"{XSD}\">{body}</s:Body></s:Envelope>",
        version.name()
    )
}

/// A request's envelope; `body` uses the prefixes `m` and `t`.
pub(crate) fn request(version: ServerVersion, body: &str) -> String {
    format!(
        "{DECLARATION}<soap:Envelope xmlns:soap=\"{SOAP}\" xmlns:m=\"{}\" xmlns:t=\"{TYPES}\"><soap:Header>\
         <t:RequestServerVersion Version=\"{}\"/></soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>",
        crate::namespace::MESSAGES,
        version.name()
    )
}
