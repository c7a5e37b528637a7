//! The names in a client's certificate: a line each, by a letter for its kind (u: UPN, e: e-mail, d: DNS, x: any bytes of DER), after a
//! first line with the kinds that count. The user is the one name of the first kind that is there, whole, or nobody.
#![no_main]

use onhook::auth::fuzzed::certificate;
use onhook::config::CertificateName;

const OWN: &str = "example.com";

/// A tag, a length, a value (X.690).
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).expect("inputs are short").to_be_bytes();
    [&[tag, 0x82], &length, value].map(|part| part.to_vec()).concat()
}

/// A certificate (RFC 5280 §4.1) with nothing in it but these names.
fn certificate_of(names: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[0x06, 0x03, 0x2A, 0x03, 0x04]);
    let time = der(0x17, b"260101000000Z");
    let key = der(0x30, &[algorithm.clone(), der(0x03, &[0, 0])].concat());
    let alternative_name = [der(0x06, &[0x55, 0x1D, 0x11]), der(0x04, &der(0x30, names))].concat();
    let extensions = der(0xA3, &der(0x30, &der(0x30, &alternative_name)));
    let signed = [
        der(0xA0, &[0x02, 0x01, 0x02]),
        der(0x02, &[1]),
        algorithm.clone(),
        der(0x30, &[]),
        der(0x30, &[time.clone(), time].concat()),
        der(0x30, &[]),
        key,
        extensions,
    ];
    der(
        0x30,
        &[der(0x30, &signed.concat()), algorithm, der(0x03, &[0, 0])].concat(),
    )
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut lines = input.split(|byte| *byte == b'\n');
    let kinds: Vec<_> = lines
        .next()
        .unwrap_or_default()
        .iter()
        .filter_map(|kind| match kind {
            b'u' => Some((b'u', CertificateName::Upn)),
            b'e' => Some((b'e', CertificateName::Email)),
            b'd' => Some((b'd', CertificateName::Dns)),
            _ => None,
        })
        .take(3)
        .collect();
    let names: Vec<(u8, &[u8])> = lines
        .filter_map(|line| line.split_first().map(|(kind, name)| (*kind, name)))
        .collect();
    let upn = [0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03];
    let encoded: Vec<u8> = names
        .iter()
        .flat_map(|(kind, name)| match kind {
            b'u' => der(0xA0, &[&upn, der(0xA0, &der(0x0C, name)).as_slice()].concat()),
            b'e' => der(0x81, name),
            b'd' => der(0x82, name),
            _ => name.to_vec(),
        })
        .collect();
    let wanted: Vec<_> = kinds.iter().map(|(_, kind)| *kind).collect();
    let found = certificate(&certificate_of(&encoded), &wanted, OWN);

    if let Some(user) = &found {
        assert!(
            !user.contains(|c: char| c.is_control() || c.is_whitespace() || ":\\/".contains(c)),
            "{user:?}"
        );
    }
    if names.iter().any(|(kind, _)| !b"ued".contains(kind)) {
        return;
    }
    let of_kind = |kind: u8| {
        names
            .iter()
            .filter(move |(other, _)| *other == kind)
            .map(|(_, name)| *name)
    };
    let first = kinds
        .iter()
        .map(|(kind, _)| of_kind(*kind).collect::<Vec<_>>())
        .find(|names| !names.is_empty());
    match (found, first.as_deref()) {
        (None, _) => {}
        (Some(user), Some([name])) => {
            let name = str::from_utf8(name).expect("a name is text").trim().to_lowercase();
            assert!(name == user || name == format!("{user}@{OWN}"), "{user:?} of {name:?}");
        }
        (Some(user), names) => panic!("{user:?} of {names:?}"),
    }
});
