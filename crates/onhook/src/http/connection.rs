//! One connection: handshake, then requests until either side has enough.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::framing::HEAD_LIMIT;
use super::places::Place;
use super::tls::Tls;
use super::watched::{Patience, Watched};
use crate::auth::Taken;

/// What handlers may know of the connection a request came in on.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) is_tls: bool,
    /// What counts as a login here.
    pub(super) taken: Taken,
    /// What the client showed in the handshake, and was verified there.
    pub(super) certificate: Option<Arc<CertificateDer<'static>>>,
    pub(super) place: Arc<Place>,
}

/// Serves a connection to its end, or until its place is needed. After `shutdown` the request under way is the last.
pub(super) async fn serve(
    stream: TcpStream,
    mut connection: Connection,
    tls: Option<Tls>,
    router: Router,
    patience: Patience,
    shutdown: CancellationToken,
) {
    // Answers are one small write each; waiting for more to send only delays them. A socket that refuses works, too.
    let _ = stream.set_nodelay(true);
    let place = Arc::clone(&connection.place);
    let peer = connection.peer;
    let serving = async {
        let Some(tls) = tls else {
            let watched = Watched::new(stream, Arc::clone(&place), patience);
            return serve_http(watched, connection, router, shutdown).await;
        };
        match timeout(patience.head, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates();
                connection.certificate = shown.and_then(<[_]>::first).cloned().map(Arc::new);
                let watched = Watched::new(stream, Arc::clone(&place), patience);
                serve_http(watched, connection, router, shutdown).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with this client"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        }
    };
    tokio::select! {
        () = serving => {}
        () = place.needed() => tracing::debug!(%peer, "its connection made place for another"),
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: Watched<S>,
    connection: Connection,
    router: Router,
    shutdown: CancellationToken,
) {
    let (peer, place) = (connection.peer, &*connection.place);
    let service = service_fn(|request: Request<Incoming>| {
        place.begin_answer();
        let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let mut request = request.map(Body::new);
        fold_case(&mut request);
        request.extensions_mut().insert(connection.clone());
        let answering = router.clone().oneshot(request);
        async move {
            let mut response = answering.await;
            if let (Ok(response), true) = (&mut response, is_chunked) {
                // Where its body ends, hyper alone has seen.
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            place.end_answer();
            response
        }
    });
    // hyper's header timeout is off: [`Watched`] has one that spares connections between two requests.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "the connection ended early");
    }
}

/// Makes the path one that routes know: clients spell it in any case.
fn fold_case<B>(request: &mut Request<B>) {
    if !request.uri().path().bytes().any(|byte| byte.is_ascii_uppercase()) {
        return;
    }
    let mut parts = request.uri().clone().into_parts();
    let path = request.uri().path().to_ascii_lowercase();
    let folded = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    parts.path_and_query = folded.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_folded_and_queries_are_not() {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static("/EWS/Exchange.ASMX?Wsdl");
        fold_case(&mut request);
        assert_eq!(request.uri(), "/ews/exchange.asmx?Wsdl");
    }
}
