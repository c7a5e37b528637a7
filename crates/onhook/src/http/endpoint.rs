//! `POST /EWS/Exchange.asmx`: who asks, what, and the answer.

use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use ews::{Fault, Operation};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Refusal, refuse, xml};
use super::body::{announced_length, read};
use super::connection::Gone;
use super::delivery::{Delivered, OnLeft, Parts};
use super::front::Known;
use super::service::Content;
use super::{Answer, Asked, Service, Settings};
use crate::crash_points;

pub(super) async fn serve<S: Service>(known: Known<S>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let settings = &*known.front.settings;
    if let Err(refusal) = check_head(&head.headers, settings) {
        return refuse(refusal, &head.method, settings);
    }
    let room = u32::try_from(announced_length(&head.headers).unwrap_or(settings.body_limit)).unwrap_or(u32::MAX);
    // All of it at once: bodies that wait for one another's last bytes would wait in vain.
    let Ok(Ok(room)) = timeout(settings.body_timeout, known.front.room.acquire_many(room)).await else {
        tracing::warn!("no room for another body");
        let fault = Fault::ServerBusy(settings.body_timeout).encode(&settings.version);
        return xml(StatusCode::INTERNAL_SERVER_ERROR, fault);
    };
    let body = match read(body, settings).await {
        Ok(body) => body,
        Err(refusal) => return refuse(refusal, &head.method, settings),
    };
    // Where a chunked body ends is only known now.
    known.connection.place.keep();
    let gone = head.extensions.remove::<Gone>();
    let gone = gone.map(|Gone(gone)| gone).unwrap_or_default();
    let (response, on_told) = answer(&known, (body, room), &gone).await;
    match on_told {
        Some(on_told) => {
            let outbox = known.connection.outbox;
            response.map(|body| Body::new(Delivered::new(body, outbox, on_told)))
        }
        None => response,
    }
}

/// Decodes, asks the service, encodes.
async fn answer<S: Service>(
    known: &Known<S>,
    body: (Bytes, SemaphorePermit<'_>),
    gone: &CancellationToken,
) -> (Response, Option<OnLeft>) {
    let settings = &*known.front.settings;
    let started = Instant::now();
    let mut operation = "none";
    // Clients ask every second how a call goes.
    let mut is_poll = false;
    crash_points::panic_at("request");
    let decoded = ews::decode(&body.0, &settings.decode);
    drop(body);
    let result = match decoded {
        Ok(request) => {
            operation = request.operation.name();
            is_poll = matches!(request.operation, Operation::GetPhoneCallInformation(_));
            let asked = Asked {
                caller: &known.caller,
                connection: &*known.kept,
                request,
                gone,
            };
            known.front.service.answer(asked).await
        }
        Err(fault) => Err(fault),
    };
    let took = started.elapsed();
    match result {
        Ok(Answer { content, on_told }) => {
            if is_poll {
                tracing::debug!(operation, ?took, "answered");
            } else {
                tracing::info!(operation, ?took, "answered");
            }
            let document = match content {
                Content::Response(response) => response.encode(&settings.version).into(),
                Content::Parts(parts) => Body::new(Parts(parts)),
            };
            (xml(StatusCode::OK, document), on_told)
        }
        Err(fault) => {
            tracing::info!(operation, ?took, %fault, "answered with a fault");
            let fault = fault.encode(&settings.version);
            (xml(StatusCode::INTERNAL_SERVER_ERROR, fault), None)
        }
    }
}

/// What the head says about the body: XML in UTF-8, not compressed, not too long.
fn check_head(headers: &HeaderMap, settings: &Settings) -> Result<(), Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::NotXml);
    }
    if let Some(content_type) = headers.get(CONTENT_TYPE) {
        let content_type = content_type.to_str().map_err(|_| Refusal::NotXml)?;
        if !is_xml_in_utf8(content_type) {
            return Err(Refusal::NotXml);
        }
    }
    match announced_length(headers) {
        Some(length) if length > settings.body_limit => Err(Refusal::TooLarge),
        _ => Ok(()),
    }
}

fn is_xml_in_utf8(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_xml = ["text/xml", "application/xml"]
        .iter()
        .any(|xml| media_type.eq_ignore_ascii_case(xml));
    is_xml
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = value.trim().trim_matches('"');
                ["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| charset.eq_ignore_ascii_case(known))
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::is_xml_in_utf8;

    #[test]
    fn xml_in_utf8_is_recognised_in_any_spelling() {
        for good in [
            "text/xml",
            "Text/XML; Charset=\"UTF-8\"",
            "text/xml;charset=utf-8;action=\"x\"",
            "application/xml ; charset = utf-8",
        ] {
            assert!(is_xml_in_utf8(good), "{good}");
        }
        for bad in [
            "application/json",
            "application/soap+xml",
            "text/xml; charset=utf-16",
            "",
            "text/xmlx",
        ] {
            assert!(!is_xml_in_utf8(bad), "{bad}");
        }
    }
}
