//! What a client posts. Whatever it is, it gets a request or a fault, and the fault is a document that can be read. A request is
//! of the operation that its beginning addresses.
#![no_main]

use ews::{DecodeOptions, ServerVersionInfo, addressed, decode};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for strict_namespaces in [false, true] {
        let options = DecodeOptions { strict_namespaces };
        let addressed = addressed(body, &options);
        match decode(body, &options) {
            Ok(request) => assert_eq!(addressed, Some(request.operation.name())),
            Err(fault) => {
                let document = fault.encode(&ServerVersionInfo::default());
                assert!(
                    document.starts_with("<?xml") && document.ends_with("Envelope>"),
                    "{document}"
                );
            }
        }
    }
});
