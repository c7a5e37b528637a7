//! Answers and faults as they go over the wire, whole.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::time::Duration;

use ews::{
    ConnectionFailureCause, Fault, PhoneCallId, PhoneCallInformation, PhoneCallState, Response, ResponseCode,
    ResponseError, ResponseMessage, ServerVersionInfo, SipResponse, UnifiedMessagingConfiguration, Violation,
};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header>\
    <h:ServerVersionInfo MajorVersion=\"15\" MinorVersion=\"1\" MajorBuildNumber=\"2507\" MinorBuildNumber=\"6\" \
    Version=\"Exchange2016\" xmlns:h=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
    xmlns=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"/></s:Header>\
    <s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">";
const TAIL: &str = "</s:Body></s:Envelope>";
const M: &str = "xmlns=\"http://schemas.microsoft.com/exchange/services/2006/messages\"";
const T: &str = "xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\"";

/// What stands in the Body.
fn body(document: &str) -> &str {
    document.strip_prefix(HEAD).unwrap().strip_suffix(TAIL).unwrap()
}

fn assert_answer(response: &Response, expected: &str) {
    let document = response.encode(&ServerVersionInfo::default());
    assert_eq!(body(&document), expected.replace("@m", M).replace("@t", T));
}

fn assert_fault(fault: &Fault, expected: &str) {
    let document = fault.encode(&ServerVersionInfo::default());
    let e = "xmlns:e=\"http://schemas.microsoft.com/exchange/services/2006/errors\"";
    assert_eq!(
        body(&document),
        expected
            .replace("@a", &T.replace(":t", ":a"))
            .replace("@e", e)
            .replace("@t", T)
    );
}

#[test]
fn successes_hold_no_error_and_the_payload() {
    let id = PhoneCallId("a<b".into());
    assert_answer(
        &Response::PlayOnPhone(ResponseMessage::Success(id)),
        "<PlayOnPhoneResponse ResponseClass=\"Success\" @m><ResponseCode>NoError</ResponseCode>\
         <PhoneCallId Id=\"a&lt;b\"/></PlayOnPhoneResponse>",
    );
    let information = PhoneCallInformation {
        state: PhoneCallState::Disconnected,
        failure_cause: ConnectionFailureCause::UserBusy,
        sip_response: Some(SipResponse {
            code: 486,
            text: "Busy\u{1} Here".into(),
        }),
    };
    assert_answer(
        &Response::GetPhoneCallInformation(ResponseMessage::Success(information)),
        "<GetPhoneCallInformationResponse ResponseClass=\"Success\" @m><ResponseCode>NoError</ResponseCode>\
         <PhoneCallInformation @t><t:PhoneCallState>Disconnected</t:PhoneCallState>\
         <t:ConnectionFailureCause>UserBusy</t:ConnectionFailureCause><t:SIPResponseText>Busy\u{FFFD} Here\
         </t:SIPResponseText><t:SIPResponseCode>486</t:SIPResponseCode></PhoneCallInformation>\
         </GetPhoneCallInformationResponse>",
    );
    let configuration = UnifiedMessagingConfiguration {
        enabled: true,
        dial_string: String::new(),
        play_on_phone_enabled: false,
    };
    assert_answer(
        &Response::GetServiceConfiguration(ResponseMessage::Success(vec![ResponseMessage::Success(configuration)])),
        "<GetServiceConfigurationResponse ResponseClass=\"Success\" @m><ResponseCode>NoError</ResponseCode>\
         <ResponseMessages><ServiceConfigurationResponseMessageType ResponseClass=\"Success\">\
         <ResponseCode>NoError</ResponseCode><UnifiedMessagingConfiguration @t><t:UmEnabled>true</t:UmEnabled>\
         <t:PlayOnPhoneDialString></t:PlayOnPhoneDialString><t:PlayOnPhoneEnabled>false</t:PlayOnPhoneEnabled>\
         </UnifiedMessagingConfiguration></ServiceConfigurationResponseMessageType></ResponseMessages>\
         </GetServiceConfigurationResponse>",
    );
}

#[test]
fn errors_hold_text_code_and_link_and_nothing_else() {
    assert_answer(
        &Response::DisconnectPhoneCall(ResponseMessage::Error(ResponseCode::InvalidPhoneCallId.into())),
        "<DisconnectPhoneCallResponse ResponseClass=\"Error\" @m><MessageText>The phone call ID isn't valid.</MessageText>\
         <ResponseCode>ErrorInvalidPhoneCallId</ResponseCode><DescriptiveLinkKey>0</DescriptiveLinkKey>\
         </DisconnectPhoneCallResponse>",
    );
    assert_answer(
        &Response::ConvertId(vec![ResponseMessage::Error(ResponseCode::InvalidIdMalformed.into())]),
        "<ConvertIdResponse @m><ResponseMessages><ConvertIdResponseMessage ResponseClass=\"Error\">\
         <MessageText>Id is malformed.</MessageText><ResponseCode>ErrorInvalidIdMalformed</ResponseCode>\
         <DescriptiveLinkKey>0</DescriptiveLinkKey></ConvertIdResponseMessage></ResponseMessages></ConvertIdResponse>",
    );
}

#[test]
fn busy_tells_how_long_to_wait() {
    assert_answer(
        &Response::PlayOnPhone(ResponseMessage::Error(ResponseError::busy(Duration::from_secs(5)))),
        "<PlayOnPhoneResponse ResponseClass=\"Error\" @m><MessageText>The server cannot service this request right now. \
         Try again later.</MessageText><ResponseCode>ErrorServerBusy</ResponseCode><DescriptiveLinkKey>0\
         </DescriptiveLinkKey><MessageXml @t><t:Value Name=\"BackOffMilliseconds\">5000</t:Value></MessageXml>\
         </PlayOnPhoneResponse>",
    );
}

#[test]
fn a_schema_fault_tells_what_is_wrong_and_where() {
    let violation = Violation {
        text: "The 'a' & 'b'.".into(),
        line: 2,
        position: 630,
    };
    assert_fault(
        &Fault::SchemaValidation(violation),
        "<s:Fault><faultcode @a>a:ErrorSchemaValidation</faultcode><faultstring xml:lang=\"en-US\">The request failed \
         schema validation: The 'a' &amp; 'b'.</faultstring><detail><e:ResponseCode @e>ErrorSchemaValidation\
         </e:ResponseCode><e:Message @e>The request failed schema validation.</e:Message><t:MessageXml @t>\
         <t:LineNumber>2</t:LineNumber><t:LinePosition>630</t:LinePosition><t:Violation>The 'a' &amp; 'b'.\
         </t:Violation></t:MessageXml></detail></s:Fault>",
    );
}

#[test]
fn other_faults_repeat_their_text() {
    assert_fault(
        &Fault::InvalidServerVersion,
        "<s:Fault><faultcode @a>a:ErrorInvalidServerVersion</faultcode><faultstring xml:lang=\"en-US\">The specified \
         server version is invalid.</faultstring><detail><e:ResponseCode @e>ErrorInvalidServerVersion</e:ResponseCode>\
         <e:Message @e>The specified server version is invalid.</e:Message></detail></s:Fault>",
    );
    assert_fault(
        &Fault::ServerBusy(Duration::from_millis(1500)),
        "<s:Fault><faultcode @a>a:ErrorServerBusy</faultcode><faultstring xml:lang=\"en-US\">The server cannot service \
         this request right now. Try again later.</faultstring><detail><e:ResponseCode @e>ErrorServerBusy</e:ResponseCode>\
         <e:Message @e>The server cannot service this request right now. Try again later.</e:Message>\
         <t:MessageXml @t><t:Value Name=\"BackOffMilliseconds\">1500</t:Value></t:MessageXml></detail></s:Fault>",
    );
}

#[test]
fn a_fault_about_a_header_has_no_detail() {
    assert_fault(
        &Fault::MustUnderstand("'Security' in namespace 'urn:x'".into()),
        "<s:Fault><faultcode>s:MustUnderstand</faultcode><faultstring xml:lang=\"en-US\">The header block 'Security' in \
         namespace 'urn:x' is not understood.</faultstring></s:Fault>",
    );
}
