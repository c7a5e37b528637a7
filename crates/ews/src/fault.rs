//! SOAP faults: what could not be understood or may not be asked. They travel with HTTP status 500.
//!
//! What was understood and cannot be done is no fault but a [`ResponseError`](crate::ResponseError).

use std::time::Duration;

use crate::namespace::{ERRORS, TYPES};
use crate::print::{answer, print_element, print_text};
use crate::response_code::ResponseCode;
use crate::version::ServerVersionInfo;
use crate::violation::Violation;

/// A SOAP 1.1 fault in the form EWS gives it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not well-formed, or not what the schema says.
    #[error("the request failed schema validation: {0}")]
    SchemaValidation(Violation),
    /// `t:RequestServerVersion` names no version.
    #[error("the specified server version is invalid")]
    InvalidServerVersion,
    /// The operation is younger than the schema version asked for.
    #[error("the operation is not part of the schema version the request names")]
    IncorrectSchemaVersion,
    /// An operation of the schema that is not served.
    #[error("the operation is not served")]
    InvalidOperation,
    /// No operation, or several.
    #[error("the request is invalid")]
    InvalidRequest,
    /// Too many requests; try again after so long.
    #[error("the server is busy")]
    ServerBusy(Duration),
    /// The caller may not act as the mailbox in `t:ExchangeImpersonation`.
    #[error("impersonation was denied")]
    ImpersonateUserDenied,
    /// The mailbox in `t:ExchangeImpersonation` is not here.
    #[error("the mailbox to impersonate does not exist")]
    NonExistentMailbox,
    /// `t:ExchangeImpersonation` names nobody.
    #[error("the impersonation header is invalid")]
    InvalidExchangeImpersonationHeaderData,
    /// Our own fault; the cause is for the log.
    #[error("an internal server error occurred")]
    InternalServerError,
    /// A header block we do not know has to be understood (SOAP 1.1 §4.2.3). Carries its name.
    #[error("The header block {0} is not understood.")]
    MustUnderstand(String),
}

impl Fault {
    /// The response code in the detail; a fault about headers has none (SOAP 1.1 §4.4).
    pub fn code(&self) -> Option<ResponseCode> {
        Some(match self {
            Self::SchemaValidation(_) => ResponseCode::SchemaValidation,
            Self::InvalidServerVersion => ResponseCode::InvalidServerVersion,
            Self::IncorrectSchemaVersion => ResponseCode::IncorrectSchemaVersion,
            Self::InvalidOperation => ResponseCode::InvalidOperation,
            Self::InvalidRequest => ResponseCode::InvalidRequest,
            Self::ServerBusy(_) => ResponseCode::ServerBusy,
            Self::ImpersonateUserDenied => ResponseCode::ImpersonateUserDenied,
            Self::NonExistentMailbox => ResponseCode::NonExistentMailbox,
            Self::InvalidExchangeImpersonationHeaderData => ResponseCode::InvalidExchangeImpersonationHeaderData,
            Self::InternalServerError => ResponseCode::InternalServerError,
            Self::MustUnderstand(_) => return None,
        })
    }

    /// The whole document.
    pub fn encode(&self, version: &ServerVersionInfo) -> String {
        let mut body = String::from("<s:Fault>");
        match self.code() {
            Some(code) => self.print_with(code, &mut body),
            None => {
                body.push_str("<faultcode>s:MustUnderstand</faultcode><faultstring xml:lang=\"en-US\">");
                print_text(&mut body, &self.to_string());
                body.push_str("</faultstring>");
            }
        }
        body.push_str("</s:Fault>");
        answer(version, &body)
    }

    fn print_with(&self, code: ResponseCode, body: &mut String) {
        body.push_str(&format!("<faultcode xmlns:a=\"{TYPES}\">a:{}</faultcode>", code.name()));
        body.push_str("<faultstring xml:lang=\"en-US\">");
        match self {
            Self::SchemaValidation(violation) => {
                body.push_str("The request failed schema validation: ");
                print_text(body, &violation.text);
            }
            _ => print_text(body, code.text()),
        }
        body.push_str("</faultstring><detail>");
        body.push_str(&format!(
            "<e:ResponseCode xmlns:e=\"{ERRORS}\">{}</e:ResponseCode>",
            code.name()
        ));
        body.push_str(&format!("<e:Message xmlns:e=\"{ERRORS}\">"));
        print_text(body, code.text());
        body.push_str("</e:Message>");
        match self {
            Self::SchemaValidation(violation) => {
                body.push_str(&format!("<t:MessageXml xmlns:t=\"{TYPES}\">"));
                print_element(body, "t:LineNumber", &violation.line.to_string());
                print_element(body, "t:LinePosition", &violation.position.to_string());
                print_element(body, "t:Violation", &violation.text);
                body.push_str("</t:MessageXml>");
            }
            Self::ServerBusy(back_off) => {
                body.push_str(&format!("<t:MessageXml xmlns:t=\"{TYPES}\">"));
                print_back_off(body, *back_off);
                body.push_str("</t:MessageXml>");
            }
            _ => {}
        }
        body.push_str("</detail>");
    }

    /// One of each kind.
    pub fn examples() -> Vec<Self> {
        let violation = Violation {
            text: "The required attribute 'Id' is missing.".into(),
            line: 2,
            position: 630,
        };
        vec![
            Self::SchemaValidation(violation),
            Self::InvalidServerVersion,
            Self::IncorrectSchemaVersion,
            Self::InvalidOperation,
            Self::InvalidRequest,
            Self::ServerBusy(Duration::from_secs(30)),
            Self::ImpersonateUserDenied,
            Self::NonExistentMailbox,
            Self::InvalidExchangeImpersonationHeaderData,
            Self::InternalServerError,
            Self::MustUnderstand("'Security' in namespace 'urn:example'".into()),
        ]
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::SchemaValidation(violation)
    }
}

/// Prints how long to wait, with the prefix `t` bound by the caller.
pub(crate) fn print_back_off(out: &mut String, back_off: Duration) {
    let milliseconds = back_off.as_millis();
    out.push_str(&format!(
        "<t:Value Name=\"BackOffMilliseconds\">{milliseconds}</t:Value>"
    ));
}
