//! What is no XML, no UTF-8, or too much of it.

use ews::{DecodeOptions, Fault, Violation, decode};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

fn violation(document: &[u8]) -> Violation {
    match decode(document, &DecodeOptions::default()) {
        Err(Fault::SchemaValidation(violation)) => violation,
        other => panic!(
            "{}: expected a violation, got {other:?}",
            String::from_utf8_lossy(document)
        ),
    }
}

/// An envelope whose header holds `block`; the Body is a valid one.
fn with_block(block: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{SOAP}'><s:Header>{block}</s:Header><s:Body><m:DisconnectPhoneCall \
         xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><m:PhoneCallId Id='x'/>\
         </m:DisconnectPhoneCall></s:Body></s:Envelope>"
    )
}

fn is_accepted(block: &str) -> bool {
    decode(with_block(block).as_bytes(), &DecodeOptions::default()).is_ok()
}

fn refusal(block: &str) -> String {
    violation(with_block(block).as_bytes()).text
}

#[test]
fn other_encodings_are_refused() {
    let utf_16: Vec<u8> = with_block("").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(violation(&utf_16).text.contains("not UTF-8"));
    assert!(violation(b"\xFF\xFE<\0").text.contains("not UTF-8"));
    let declared = format!("<?xml version='1.0' encoding='iso-8859-1'?>{}", with_block(""));
    assert!(
        violation(declared.as_bytes())
            .text
            .contains("'iso-8859-1' is not supported")
    );
    let found = violation(b"<a>\n\xE9</a>");
    assert_eq!((found.line, found.position), (2, 1));
}

#[test]
fn document_types_and_processing_instructions_are_refused() {
    let document = format!("<!DOCTYPE x [<!ENTITY e 'boom'>]>{}", with_block("&e;"));
    assert!(
        violation(document.as_bytes())
            .text
            .contains("document type declaration")
    );
    assert!(refusal("<?php echo ?>").contains("Processing instructions"));
    assert!(
        violation(format!(" <?xml version='1.0'?>{}", with_block("")).as_bytes())
            .text
            .contains("declaration")
    );
}

#[test]
fn only_the_five_entities_are_known() {
    assert!(is_accepted(
        "<a xmlns='urn:x' b='&lt;&gt;&amp;&apos;&quot;&#65;'>&lt;&gt;&amp;&apos;&quot;&#x41;</a>"
    ));
    assert!(refusal("<a>&nbsp;</a>").contains("undeclared entity 'nbsp'"));
    assert!(refusal("<a b='&nbsp;'/>").contains("undeclared entity 'nbsp'"));
    assert!(refusal("<a>&#0;</a>").contains("character reference"));
    assert!(refusal("<a>&#8;</a>").contains("U+0008"));
    assert!(refusal("<a b='&#xFFFF;'/>").contains("U+FFFF"));
    assert!(refusal("<a>\u{1}</a>").contains("U+0001"));
}

#[test]
fn depth_is_bounded() {
    // The envelope and its header are two of the 32.
    let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
    assert!(is_accepted(&nested(30)));
    assert!(refusal(&nested(31)).contains("32 elements deep"));
}

#[test]
fn elements_are_bounded() {
    assert!(is_accepted(&"<a/>".repeat(4096 - 5)));
    assert!(refusal(&"<a/>".repeat(4096)).contains("4096 elements"));
}

#[test]
fn attributes_are_bounded() {
    let element = |count: usize| {
        let attributes: String = (0..count).map(|index| format!(" a{index}=''")).collect();
        format!("<a{attributes}/>")
    };
    assert!(is_accepted(&element(64)));
    assert!(refusal(&element(65)).contains("64 attributes"));
}

#[test]
fn namespace_declarations_are_bounded() {
    let element = |count: usize| {
        let declarations: String = (0..count).map(|index| format!(" xmlns:p{index}='urn:x'")).collect();
        format!("<a{declarations}/>")
    };
    // The envelope's own is one of the 32.
    assert!(is_accepted(&element(31)));
    assert!(refusal(&element(32)).contains("32 namespaces"));
}

#[test]
fn namespace_names_are_bounded_where_they_are_used() {
    let name = |length: usize| "x".repeat(length);
    assert!(is_accepted(&format!("<p:a xmlns:p='{}'/>", name(256))));
    assert!(refusal(&format!("<p:a xmlns:p='{}'/>", name(257))).contains("longer than 256 bytes"));
    assert!(refusal(&format!("<a p:b='' xmlns:p='{}'/>", name(257))).contains("longer than 256 bytes"));
}

#[test]
fn duplicate_attributes_are_refused_by_name_and_by_namespace() {
    assert!(refusal("<a b='1' b='2'/>").contains("duplicate attribute"));
    assert!(refusal("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>").contains("duplicate attribute"));
    assert!(refusal("<a xmlns:p='urn:x' xmlns:p='urn:y'/>").contains("duplicate attribute"));
    assert!(is_accepted("<a xmlns:p='urn:x' xmlns:q='urn:y' b='' p:b='' q:b=''/>"));
}

#[test]
fn unbound_prefixes_are_refused() {
    assert!(refusal("<p:a/>").contains("'p' is an undeclared prefix"));
    assert!(refusal("<a p:b=''/>").contains("'p' is an undeclared prefix"));
    assert!(refusal("<b xmlns:p='urn:x'/><p:a/>").contains("'p' is an undeclared prefix"));
    assert!(refusal("<a xmlns:p=''/>").contains("bound to no namespace"));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for block in [
        "<a>",
        "</a>",
        "<a></b>",
        "<a b/>",
        "<a b=c/>",
        "<a b='1'c='2'/>",
        "<1a/>",
        "<a:/>",
        "<a xmlns:='x'/>",
        "<a xmlns:b:c='x'/>",
        "<a xmlns:1='x'/>",
        "<:a/>",
        "< a/>",
        "<a b='<'/>",
        "<a>]]></a>",
        "<a>&</a>",
        "<a>&amp</a>",
        "<!-- -- -->",
        "<!ELEMENT a>",
        "<a",
        "<![CDATA[",
        "<a b='",
    ] {
        refusal(block);
    }
    let whole = with_block("");
    for document in [
        "x".to_owned(),
        format!("x{whole}"),
        format!("{whole}x"),
        format!("{whole}{whole}"),
        format!("{whole}<!DOCTYPE x>"),
        format!("{whole}&amp;"),
        format!("<?xml version=\"1.0\"encoding=\"utf-8\"?>{whole}"),
        format!("<?xml version=\"1.0\" encod</c>ing=\"utf-8\"?>{whole}"),
        whole.replace("</s:Envelope>", ""),
    ] {
        violation(document.as_bytes());
    }
}
