//! What a monitoring system can count, in the words of Prometheus.
//!
//! The only file that names `prometheus_client`; see decision 15. A label is one of a few words: never a number, a user or
//! an address. Nothing is counted unless `[metrics] listen` is set; then everybody who reaches that address may read, and
//! there is nothing but `GET /metrics`.

use std::{convert::Infallible, fmt, future::ready, io, net::SocketAddr, sync::Arc, sync::OnceLock, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Readers at a time; a further one is turned away.
const MOST_READERS: usize = 16;
/// How long one reader may take, from its connection to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes: the least that hyper takes.
const LONGEST_HEAD: usize = 8192;
/// When to look again for a connection, if the system has none to give.
const PAUSE: Duration = Duration::from_millis(100);

/// The counts of this process, from the moment that somebody can read them.
static COUNTS: OnceLock<Counts> = OnceLock::new();

type ByReason = Family<[(&'static str, &'static str); 1], Counter>;

struct Counts {
    registry: Registry,
    dial_refused: ByReason,
    dial_permitted: Counter,
    calls_live: Gauge,
    logins_refused: ByReason,
}

impl Counts {
    /// What has not happened yet reads as 0, and not as missing.
    fn new() -> Self {
        let mut counts = Self {
            registry: Registry::with_prefix("onhook"),
            dial_refused: ByReason::default(),
            dial_permitted: Counter::default(),
            calls_live: Gauge::default(),
            logins_refused: ByReason::default(),
        };
        let registry = &mut counts.registry;
        // `_total` is appended to the name of a counter, and a full stop to what it is.
        registry.register(
            "dial_refused",
            "Calls refused by the rules or by a cap",
            counts.dial_refused.clone(),
        );
        registry.register(
            "dial_permitted",
            "Numbers that the rules allowed",
            counts.dial_permitted.clone(),
        );
        registry.register("calls_live", "Calls that hold a place now", counts.calls_live.clone());
        registry.register(
            "logins_refused",
            "Requests whose sender was not let in",
            counts.logins_refused.clone(),
        );
        counts
    }

    fn print(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Calls that were refused by the gate, by why: the words of `dial.refused` in the log.
pub(crate) fn dial_refused(reason: &'static str, times: u64) {
    if let Some(counts) = COUNTS.get() {
        counts.dial_refused.get_or_create(&[("reason", reason)]).inc_by(times);
    }
}

/// A number that the rules allow. Caps may still refuse the call.
pub(crate) fn dial_permitted() {
    if let Some(counts) = COUNTS.get() {
        counts.dial_permitted.inc();
    }
}

/// How many calls hold a place now.
pub(crate) fn calls_live(calls: usize) {
    if let Some(counts) = COUNTS.get() {
        counts.calls_live.set(i64::try_from(calls).unwrap_or(i64::MAX));
    }
}

/// Somebody was not let in, by why.
pub(crate) fn login_refused(reason: &'static str) {
    if let Some(counts) = COUNTS.get() {
        counts.logins_refused.get_or_create(&[("reason", reason)]).inc();
    }
}

/// The listener for whoever reads, bound and not served yet.
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds, and counts from now on.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        COUNTS.get_or_init(Counts::new);
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`.
    pub(crate) async fn serve(self, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(MOST_READERS));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        continue;
                    };
                    tokio::spawn(async move {
                        let _ = timeout(PATIENCE, read(stream)).await;
                        drop(place);
                    });
                }
                // Too many open files, say.
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// One connection, one answer.
async fn read(stream: TcpStream) {
    let service = service_fn(|request| ready(Ok::<_, Infallible>(answer(&request))));
    // Whatever goes wrong is the reader's to tell.
    let _ = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let empty = |status| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let Some(Ok(counts)) = COUNTS.get().map(Counts::print) else {
                return empty(StatusCode::INTERNAL_SERVER_ERROR);
            };
            let mut response = Response::new(counts.into());
            let format = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, format);
            response
        }
        (_, "/metrics") => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}
