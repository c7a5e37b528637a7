//! What the endpoint is, for those who are known: the WSDL and schemas for programs, the page for a person.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Service;
use super::answer::{html, xml};
use super::connection::Connection;
use super::front::Authenticated;
use super::page::{ENDPOINT, asks_for_wsdl, explanation};

/// `GET /EWS/Exchange.asmx`; with `?wsdl`, as some tools ask, the WSDL.
pub(super) async fn page<S: Service>(authenticated: Authenticated<S>, request: Request) -> Response {
    if asks_for_wsdl(request.uri()) {
        return services_wsdl(authenticated, request).await;
    }
    html(explanation())
}

pub(super) async fn services_wsdl<S: Service>(authenticated: Authenticated<S>, request: Request) -> Response {
    let address = match &authenticated.front.settings.public_url {
        Some(url) => Some(url.clone()),
        None => asked_address(&authenticated.connection, request.headers()),
    };
    xml(StatusCode::OK, ews::wsdl::services_wsdl(address.as_deref()))
}

pub(super) async fn messages_xsd<S: Service>(_: Authenticated<S>, _: Request) -> Response {
    xml(StatusCode::OK, ews::wsdl::messages_xsd())
}

pub(super) async fn types_xsd<S: Service>(_: Authenticated<S>, _: Request) -> Response {
    xml(StatusCode::OK, ews::wsdl::types_xsd())
}

/// The endpoint's address as this client reached it. Behind a proxy that does TLS it is wrong: `public_url` is for that.
fn asked_address(connection: &Connection, headers: &HeaderMap) -> Option<String> {
    let host: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    if host.as_str().contains('@') {
        return None;
    }
    let scheme = if connection.is_tls { "https" } else { "http" };
    Some(format!("{scheme}://{host}{ENDPOINT}"))
}
