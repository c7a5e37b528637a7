//! The messages, as files: lines end as the system's do, and what no text file can hold is marked up as in RFC 4475 §2.
//!
//! `<hex>2020</hex>` stands for octets, `<repeat count=3>long</repeat>` for the text so many times. The test of the whole
//! server reads them from here, too.

use std::{fs, path::Path};

/// The bytes that go on the wire. `name` is the folder and the file: `rfc4475/wsinv`.
pub(crate) fn load(name: &str) -> Vec<u8> {
    let messages = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sip/tests/torture/messages"));
    let path = messages.join(format!("{name}.sip"));
    #[allow(clippy::disallowed_methods, reason = "a test reads files")]
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    on_the_wire(&text)
}

fn on_the_wire(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, marked)) = rest.split_once("<hex>") {
        let (octets, after) = marked.split_once("</hex>").unwrap();
        bytes.extend(expanded(plain).into_bytes());
        bytes.extend(octets.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).unwrap();
            u8::from_str_radix(pair, 16).unwrap()
        }));
        rest = after;
    }
    bytes.extend(expanded(rest).into_bytes());
    bytes
}

fn expanded(text: &str) -> String {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((plain, marked)) = rest.split_once("<repeat count=") {
        let (count, marked) = marked.split_once('>').unwrap();
        let (part, after) = marked.split_once("</repeat>").unwrap();
        whole += plain;
        whole += &part.repeat(count.parse().unwrap());
        rest = after;
    }
    (whole + rest).replace('\n', "\r\n")
}

#[test]
fn markup_becomes_octets_and_repetitions() {
    let bytes = on_the_wire("a<hex>00FF</hex><repeat count=3>xy</repeat>\n\nb");
    assert_eq!(bytes, b"a\x00\xffxyxyxy\r\n\r\nb");
}
