//! Tokens and keys, a part a line: a header, a payload, a JWKS, a whole token; and then two numbers, where the signed token is changed and how.
//! A token says one thing only of how it is signed; what our key signed is taken as it was signed, and nothing else is.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use onhook::auth::fuzzed::token;
use onhook::config::SigningAlgorithm::{self, Es256, Ps256, Rs256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

const ALLOWED: [SigningAlgorithm; 3] = [Es256, Rs256, Ps256];

static KEY: LazyLock<(EcdsaKeyPair, Vec<u8>)> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).expect("a key");
    // 4, x, y: a point without compression (SEC 1 §2.3.3).
    let point = key.public_key().as_ref();
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..]) });
    let jwks = json!({ "keys": [jwk] }).to_string().into_bytes();
    (key, jwks)
});

/// What a token says of itself, to a reader that keeps the last of two members of one name.
fn says(token: &str) -> Value {
    let header = token.split('.').next().and_then(|header| BASE64.decode(header).ok());
    serde_json::from_slice(&header.unwrap_or_default()).unwrap_or_default()
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(5, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (header, payload, jwks, whole, change) = (part(), part(), part(), part(), part());

    // Any token, any keys: nobody has signed it.
    let whole = String::from_utf8_lossy(whole);
    for jwks in [jwks, &KEY.1] {
        let Some((algorithm, claims)) = token(&whole, jwks, &ALLOWED) else {
            continue;
        };
        let said = says(&whole);
        assert_eq!(said["alg"], format!("{algorithm:?}").to_uppercase(), "{whole}");
        assert!(said.get("crit").is_none_or(Value::is_null), "{whole}");
        assert!(ALLOWED.contains(&algorithm) && claims.is_none(), "{whole}");
    }

    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let signature = KEY
        .0
        .sign(&SystemRandom::new(), message.as_bytes())
        .expect("a signature");
    let signed = format!("{message}.{}", BASE64.encode(signature));
    let Some((algorithm, claims)) = token(&signed, &KEY.1, &ALLOWED) else {
        return;
    };
    let named = says(&signed).get("kid").is_some_and(|kid| !kid.is_null());
    let as_signed = serde_json::from_slice(payload)
        .ok()
        .filter(|_| algorithm == Es256 && !named);
    assert_eq!(claims, as_signed, "{signed}");

    let mut changed = signed.clone().into_bytes();
    let [place, to] = [change.first(), change.get(1)].map(|byte| usize::from(byte.copied().unwrap_or_default()));
    let place = (place * 256 + to) % changed.len();
    changed[place] = b"AQgw.-_9"[to % 8];
    let changed = String::from_utf8(changed).expect("it is text");
    if changed != signed {
        let taken = token(&changed, &KEY.1, &ALLOWED).and_then(|(_, claims)| claims);
        assert_eq!(taken, None, "{changed} was not signed");
    }
});
