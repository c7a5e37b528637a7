//! Answers: documents of EWS, and refusals in HTTP's own words.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use ews::Fault;

use super::Settings;
use crate::auth::LoginMethods;

const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Why a request does not get as far as EWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unreadable,
    NeedsTls,
    NeedsCertificate,
    /// The one that the client showed in the handshake; in another one it may show another.
    CertificateLapsed,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    TooLarge,
    NotXml,
    TooManyAttempts(Duration),
    /// For another body beside those that are being read.
    NoRoom(Duration),
    Unavailable,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::NeedsTls | Self::NeedsCertificate | Self::CertificateLapsed => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotXml => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoom(_) | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "The body of the request could not be read.",
            Self::NeedsTls => "Passwords and tokens are not taken over plain HTTP here. Use the https address.",
            Self::NeedsCertificate => "A client certificate is needed that names a user.",
            Self::CertificateLapsed => "The client certificate of this connection is no longer good.",
            Self::NotFound => "There is nothing here. The EWS endpoint is /EWS/Exchange.asmx.",
            Self::MethodNotAllowed => "EWS requests are sent with POST to /EWS/Exchange.asmx.",
            Self::TooSlow => "The body of the request took too long.",
            Self::TooLarge => "The body of the request is too long.",
            Self::NotXml => "The body of the request has to be XML: Content-Type text/xml, UTF-8, not compressed.",
            Self::TooManyAttempts(_) => "Too many attempts with wrong credentials. Try again later.",
            Self::NoRoom(_) => "Too many requests are being read now. Try again later.",
            Self::Unavailable => "The user cannot be looked up now. Try again later.",
        }
    }
}

/// The answer to who is refused. For who may try again later EWS has a fault; a person who reads gets HTTP's own status and
/// the reason.
pub(super) fn refuse(refusal: Refusal, method: &Method, settings: &Settings) -> Response {
    tracing::debug!(status = refusal.status().as_u16(), "{}", refusal.text());
    let (Refusal::TooManyAttempts(wait) | Refusal::NoRoom(wait)) = refusal else {
        let mut response = explained(refusal.status(), method, refusal.text());
        if refusal == Refusal::CertificateLapsed {
            announce_close(&mut response);
        }
        return response;
    };
    let mut response = if is_read_by_a_person(method) {
        explained(refusal.status(), method, refusal.text())
    } else {
        let fault = Fault::ServerBusy(wait);
        xml(StatusCode::INTERNAL_SERVER_ERROR, fault.encode(&settings.version))
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Asks for credentials. Only what is really taken is offered: clients pick what looks strongest, and fail on it. Where
/// only certificates are, there is nothing to ask for: the handshake was the time. `page` is for a person without a
/// password.
pub(super) fn challenge(methods: LoginMethods, method: &Method, settings: &Settings, page: Option<String>) -> Response {
    let mut schemes = methods.schemes().peekable();
    if schemes.peek().is_none() {
        return refuse(Refusal::NeedsCertificate, method, settings);
    }
    let mut response = match page {
        Some(page) => with_body(StatusCode::UNAUTHORIZED, HTML, page),
        None => explained(StatusCode::UNAUTHORIZED, method, "Credentials are needed."),
    };
    for scheme in schemes {
        // The configuration takes no realm that would have to be escaped.
        let offer = HeaderValue::try_from(format!("{scheme} realm=\"{}\"", settings.realm));
        let offer = offer.unwrap_or(HeaderValue::from_static(scheme));
        response.headers_mut().append(WWW_AUTHENTICATE, offer);
    }
    response
}

/// A status with its reason in words, for those who read them. Client libraries take whatever answers a POST for SOAP,
/// and where it is none they complain of that and hide the status: nothing is there for them to take.
fn explained(status: StatusCode, method: &Method, text: &str) -> Response {
    if is_read_by_a_person(method) {
        return with_body(status, TEXT, format!("{text}\n"));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn is_read_by_a_person(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// An answer of EWS.
pub(super) fn xml(status: StatusCode, document: impl Into<Body>) -> Response {
    with_body(status, XML, document)
}

/// A page for a person.
pub(super) fn html(document: String) -> Response {
    with_body(StatusCode::OK, HTML, document)
}

/// Says that nothing follows on this connection.
pub(super) fn announce_close<B>(response: &mut Response<B>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}

fn with_body(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
