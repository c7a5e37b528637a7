//! One connection: handshake, then requests until either side has enough.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderName, HeaderValue, StatusCode, Version};
use ews::Fault;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Settings;
use super::answer::{announce_close, xml};
use super::delivery::{Delivered, Outbox, Socket};
use super::framing::HEAD_LIMIT;
use super::linger::{self, Leaving};
use super::places::Place;
use super::tls::Tls;
use super::unread::lend;
use super::watched::{Patience, Watched};
use crate::auth::LoginMethods;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const MADE_PLACE: &str = "its connection makes place for another";

/// What handlers may know of the connection a request came in on.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    pub(super) is_tls: bool,
    /// What counts as a login here.
    pub(super) methods: LoginMethods,
    pub(super) client_certificate: Option<Arc<ClientCertificate>>,
    pub(super) place: Arc<Place>,
    pub(super) outbox: Arc<Outbox>,
}

/// What the client showed in the handshake: its certificate, those that vouch for it, and what verified them there.
pub(super) struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    tls: Tls,
}

impl ClientCertificate {
    /// The client's own, if it counts still: connections outlive handshakes.
    ///
    /// # Errors
    /// Why it counts no longer.
    pub(super) fn verify(&self) -> Result<Option<&CertificateDer<'static>>, rustls::Error> {
        let Some((own, intermediates)) = self.chain.split_first() else {
            return Ok(None);
        };
        self.tls.verify_client(own, intermediates)?;
        Ok(Some(own))
    }
}

/// Cancelled when the client of a request is gone: it can be told nothing any more.
#[derive(Clone)]
pub(super) struct Gone(pub(super) CancellationToken);

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Serving {
    /// The routes for one connection, which share what is kept for it.
    pub(super) routes: Arc<dyn Fn() -> Router + Send + Sync>,
    pub(super) settings: Arc<Settings>,
    pub(super) leaving: Leaving,
    /// Requests that are being carried out, with their client or without.
    pub(super) under_way: TaskTracker,
    /// After it, the request under way is the last.
    pub(super) shutdown: CancellationToken,
}

/// Serves a connection to its end, or until its place is needed.
pub(super) async fn serve(mut stream: TcpStream, mut connection: Connection, tls: Option<Tls>, serving: Serving) {
    // Answers are one small write each; waiting for more to send only delays them. A socket that refuses works, too.
    let _ = stream.set_nodelay(true);
    let place = Arc::clone(&connection.place);
    let leaving = serving.leaving.clone();
    match tls {
        None => serve_http(&mut stream, connection, serving).await,
        Some(tls) => {
            if let Some(stream) = shake_hands(&mut stream, &connection, &tls, &serving).await {
                let chain = stream.get_ref().1.peer_certificates();
                connection.client_certificate = chain.map(|chain| {
                    Arc::new(ClientCertificate {
                        chain: chain.to_vec(),
                        tls: tls.clone(),
                    })
                });
                serve_http(stream, connection, serving).await;
            }
        }
    }
    linger::end(stream, &place, &leaving).await;
}

async fn shake_hands<'s>(
    stream: &'s mut TcpStream,
    connection: &Connection,
    tls: &Tls,
    serving: &Serving,
) -> Option<TlsStream<&'s mut TcpStream>> {
    let peer = connection.peer;
    let handshake = timeout(serving.settings.header_timeout, tls.acceptor().accept(stream));
    tokio::select! {
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => return Some(stream),
            // As one of those who are not let in by another way.
            Ok(Err(error)) if is_about_a_certificate(&error) => tracing::info!(%peer, "not let in: {error}"),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS with this client"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        },
        () = connection.place.needed() => tracing::debug!(%peer, "{MADE_PLACE}"),
    }
    None
}

fn is_about_a_certificate(error: &std::io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

pub(super) async fn serve_http<S: Socket>(stream: S, connection: Connection, serving: Serving) {
    let Serving {
        routes,
        settings,
        under_way,
        shutdown,
        ..
    } = serving;
    let (peer, place, router) = (connection.peer, &*connection.place, routes());
    let outbox = &connection.outbox;
    let mut stream = Watched::new(
        stream,
        Arc::clone(&connection.place),
        Arc::clone(outbox),
        Patience::from(&*settings),
    );
    let last = stream.last_request();
    let requests = AtomicU64::new(0);
    let service = service_fn(|request: Request<Incoming>| {
        let being_answered = connection.place.answer();
        let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
        let wishes_to_stay = wishes_to_stay(&request);
        let (head, body) = request.into_parts();
        let (body, unread) = lend(body);
        let mut request = Request::from_parts(head, body);
        fold_case(&mut request);
        request.extensions_mut().insert(connection.clone());
        let gone = CancellationToken::new();
        request.extensions_mut().insert(Gone(gone.clone()));
        let client = gone.drop_guard();
        // hyper drops a request when its client closes, or closes one half, even before the first look at it: a task
        // carries it out.
        let answering = under_way.spawn(router.clone().oneshot(request));
        let (settings, last, shutdown) = (&settings, &last, &shutdown);
        async move {
            let Ok(mut response) = answering.await.unwrap_or_else(|error| {
                tracing::error!(%peer, %error, "a request could not be answered");
                let fault = Fault::InternalServerError.encode(&settings.version);
                Ok(xml(StatusCode::INTERNAL_SERVER_ERROR, fault))
            });
            client.disarm();
            let is_read = unread.read_away(settings).await;
            if !is_read || last.is_reached(number) || shutdown.is_cancelled() || place.is_lost() {
                announce_close(&mut response);
            } else if wishes_to_stay && !response.headers().contains_key(CONNECTION) {
                announce_idle_timeout(&mut response, settings.idle_timeout);
            }
            let left = Box::new(|| drop(being_answered));
            let outbox = Arc::clone(outbox);
            Ok::<_, Infallible>(response.map(|body| Delivered::new(body, outbox, left)))
        }
    });
    // hyper's header timeout is off: [`Watched`] has one that spares connections between two requests.
    let serving = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(&mut stream), service);
    let ended = {
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            // First, so that a request that has come by now is seen.
            biased;
            ended = serving.as_mut() => ended,
            () = shutdown.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
            () = place.needed() => {
                tracing::debug!(%peer, "{MADE_PLACE}");
                if place.is_quiet() {
                    Ok(())
                } else {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "the connection ended early");
    }
    // hyper has done so unless it was ended early; TLS says farewell in its own words, too.
    let _ = timeout(linger::SILENCE, stream.shutdown()).await;
}

/// Whether the client means to send another request on this connection (RFC 9112 §9.3).
fn wishes_to_stay<B>(request: &Request<B>) -> bool {
    let mut options = request.headers().get_all(CONNECTION).iter();
    let is_close = |option: &str| option.trim().eq_ignore_ascii_case("close");
    request.version() == Version::HTTP_11
        && options.all(|options| options.to_str().is_ok_and(|options| !options.split(',').any(is_close)))
}

/// Says for how long the connection is kept, a second less than it is: a client that knows does not send a request that
/// crosses the end. Clients read `Keep-Alive` only beside `Connection: keep-alive`.
fn announce_idle_timeout<B>(response: &mut Response<B>, idle_timeout: Duration) {
    let seconds = idle_timeout.as_secs().saturating_sub(1);
    if seconds == 0 {
        return;
    }
    if let Ok(kept) = HeaderValue::try_from(format!("timeout={seconds}")) {
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        headers.insert(KEEP_ALIVE, kept);
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
    use axum::body::Body;
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;
    use tokio::task::yield_now;

    use super::super::places::Places;
    use super::*;
    use crate::config::Config;

    /// Who has been quiet for longest is chosen at one moment, and may have sent a request by the next.
    #[tokio::test]
    async fn a_request_that_comes_as_its_connection_loses_its_place_is_answered() {
        let config: Config = Config::parse("", std::path::Path::new("onhook.toml")).unwrap();
        let peer: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let places = Places::new(1, 1, Vec::new());
        let connection = Connection {
            peer,
            is_tls: false,
            methods: LoginMethods::of(&config.http.login),
            client_certificate: None,
            place: Arc::new(places.take(peer.ip()).unwrap()),
            outbox: Arc::default(),
        };
        let serving = Serving {
            routes: Arc::new(|| Router::new().route("/", get(yield_now))),
            settings: Arc::new(Settings::from(&config.http)),
            leaving: Leaving::new(),
            under_way: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        let (mut client, server) = tokio::io::duplex(1024);
        let serving = tokio::spawn(serve_http(server, connection, serving));
        yield_now().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let _other = places.take(peer.ip()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        serving.await.unwrap();
    }

    #[test]
    fn paths_are_folded_and_queries_are_not() {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = Uri::from_static("/EWS/Exchange.ASMX?Wsdl");
        fold_case(&mut request);
        assert_eq!(request.uri(), "/ews/exchange.asmx?Wsdl");
    }
}
