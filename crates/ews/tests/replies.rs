//! Answers as a client reads them: ours, and those of servers nobody here wrote.

use ews::{
    ConnectionFailureCause, DisconnectPhoneCall, Fault, GetPhoneCallInformation, GetServiceConfiguration, PhoneCallId,
    PhoneCallInformation, PhoneCallState, PlayOnPhone, ReplyError, Response, ResponseCode, ResponseMessage,
    ServerVersionInfo, SipResponse, UnifiedMessagingConfiguration,
};

fn bytes(response: &Response) -> Vec<u8> {
    response.encode(&ServerVersionInfo::default()).into_bytes()
}

#[test]
fn successes_bring_their_payload() {
    let id = PhoneCallId("b25ob29r".into());
    let answer = bytes(&Response::PlayOnPhone(ResponseMessage::Success(id.clone())));
    assert_eq!(PlayOnPhone::decode_response(&answer), Ok(id));

    let answer = bytes(&Response::DisconnectPhoneCall(ResponseMessage::Success(())));
    assert_eq!(DisconnectPhoneCall::decode_response(&answer), Ok(()));

    let configuration = UnifiedMessagingConfiguration {
        enabled: true,
        dial_string: "4711".into(),
        play_on_phone_enabled: true,
    };
    let messages = vec![ResponseMessage::Success(configuration.clone())];
    let answer = bytes(&Response::GetServiceConfiguration(ResponseMessage::Success(messages)));
    assert_eq!(GetServiceConfiguration::decode_response(&answer), Ok(configuration));
}

#[test]
fn every_state_and_cause_survives_the_wire() {
    for state in PhoneCallState::ALL {
        for failure_cause in ConnectionFailureCause::ALL {
            for sip_response in [
                None,
                Some(SipResponse {
                    code: 404,
                    text: "Not <found>".into(),
                }),
            ] {
                let information = PhoneCallInformation {
                    state: *state,
                    failure_cause: *failure_cause,
                    sip_response,
                };
                let answer = Response::GetPhoneCallInformation(ResponseMessage::Success(information.clone()));
                assert_eq!(
                    GetPhoneCallInformation::decode_response(&bytes(&answer)),
                    Ok(information)
                );
            }
        }
    }
}

#[test]
fn every_error_is_told_by_code_and_text() {
    for code in ResponseCode::ALL {
        let answer = bytes(&Response::PlayOnPhone(ResponseMessage::Error((*code).into())));
        let refused = ReplyError::Refused {
            code: code.name().into(),
            text: code.text().into(),
        };
        assert_eq!(PlayOnPhone::decode_response(&answer), Err(refused));
    }
}

#[test]
fn every_fault_is_told_by_code() {
    for fault in Fault::examples() {
        let answer = fault.encode(&ServerVersionInfo::default());
        let expected = fault.code().map_or("MustUnderstand", ResponseCode::name);
        match DisconnectPhoneCall::decode_response(answer.as_bytes()) {
            Err(ReplyError::Fault { code, text }) => {
                assert_eq!(code, expected);
                assert!(!text.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_documented_answer_is_a_success() {
    let answer = include_bytes!("fixtures/exchange-2010-documentation.response.xml");
    assert_eq!(DisconnectPhoneCall::decode_response(answer), Ok(()));
}

#[test]
fn codes_and_elements_we_do_not_know_are_no_obstacle() {
    let answer = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><m:PlayOnPhoneResponse \
        ResponseClass='Error' xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><m:New><m:Thing/></m:New>\
        <m:MessageText>Later.</m:MessageText><m:ResponseCode>ErrorFromTheFuture</m:ResponseCode></m:PlayOnPhoneResponse>\
        </s:Body></s:Envelope>";
    let refused = ReplyError::Refused {
        code: "ErrorFromTheFuture".into(),
        text: "Later.".into(),
    };
    assert_eq!(PlayOnPhone::decode_response(answer.as_bytes()), Err(refused));
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let login_page = b"<html><body>Sign in</body></html>";
    assert!(matches!(
        PlayOnPhone::decode_response(login_page),
        Err(ReplyError::Invalid(_))
    ));
    assert!(matches!(PlayOnPhone::decode_response(b""), Err(ReplyError::Invalid(_))));
    let other = bytes(&Response::DisconnectPhoneCall(ResponseMessage::Success(())));
    assert!(matches!(
        PlayOnPhone::decode_response(&other),
        Err(ReplyError::Invalid(_))
    ));
    let without_payload = String::from_utf8(other)
        .unwrap()
        .replace("DisconnectPhoneCall", "PlayOnPhone");
    let missing = ReplyError::Missing("PhoneCallId");
    assert_eq!(PlayOnPhone::decode_response(without_payload.as_bytes()), Err(missing));
}
