//! The requests and answers that Microsoft's documentation prints, byte for byte.

use ews::{
    DecodeOptions, DisconnectPhoneCall, Fault, Operation, PhoneCallId, Response, ResponseMessage, ServerVersion,
    ServerVersionInfo, decode,
};

const EXCHANGE_2010: (&[u8], &str) = (
    include_bytes!("fixtures/exchange-2010-documentation.request.xml"),
    include_str!("fixtures/exchange-2010-documentation.response.xml"),
);
const CLIENT_DEVELOPER: (&[u8], &str) = (
    include_bytes!("fixtures/exchange-client-developer-documentation.request.xml"),
    include_str!("fixtures/exchange-client-developer-documentation.response.xml"),
);

#[test]
fn documented_requests_are_understood_as_printed() {
    for (request, _) in [EXCHANGE_2010, CLIENT_DEVELOPER] {
        let request = decode(request, &DecodeOptions::default()).unwrap();
        assert_eq!(request.server_version, Some(ServerVersion::EXCHANGE_2010));
        assert_eq!(request.impersonation, None);
        let phone_call_id = PhoneCallId("OWVl4NWb3N29t".into());
        assert_eq!(
            request.operation,
            Operation::DisconnectPhoneCall(DisconnectPhoneCall { phone_call_id })
        );
    }
}

#[test]
fn documented_https_namespaces_are_refused_when_strict() {
    let strict = DecodeOptions {
        strict_namespaces: true,
    };
    for (request, _) in [EXCHANGE_2010, CLIENT_DEVELOPER] {
        assert!(matches!(decode(request, &strict), Err(Fault::SchemaValidation(_))));
        let corrected = String::from_utf8(request.to_vec())
            .unwrap()
            .replace("https://", "http://");
        assert!(decode(corrected.as_bytes(), &strict).is_ok());
    }
}

#[test]
fn each_namespace_is_forgiven_on_its_own() {
    let (request, _) = EXCHANGE_2010;
    let request = String::from_utf8(request.to_vec()).unwrap();
    for namespace in [
        "schemas.microsoft.com/exchange/services/2006/messages",
        "schemas.microsoft.com/exchange/services/2006/types",
        "schemas.xmlsoap.org/soap/envelope/",
    ] {
        let one_corrected = request.replace(&format!("https://{namespace}"), &format!("http://{namespace}"));
        assert!(decode(one_corrected.as_bytes(), &DecodeOptions::default()).is_ok());
    }
}

#[test]
fn our_answer_is_the_documented_one() {
    let version = ServerVersionInfo {
        major: 14,
        minor: 0,
        build: 639,
        revision: 20,
        version: ServerVersion::EXCHANGE_2010,
    };
    let answer = Response::DisconnectPhoneCall(ResponseMessage::Success(())).encode(&version);
    for (_, documented) in [EXCHANGE_2010, CLIENT_DEVELOPER] {
        assert_eq!(answer, without_layout(documented).replace("https://", "http://"));
    }
}

/// The document without the white space that only lays it out.
fn without_layout(document: &str) -> String {
    let words: Vec<_> = document.split_whitespace().collect();
    words.join(" ").replace("> <", "><")
}
