//! `POST /EWS/Exchange.asmx`: who asks, what, and the answer.

use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use ews::Operation;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::{Refusal, refuse, xml};
use super::body::{announced_length, read};
use super::connection::Gone;
use super::delivery::{Delivered, OnLeft, Parts};
use super::front::Authenticated;
use super::service::Content;
use super::{Answer, Service, ServiceRequest};
use crate::crash_points;

pub(super) async fn serve<S: Service>(authenticated: Authenticated<S>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let settings = &*authenticated.front.settings;
    let body = match read_within_limits(&authenticated, &head.headers, body).await {
        Ok(body) => body,
        Err(refusal) => return refuse(refusal, &head.method, settings),
    };
    // Where a chunked body ends is only known now.
    authenticated.connection.place.keep();
    let gone = head.extensions.remove::<Gone>();
    let gone = gone.map(|Gone(gone)| gone).unwrap_or_default();
    let (response, on_delivered) = answer(&authenticated, body, &gone).await;
    match on_delivered {
        Some(on_delivered) => {
            let outbox = authenticated.connection.outbox;
            response.map(|body| Body::new(Delivered::new(body, outbox, on_delivered)))
        }
        None => response,
    }
}

/// Reads the body, of which there is so much as the operation may have, and room for it beside all others.
async fn read_within_limits<'k, S: Service>(
    authenticated: &'k Authenticated<S>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, SemaphorePermit<'k>), Refusal> {
    let (settings, service) = (&*authenticated.front.settings, &*authenticated.front.service);
    check_content(headers)?;
    let announced = announced_length(headers);
    let longest = Operation::names()
        .filter_map(|operation| service.body_limit(operation))
        .max();
    if announced > longest.max(Some(settings.body_limit)) {
        return Err(Refusal::TooLarge);
    }
    let no_room = || {
        tracing::warn!("no room for another body");
        Refusal::NoRoom(settings.body_timeout)
    };
    let waiting = authenticated
        .front
        .room
        .acquire_many(places(announced.unwrap_or(usize::MAX).min(settings.body_limit)));
    let waited = timeout(settings.body_timeout, waiting).await;
    let mut room = waited.ok().and_then(Result::ok).ok_or_else(no_room)?;
    let whole = read(body, settings, |begun| {
        let operation = ews::addressed(begun, &settings.decode).ok_or(Refusal::TooLarge)?;
        let limit = service.body_limit(operation).ok_or(Refusal::TooLarge)?;
        let more = announced
            .unwrap_or(limit)
            .min(limit)
            .saturating_sub(settings.body_limit);
        // Not waited for: bodies that wait for one another's last bytes would wait in vain.
        room.merge(
            authenticated
                .front
                .room
                .try_acquire_many(places(more))
                .map_err(|_| no_room())?,
        );
        Ok(limit)
    });
    let whole = whole.await?;
    Ok((whole, room))
}

/// What so many bytes take of the room.
fn places(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Decodes, asks the service, encodes.
async fn answer<S: Service>(
    authenticated: &Authenticated<S>,
    body: (Bytes, SemaphorePermit<'_>),
    gone: &CancellationToken,
) -> (Response, Option<OnLeft>) {
    let settings = &*authenticated.front.settings;
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
            let request = ServiceRequest {
                caller: &authenticated.caller,
                connection: &*authenticated.kept,
                decoded: request,
                gone,
            };
            authenticated.front.service.answer(request).await
        }
        Err(fault) => Err(fault),
    };
    let took = started.elapsed();
    match result {
        Ok(Answer { content, on_delivered }) => {
            if is_poll {
                tracing::debug!(operation, ?took, "answered");
            } else {
                tracing::info!(operation, ?took, "answered");
            }
            let document = match content {
                Content::Response(response) => response.encode(&settings.version).into(),
                Content::Parts(parts) => Body::new(Parts(parts)),
            };
            (xml(StatusCode::OK, document), on_delivered)
        }
        Err(fault) => {
            tracing::info!(operation, ?took, %fault, "answered with a fault");
            let fault = fault.encode(&settings.version);
            (xml(StatusCode::INTERNAL_SERVER_ERROR, fault), None)
        }
    }
}

/// What the head says about the body: XML in UTF-8, not compressed. A browser sends no such request to another site than its page's
/// without asking first, but one that says nothing it does.
fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Refusal::NotXml);
    }
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (content_types.next(), content_types.next()) else {
        return Err(Refusal::NotXml);
    };
    let content_type = content_type.to_str().map_err(|_| Refusal::NotXml)?;
    if is_xml_in_utf8(content_type) {
        Ok(())
    } else {
        Err(Refusal::NotXml)
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
