//! What a client posts. Whatever it is, it gets a request or a fault, and the fault is a document that can be read.
#![no_main]

use ews::{DecodeOptions, ServerVersionInfo, decode};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for strict_namespaces in [false, true] {
        if let Err(fault) = decode(body, &DecodeOptions { strict_namespaces }) {
            let document = fault.encode(&ServerVersionInfo::default());
            assert!(
                document.starts_with("<?xml") && document.ends_with("Envelope>"),
                "{document}"
            );
        }
    }
});
