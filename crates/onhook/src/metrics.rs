//! What a monitoring system can count, in the words of Prometheus.
//!
//! The only file that names the `metrics` crates; see decision 15. A label is one of a few words: never a number, a user or
//! an address. Nothing is counted unless `[metrics] listen` is set; then everybody who reaches that address may read, and
//! there is nothing but `GET /metrics`.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, sync::OnceLock, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

const DIAL_REFUSED: &str = "onhook_dial_refused_total";
const DIAL_PERMITTED: &str = "onhook_dial_permitted_total";
const CALLS_LIVE: &str = "onhook_calls_live";
const LOGINS_REFUSED: &str = "onhook_logins_refused_total";

/// Readers at a time; a further one is turned away.
const MOST_READERS: usize = 16;
/// How long one reader may take, from its connection to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of a request, in bytes: the least that hyper takes.
const LONGEST_HEAD: usize = 8192;
/// When to look again for a connection, if the system has none to give.
const PAUSE: Duration = Duration::from_millis(100);

/// Calls that were refused by the gate, by why: the words of `dial.refused` in the log.
pub(crate) fn dial_refused(reason: &'static str, times: u64) {
    ::metrics::counter!(DIAL_REFUSED, "reason" => reason).increment(times);
}

/// A number that the rules allow. Caps may still refuse the call.
pub(crate) fn dial_permitted() {
    ::metrics::counter!(DIAL_PERMITTED).increment(1);
}

/// How many calls hold a place now.
pub(crate) fn calls_live(calls: u32) {
    ::metrics::gauge!(CALLS_LIVE).set(calls);
}

/// Somebody was not let in, by why.
pub(crate) fn login_refused(reason: &'static str) {
    ::metrics::counter!(LOGINS_REFUSED, "reason" => reason).increment(1);
}

/// The counts, installed on first use: one for the process.
fn counts() -> &'static PrometheusHandle {
    static COUNTS: OnceLock<PrometheusHandle> = OnceLock::new();
    COUNTS.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // It fails when there is one already, which only this line could have made.
        let _ = ::metrics::set_global_recorder(recorder);
        ::metrics::describe_counter!(DIAL_REFUSED, "Calls refused by the rules or by a cap");
        ::metrics::describe_counter!(DIAL_PERMITTED, "Numbers that the rules allowed");
        ::metrics::describe_gauge!(CALLS_LIVE, "Calls that hold a place now");
        ::metrics::describe_counter!(LOGINS_REFUSED, "Requests whose sender was not let in");
        // What has not happened yet reads as 0, and not as missing.
        ::metrics::counter!(DIAL_PERMITTED).absolute(0);
        calls_live(0);
        handle
    })
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
        counts();
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
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request)));
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
            let mut response = Response::new(counts().render().into());
            let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
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
