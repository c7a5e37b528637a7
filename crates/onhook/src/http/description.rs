//! What the endpoint is: the WSDL and schemas for programs, a page for a person.

use axum::extract::{Extension, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;

use super::Service;
use super::answer::{html, xml};
use super::connection::Connection;
use super::front::{Front, authenticate};

const ENDPOINT: &str = "/EWS/Exchange.asmx";

/// `GET /EWS/Exchange.asmx`; with `?wsdl`, as some tools ask, the WSDL.
pub(super) async fn page<S: Service>(
    state: State<Front<S>>,
    connection: Extension<Connection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if uri.query().is_some_and(|query| query.eq_ignore_ascii_case("wsdl")) {
        return services_wsdl(state, connection, headers).await;
    }
    match authenticate(&state, &connection, &headers).await {
        Ok(_) => html(explanation()),
        Err(refused) => refused.into_response(&Method::GET, &state.settings, Some(explanation())),
    }
}

pub(super) async fn services_wsdl<S: Service>(
    State(front): State<Front<S>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    let address = match &front.settings.public_url {
        Some(url) => Some(url.clone()),
        None => asked_address(&connection, &headers),
    };
    let document = ews::wsdl::services_wsdl(address.as_deref());
    described(&front, &connection, &headers, document).await
}

pub(super) async fn messages_xsd<S: Service>(
    State(front): State<Front<S>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    described(&front, &connection, &headers, ews::wsdl::messages_xsd().to_owned()).await
}

pub(super) async fn types_xsd<S: Service>(
    State(front): State<Front<S>>,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Response {
    described(&front, &connection, &headers, ews::wsdl::types_xsd().to_owned()).await
}

async fn described<S: Service>(
    front: &Front<S>,
    connection: &Connection,
    headers: &HeaderMap,
    document: String,
) -> Response {
    match authenticate(front, connection, headers).await {
        Ok(_) => xml(StatusCode::OK, document),
        Err(refused) => refused.into_response(&Method::GET, &front.settings, None),
    }
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

fn explanation() -> String {
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>onhook</title></head><body>\n\
     <h1>onhook: the telephone of Exchange Web Services</h1>\n\
     <p>This address is for programs. They send SOAP requests with POST: <b>PlayOnPhone</b> rings a phone and plays a \
     voice message, <b>GetPhoneCallInformation</b> tells how the call goes, <b>DisconnectPhoneCall</b> ends it.</p>\n\
     <p>The description is at <a href=\"Services.wsdl\">Services.wsdl</a>, with <a href=\"messages.xsd\">messages.xsd</a> \
     and <a href=\"types.xsd\">types.xsd</a>. Credentials are needed, as for every request here.</p>\n\
     <p>To try it from a terminal: <code>onhook play --wait --url ADDRESS --user NAME --item-id ID --to NUMBER</code></p>\n\
     </body></html>\n"
        .to_owned()
}
