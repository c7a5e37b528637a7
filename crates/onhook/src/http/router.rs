//! Which path is whose, and what every answer carries.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use tracing::Instrument as _;
use uuid::{Builder, Uuid};

use super::answer::{Refusal, refuse};
use super::front::{Authenticated, Front};
use super::{Service, description, endpoint};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("return-client-request-id");
/// Longer ids than this are no ids, and are not echoed.
const MAX_CLIENT_REQUEST_ID: usize = 128;

/// All routes, in lower case: the connection has folded the path.
pub(super) fn router<S: Service>(front: Front<S>) -> Router {
    Router::new()
        .route(
            "/ews/exchange.asmx",
            get(authenticated(description::page)).post(authenticated(endpoint::serve)),
        )
        .route("/ews/services.wsdl", get(authenticated(description::services_wsdl)))
        .route("/ews/messages.xsd", get(authenticated(description::messages_xsd)))
        .route("/ews/types.xsd", get(authenticated(description::types_xsd)))
        // Only what is not there is anybody's.
        .fallback(async |front, method| refused(Refusal::NotFound, &front, &method))
        .method_not_allowed_fallback(async |front, method| refused(Refusal::MethodNotAllowed, &front, &method))
        .layer(middleware::from_fn(identify))
        .with_state(front)
}

/// A handler that routes are made of: it says whose request it answers, or does not compile.
fn authenticated<S, H, M>(handler: H) -> impl Handler<(M, Authenticated<S>, Request), Front<S>>
where
    S: Service,
    H: Handler<(M, Authenticated<S>, Request), Front<S>>,
{
    handler
}

fn refused<S: Service>(refusal: Refusal, front: &State<Front<S>>, method: &Method) -> Response {
    refuse(refusal, method, &front.settings)
}

/// Gives the request an id, for the log and for the client.
async fn identify(request: Request, next: Next) -> Response {
    let request_id = guid();
    let echo = client_request_id(&request);
    let span = tracing::info_span!("http", %request_id, caller = tracing::field::Empty);
    let mut response = next.run(request).instrument(span).await;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(request_id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(value) = echo {
        headers.insert(CLIENT_REQUEST_ID, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    response
}

fn client_request_id(request: &Request) -> Option<HeaderValue> {
    let headers = request.headers();
    let wanted = headers.get(RETURN_CLIENT_REQUEST_ID)?;
    if !wanted.as_bytes().eq_ignore_ascii_case(b"true") {
        return None;
    }
    let id = headers.get(CLIENT_REQUEST_ID)?;
    (id.len() <= MAX_CLIENT_REQUEST_ID).then(|| id.clone())
}

/// A random GUID (RFC 9562 version 4). Without randomness from the system it is the nil one: an id is no reason to fail.
fn guid() -> Uuid {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Builder::from_random_bytes(bytes).into_uuid(),
        Err(_) => Uuid::nil(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::{Variant, Version};

    use super::*;

    #[test]
    fn request_ids_are_random_guids() {
        let id = guid();
        assert_eq!(id.get_version(), Some(Version::Random));
        assert_eq!(id.get_variant(), Variant::RFC4122);
        assert_ne!(id, guid());
    }
}
