//! What every response message has in common: success with its payload, or an error with its reason.

use std::borrow::Cow;
use std::time::Duration;

use crate::fault::print_back_off;
use crate::namespace::{MESSAGES, TYPES};
use crate::print::print_element;
use crate::response_code::ResponseCode;

/// `m:ResponseMessageType`: `ResponseClass` and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseMessage<T> {
    /// `ResponseClass="Success"`
    Success(T),
    /// `ResponseClass="Error"`; there is no payload then.
    Error(ResponseError),
}

/// What was understood and cannot be done. Travels with HTTP status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseError {
    /// `m:ResponseCode`
    pub code: ResponseCode,
    /// `m:MessageText`; the code's own text unless there is a better one.
    pub text: Cow<'static, str>,
    /// `BackOffMilliseconds` in `m:MessageXml`: how long the client should wait.
    pub back_off: Option<Duration>,
}

impl ResponseError {
    /// Busy, and how long to wait.
    pub fn busy(back_off: Duration) -> Self {
        Self {
            back_off: Some(back_off),
            ..ResponseCode::ServerBusy.into()
        }
    }
}

impl From<ResponseCode> for ResponseError {
    fn from(code: ResponseCode) -> Self {
        Self {
            code,
            text: Cow::Borrowed(code.text()),
            back_off: None,
        }
    }
}

impl<T> From<Result<T, ResponseError>> for ResponseMessage<T> {
    fn from(result: Result<T, ResponseError>) -> Self {
        match result {
            Ok(payload) => Self::Success(payload),
            Err(error) => Self::Error(error),
        }
    }
}

impl<T> ResponseMessage<T> {
    /// Prints a response element that stands in the Body itself.
    pub(crate) fn encode(&self, name: &str, payload: impl FnOnce(&mut String, &T)) -> String {
        let mut out = String::new();
        self.print(&mut out, name, &format!(" xmlns=\"{MESSAGES}\""), payload);
        out
    }

    /// Prints a message inside another, where messages is the default namespace already.
    pub(crate) fn print_nested(&self, out: &mut String, name: &str, payload: impl FnOnce(&mut String, &T)) {
        self.print(out, name, "", payload);
    }

    fn print(&self, out: &mut String, name: &str, namespace: &str, payload: impl FnOnce(&mut String, &T)) {
        match self {
            Self::Success(value) => {
                out.push_str(&format!("<{name} ResponseClass=\"Success\"{namespace}>"));
                out.push_str("<ResponseCode>NoError</ResponseCode>");
                payload(out, value);
            }
            Self::Error(error) => {
                out.push_str(&format!("<{name} ResponseClass=\"Error\"{namespace}>"));
                print_element(out, "MessageText", &error.text);
                print_element(out, "ResponseCode", error.code.name());
                print_element(out, "DescriptiveLinkKey", "0");
                if let Some(back_off) = error.back_off {
                    out.push_str(&format!("<MessageXml xmlns:t=\"{TYPES}\">"));
                    print_back_off(out, back_off);
                    out.push_str("</MessageXml>");
                }
            }
        }
        out.push_str(&format!("</{name}>"));
    }
}
