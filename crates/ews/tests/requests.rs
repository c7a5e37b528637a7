//! Requests as clients really write them, and what is refused of them.

use ews::{
    ConnectingSid, DecodeOptions, Fault, Operation, PhoneCallId, Request, ServerVersion, ServiceConfiguration,
    Violation, decode,
};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

fn decode_text(document: &str) -> Result<Request, Fault> {
    decode(document.as_bytes(), &DecodeOptions::default())
}

/// An envelope with the prefixes s, m and t, on one line.
fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{SOAP}' xmlns:m='{MESSAGES}' xmlns:t='{TYPES}'>{header}<s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn decode_body(body: &str) -> Result<Request, Fault> {
    decode_text(&envelope("", body))
}

fn decode_header(header: &str) -> Result<Request, Fault> {
    decode_text(&envelope(&format!("<s:Header>{header}</s:Header>"), DISCONNECT))
}

fn violation(result: Result<Request, Fault>) -> Violation {
    match result {
        Err(Fault::SchemaValidation(violation)) => violation,
        other => panic!("expected a violation, got {other:?}"),
    }
}

const DISCONNECT: &str = "<m:DisconnectPhoneCall><m:PhoneCallId Id='x'/></m:DisconnectPhoneCall>";

#[test]
fn any_prefix_or_none_will_do() {
    let documents = [
        format!(
            "<Envelope xmlns='{SOAP}'><Body><DisconnectPhoneCall xmlns='{MESSAGES}'><PhoneCallId Id='x'/>\
             </DisconnectPhoneCall></Body></Envelope>"
        ),
        format!(
            "<?xml version='1.0'?>\n<!-- hello --><a:Envelope xmlns:a='{SOAP}'><a:Body><b:DisconnectPhoneCall \
             xmlns:b='{MESSAGES}'>\n<c:PhoneCallId xmlns:c='{MESSAGES}' Id = \"x\"></c:PhoneCallId>\n\
             </b:DisconnectPhoneCall></a:Body></a:Envelope>\n"
        ),
        format!(
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}",
            envelope("", DISCONNECT)
        ),
    ];
    for document in documents {
        let request = decode_text(&document).unwrap();
        assert_eq!(request.server_version, None);
        let Operation::DisconnectPhoneCall(operation) = request.operation else {
            panic!("{:?}", request.operation)
        };
        assert_eq!(operation.phone_call_id, PhoneCallId("x".into()));
    }
}

#[test]
fn play_on_phone_keeps_the_dial_string_as_written() {
    let request = decode_body(
        "<m:PlayOnPhone><m:ItemId Id='a&amp;b' ChangeKey='CQ=='/><m:DialString> +49 &lt;<![CDATA[30]]>&#x31; </m:DialString></m:PlayOnPhone>",
    );
    let Operation::PlayOnPhone(operation) = request.unwrap().operation else {
        panic!()
    };
    assert_eq!(operation.item_id.id, "a&b");
    assert_eq!(operation.item_id.change_key.as_deref(), Some("CQ=="));
    assert_eq!(operation.dial_string, " +49 <301 ");
}

#[test]
fn an_empty_dial_string_and_empty_ids_are_the_operations_to_judge() {
    let request = decode_body("<m:PlayOnPhone><m:ItemId Id=''/><m:DialString/></m:PlayOnPhone>").unwrap();
    let Operation::PlayOnPhone(operation) = request.operation else {
        panic!()
    };
    assert_eq!(
        (operation.item_id.id.as_str(), operation.dial_string.as_str()),
        ("", "")
    );
    assert!(decode_body("<m:GetPhoneCallInformation><m:PhoneCallId Id=''/></m:GetPhoneCallInformation>").is_ok());
}

#[test]
fn service_configuration_names_may_be_listed_in_one_element() {
    let request = decode_body(
        "<m:GetServiceConfiguration><m:ActingAs><t:EmailAddress>a@b</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
         </m:ActingAs><m:RequestedConfiguration><m:ConfigurationName>MailTips UnifiedMessagingConfiguration\
         </m:ConfigurationName></m:RequestedConfiguration></m:GetServiceConfiguration>",
    );
    let Operation::GetServiceConfiguration(operation) = request.unwrap().operation else {
        panic!()
    };
    assert_eq!(operation.acting_as.as_deref(), Some("a@b"));
    let names = [
        ServiceConfiguration::MailTips,
        ServiceConfiguration::UnifiedMessagingConfiguration,
    ];
    assert_eq!(operation.requested, names);
}

#[test]
fn impersonation_is_captured_in_each_form() {
    let sid = |form: &str| {
        let header = format!(
            "<t:ExchangeImpersonation><t:ConnectingSID><t:{form}>anna</t:{form}></t:ConnectingSID></t:ExchangeImpersonation>"
        );
        decode_header(&header).unwrap().impersonation.unwrap()
    };
    assert_eq!(sid("PrincipalName"), ConnectingSid::PrincipalName("anna".into()));
    assert_eq!(sid("SID"), ConnectingSid::Sid("anna".into()));
    assert_eq!(
        sid("PrimarySmtpAddress"),
        ConnectingSid::PrimarySmtpAddress("anna".into())
    );
    assert_eq!(sid("SmtpAddress"), ConnectingSid::SmtpAddress("anna".into()));
}

#[test]
fn impersonation_of_two_is_refused() {
    let of = |name: &str| {
        format!(
            "<t:ExchangeImpersonation><t:ConnectingSID><t:SmtpAddress>{name}</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>"
        )
    };
    assert_eq!(
        decode_header(&(of("anna") + &of("berta"))),
        Err(Fault::InvalidExchangeImpersonationHeaderData)
    );
}

#[test]
fn impersonation_of_nobody_is_refused() {
    let header =
        "<t:ExchangeImpersonation><t:ConnectingSID><t:SID> </t:SID></t:ConnectingSID></t:ExchangeImpersonation>";
    assert_eq!(
        decode_header(header),
        Err(Fault::InvalidExchangeImpersonationHeaderData)
    );
}

#[test]
fn blocks_that_change_nothing_are_passed_over() {
    let header = "<t:TimeZoneContext s:mustUnderstand='1'><t:TimeZoneDefinition Id='UTC'/></t:TimeZoneContext>\
                  <t:MailboxCulture>en-US</t:MailboxCulture><x:Trace xmlns:x='urn:x'>1</x:Trace>\
                  <x:Proxy xmlns:x='urn:x' s:mustUnderstand='1' s:actor='urn:somebody-else'/>";
    assert!(decode_header(header).is_ok());
}

#[test]
fn unknown_blocks_that_must_be_understood_are_not() {
    let refused = |attributes: &str| decode_header(&format!("<x:Security xmlns:x='urn:x' {attributes}/>"));
    let fault = Fault::MustUnderstand("'Security' in namespace 'urn:x'".into());
    assert_eq!(refused("s:mustUnderstand='1'"), Err(fault.clone()));
    assert_eq!(
        refused("s:mustUnderstand='1' s:actor='http://schemas.xmlsoap.org/soap/actor/next'"),
        Err(fault)
    );
    assert!(refused("s:mustUnderstand='0'").is_ok());
    assert!(
        refused("mustUnderstand='1'").is_ok(),
        "an attribute without a namespace is not SOAP's"
    );
}

/// JAX-WS 2.3, its classes made by wsimport from our WSDL, prints every header that it was not given.
#[test]
fn header_blocks_that_are_nil_say_nothing() {
    let request = decode(include_bytes!("fixtures/jax-ws.request.xml"), &DecodeOptions::default());
    let request = request.unwrap();
    assert_eq!((request.server_version, request.impersonation), (None, None));
    assert!(matches!(request.operation, Operation::DisconnectPhoneCall(_)));

    let anna =
        "<t:ExchangeImpersonation><t:ConnectingSID><t:SID>anna</t:SID></t:ConnectingSID></t:ExchangeImpersonation>";
    for name in [
        "RequestServerVersion",
        "ExchangeImpersonation",
        "MailboxCulture",
        "TimeZoneContext",
        "ManagementRole",
        "DateTimePrecision",
    ] {
        for attributes in ["i:nil='true'", "i:nil=' 1 '", "i:nil='true' s:mustUnderstand='1'"] {
            let nil = format!("<t:{name} xmlns:i='{XSI}' {attributes}/>");
            let request = decode_header(&nil).unwrap();
            assert_eq!((request.server_version, request.impersonation), (None, None), "{nil}");
            let request = decode_header(&format!("{nil}{anna}{nil}")).unwrap();
            assert_eq!(request.impersonation, Some(ConnectingSid::Sid("anna".into())), "{nil}");
        }
    }
}

#[test]
fn nil_is_no_way_around_what_a_header_says() {
    let nil = |block: &str| decode_header(&block.replace("@nil", &format!("xmlns:i='{XSI}' i:nil='true'")));
    let said = "<t:ConnectingSID><t:SID>anna</t:SID></t:ConnectingSID>";
    let full = violation(nil(&format!(
        "<t:ExchangeImpersonation @nil>{said}</t:ExchangeImpersonation>"
    )));
    assert!(
        full.text.contains("cannot contain child element 'ConnectingSID'"),
        "{full}"
    );
    for not_nil in ["nil='true'", "i:nil='false'", "i:nil='TRUE'", "i:nil=''"] {
        let header = format!("<t:ExchangeImpersonation xmlns:i='{XSI}' {not_nil}/>");
        violation(decode_header(&header));
    }
    // Attributes of a block that nobody here knows may say something all the same.
    assert_eq!(
        nil("<x:Security xmlns:x='urn:x' s:mustUnderstand='1' @nil/>"),
        Err(Fault::MustUnderstand("'Security' in namespace 'urn:x'".into()))
    );
    // Only blocks of the header may be nil.
    assert!(decode_body(&format!("<m:DisconnectPhoneCall xmlns:i='{XSI}' i:nil='true'/>")).is_err());
}

#[test]
fn every_published_version_is_accepted() {
    for version in ServerVersion::all() {
        let result = decode_header(&format!("<t:RequestServerVersion Version='{}'/>", version.name()));
        if version < ServerVersion::EXCHANGE_2010 {
            assert_eq!(result, Err(Fault::IncorrectSchemaVersion));
        } else {
            assert_eq!(result.unwrap().server_version, Some(version));
        }
    }
    assert_eq!(
        decode_header("<t:RequestServerVersion Version='Exchange2525'/>"),
        Err(Fault::InvalidServerVersion)
    );
    assert_eq!(
        decode_header("<t:RequestServerVersion Version=''/>"),
        Err(Fault::InvalidServerVersion)
    );
}

#[test]
fn a_version_probe_is_answered_in_every_version() {
    let body = "<m:ConvertId DestinationFormat='EntryId'><m:SourceIds><t:AlternateId Format='EwsId' Id='DUMMY' \
                Mailbox='DUMMY'/></m:SourceIds></m:ConvertId>";
    let header = "<s:Header><t:RequestServerVersion Version='Exchange2007'/></s:Header>";
    assert!(decode_text(&envelope(header, body)).is_ok());
}

#[test]
fn no_operation_or_several_are_an_invalid_request() {
    assert_eq!(decode_text(""), Err(Fault::InvalidRequest));
    assert_eq!(decode_text(" \r\n"), Err(Fault::InvalidRequest));
    assert_eq!(decode_body(""), Err(Fault::InvalidRequest));
    assert_eq!(decode_body(&DISCONNECT.repeat(2)), Err(Fault::InvalidRequest));
}

#[test]
fn violations_are_told_in_a_validators_words() {
    let in_messages = |text: &str| text.replace("@m", &format!("in namespace '{MESSAGES}'"));
    let cases = [
        (
            "<m:DisconnectPhoneCall><m:Foo/></m:DisconnectPhoneCall>",
            "The element 'DisconnectPhoneCall' @m has invalid child element 'Foo' @m. List of possible elements expected: 'PhoneCallId' @m.",
        ),
        (
            "<m:DisconnectPhoneCall/>",
            "The element 'DisconnectPhoneCall' @m has incomplete content. List of possible elements expected: 'PhoneCallId' @m.",
        ),
        (
            "<m:DisconnectPhoneCall><m:PhoneCallId/></m:DisconnectPhoneCall>",
            "The required attribute 'Id' is missing.",
        ),
        (
            "<m:DisconnectPhoneCall><m:PhoneCallId Id='x' Key='y'/></m:DisconnectPhoneCall>",
            "The 'Key' attribute is not declared.",
        ),
        (
            "<m:DisconnectPhoneCall><m:PhoneCallId Id='x'/><m:PhoneCallId Id='x'/></m:DisconnectPhoneCall>",
            "The element 'DisconnectPhoneCall' @m has invalid child element 'PhoneCallId' @m.",
        ),
        (
            "<m:DisconnectPhoneCall><m:PhoneCallId Id='x'>y</m:PhoneCallId></m:DisconnectPhoneCall>",
            "The element 'PhoneCallId' @m cannot contain text because the parent element's content model is empty.",
        ),
        (
            "<m:DisconnectPhoneCall>x<m:PhoneCallId Id='x'/></m:DisconnectPhoneCall>",
            "The element 'DisconnectPhoneCall' @m cannot contain text. List of possible elements expected: 'PhoneCallId' @m.",
        ),
        (
            "<m:PlayOnPhone><m:DialString/><m:ItemId Id='x'/></m:PlayOnPhone>",
            "The element 'PlayOnPhone' @m has invalid child element 'DialString' @m. List of possible elements expected: 'ItemId' @m.",
        ),
        (
            "<m:PlayOnPhone><m:ItemId Id='x'/><m:DialString><m:b/></m:DialString></m:PlayOnPhone>",
            "The element 'DialString' @m cannot contain child element 'b' @m because the parent element's content model is text only.",
        ),
        (
            "<m:ConvertId DestinationFormat='Gopher'/>",
            "The 'DestinationFormat' attribute is invalid - The value 'Gopher' is invalid according to its datatype 'http://schemas.microsoft.com/exchange/services/2006/types:IdFormatType' - The Enumeration constraint failed.",
        ),
        (
            "<DisconnectPhoneCall/>",
            "The element 'Body' in namespace 'http://schemas.xmlsoap.org/soap/envelope/' has invalid child element 'DisconnectPhoneCall'. List of possible elements expected: 'PlayOnPhone, GetPhoneCallInformation, DisconnectPhoneCall, GetServiceConfiguration, ConvertId' @m.",
        ),
    ];
    for (body, text) in cases {
        assert_eq!(violation(decode_body(body)).text, in_messages(text), "{body}");
    }
}

#[test]
fn operations_of_the_schema_that_are_not_served_are_refused_by_name() {
    for name in ["GetItem", "AddDelegate", "ValidateUMPin", "GetUserAvailabilityRequest"] {
        let asked = decode_body(&format!("<m:{name}><m:Whatever/></m:{name}>"));
        assert_eq!(asked, Err(Fault::InvalidOperation), "{name}");
    }
}

#[test]
fn what_the_schema_does_not_have_is_a_violation_of_it() {
    for name in [
        "m:getitem",
        "m:PlayOnPhoneResponse",
        "m:GetItemResponse",
        "m:Nonsense",
        "t:GetItem",
    ] {
        let text = violation(decode_body(&format!("<{name}/>"))).text;
        let child = format!("has invalid child element '{}'", &name[2..]);
        assert!(text.contains(&child), "{text}");
    }
}

#[test]
fn violations_are_placed_where_they_are() {
    let document = format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s='{SOAP}'\r\n xmlns:m='{MESSAGES}'>\r\n <s:Body>\r\n  \
         <m:DisconnectPhoneCall>\r\n   <!-- é --><m:Foo/>\r\n  </m:DisconnectPhoneCall></s:Body></s:Envelope>"
    );
    let found = violation(decode_text(&document));
    assert_eq!((found.line, found.position), (6, 15));

    let document = document.replace("<m:Foo/>", "<m:PhoneCallId Id='x'\n  Key='y'/>");
    let found = violation(decode_text(&document));
    assert_eq!((found.line, found.position), (7, 3));
}

#[test]
fn the_operation_is_known_as_soon_as_its_tag_has_come() {
    let options = DecodeOptions::default();
    let request = include_str!("fixtures/exchange-2010-documentation.request.xml");
    let tag = request.find("DisconnectPhoneCall").unwrap();
    let end = tag + request[tag..].find('>').unwrap();
    for length in 0..=request.len() {
        let told = ews::addressed(&request.as_bytes()[..length], &options);
        assert_eq!(told, (length > end).then_some("DisconnectPhoneCall"), "{length}");
    }
    assert_eq!(
        ews::addressed(request.replace("DisconnectPhoneCall", "GetItem").as_bytes(), &options),
        None
    );
    let half_a_character = [request.as_bytes(), &[0xC3]].concat();
    assert_eq!(ews::addressed(&half_a_character, &options), Some("DisconnectPhoneCall"));
    assert_eq!(ews::addressed(b"\xFF>", &options), None);
}
