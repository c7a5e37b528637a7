//! Answers: documents of EWS, and refusals in HTTP's own words.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::auth::Taken;

const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Why a request does not get as far as EWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unreadable,
    NeedsTls,
    NeedsCertificate,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    TooLarge,
    NotXml,
    TooManyAttempts(Duration),
    Unavailable,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::NeedsTls | Self::NeedsCertificate => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotXml => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "The body of the request could not be read.",
            Self::NeedsTls => "Passwords and tokens are not taken over plain HTTP here. Use the https address.",
            Self::NeedsCertificate => "A client certificate is needed that names a user.",
            Self::NotFound => "There is nothing here. The EWS endpoint is /EWS/Exchange.asmx.",
            Self::MethodNotAllowed => "EWS requests are sent with POST to /EWS/Exchange.asmx.",
            Self::TooSlow => "The body of the request took too long.",
            Self::TooLarge => "The body of the request is too long.",
            Self::NotXml => "The body of the request has to be XML: Content-Type text/xml, UTF-8, not compressed.",
            Self::TooManyAttempts(_) => "Too many attempts with wrong credentials. Try again later.",
            Self::Unavailable => "The user cannot be looked up now. Try again later.",
        }
    }
}

pub(super) fn refuse(refusal: Refusal) -> Response {
    let mut response = with_body(refusal.status(), TEXT, format!("{}\n", refusal.text()));
    if let Refusal::TooManyAttempts(wait) = refusal {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Asks for credentials. Only what is really taken is offered: clients pick what looks strongest, and fail on it. Where
/// only certificates are, there is nothing to ask for: the handshake was the time.
pub(super) fn challenge(realm: &str, taken: Taken, page: Option<String>) -> Response {
    let mut schemes = taken.schemes().peekable();
    if schemes.peek().is_none() {
        return refuse(Refusal::NeedsCertificate);
    }
    let mut response = match page {
        Some(page) => with_body(StatusCode::UNAUTHORIZED, HTML, page),
        None => with_body(StatusCode::UNAUTHORIZED, TEXT, "Credentials are needed.\n"),
    };
    for scheme in schemes {
        // The configuration takes no realm that would have to be escaped.
        let offer = HeaderValue::try_from(format!("{scheme} realm=\"{realm}\""));
        let offer = offer.unwrap_or(HeaderValue::from_static(scheme));
        response.headers_mut().append(WWW_AUTHENTICATE, offer);
    }
    response
}

/// An answer of EWS.
pub(super) fn xml(status: StatusCode, document: impl Into<Body>) -> Response {
    with_body(status, XML, document)
}

/// A page for a person.
pub(super) fn html(document: String) -> Response {
    with_body(StatusCode::OK, HTML, document)
}

fn with_body(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
