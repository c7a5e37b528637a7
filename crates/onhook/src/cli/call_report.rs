//! What `play` and `info` say about a call.

use std::io::{self, Write};

use ews::{PhoneCallId, PhoneCallInformation};
use serde::Serialize;

use super::output::json;

/// A call as scripts read it.
#[derive(Debug, Serialize)]
pub(super) struct CallReport<'a> {
    phone_call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_failure_cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sip_response_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sip_response_text: Option<&'a str>,
}

impl<'a> CallReport<'a> {
    pub(super) fn new(id: &'a PhoneCallId, information: Option<&'a PhoneCallInformation>) -> Self {
        let sip_response = information.and_then(|information| information.sip_response.as_ref());
        Self {
            phone_call_id: &id.0,
            state: information.map(|information| information.state.name()),
            connection_failure_cause: information.map(|information| information.failure_cause.name()),
            sip_response_code: sip_response.map(|response| response.code),
            sip_response_text: sip_response.map(|response| response.text.as_str()),
        }
    }

    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        json(out, self)
    }
}

/// One line for a person: `Disconnected, UserBusy (486 Busy Here)`.
pub(super) fn line(information: &PhoneCallInformation) -> String {
    let mut line = information.state.name().to_owned();
    if information.failure_cause != ews::ConnectionFailureCause::None {
        line.push_str(", ");
        line.push_str(information.failure_cause.name());
    }
    if let Some(response) = &information.sip_response {
        // The text is a peer's: what a terminal would act on is not passed on.
        let text: String = response
            .text
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        line.push_str(&format!(" ({} {text})", response.code));
    }
    line
}

#[cfg(test)]
mod tests {
    use ews::{ConnectionFailureCause, PhoneCallState, SipResponse};

    use super::*;

    fn busy() -> PhoneCallInformation {
        PhoneCallInformation {
            state: PhoneCallState::Disconnected,
            failure_cause: ConnectionFailureCause::UserBusy,
            sip_response: Some(SipResponse {
                code: 486,
                text: "Busy\u{1b}[2J Here".into(),
            }),
        }
    }

    #[test]
    fn a_person_reads_one_line() {
        assert_eq!(line(&busy()), "Disconnected, UserBusy (486 Busy[2J Here)");
    }

    #[test]
    fn a_script_reads_what_there_is() {
        let id = PhoneCallId("x".into());
        let text = serde_json::to_string(&CallReport::new(&id, None)).unwrap();
        assert_eq!(text, r#"{"phone_call_id":"x"}"#);
        let text = serde_json::to_string(&CallReport::new(&id, Some(&busy()))).unwrap();
        assert!(
            text.contains(r#""state":"Disconnected","connection_failure_cause":"UserBusy","sip_response_code":486"#)
        );
    }
}
