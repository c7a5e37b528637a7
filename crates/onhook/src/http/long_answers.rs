//! Answers in parts, by a clock that moves when everybody waits: a long document, and news over half an hour.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Extension, Router};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Serving, serve_http};
use super::front::Front;
use super::linger::Leaving;
use super::places::Places;
use super::{Answer, Service, ServiceRequest, Settings, Unauthenticated, router};
use crate::auth::{LoginMethods, Presented};
use crate::config::Config;

const CLIENT: [u8; 4] = [127, 0, 0, 1];
const HALF_AN_HOUR: Duration = Duration::from_secs(30 * 60);
const ATTACHMENT: usize = 25 * 1024 * 1024;
const PART: usize = 64 * 1024;

/// Answers the one request it is asked with these parts.
struct OneAnswer(Mutex<Option<mpsc::Receiver<io::Result<Bytes>>>>);

impl Service for OneAnswer {
    type Caller = ();
    type Connection = ();

    async fn authenticate(&self, _: Presented<'_>, _: LoginMethods, _: IpAddr, (): &()) -> Result<(), Unauthenticated> {
        Ok(())
    }

    async fn answer(&self, _: ServiceRequest<'_, Self>) -> Result<Answer, ews::Fault> {
        let parts = self.0.lock().unwrap().take().unwrap();
        Ok(Answer::in_parts(parts))
    }
}

struct Set {
    client: DuplexStream,
    parts: mpsc::Sender<io::Result<Bytes>>,
    /// There is one, and the client has it.
    places: Arc<Places>,
    serving: JoinHandle<()>,
    settings: Arc<Settings>,
}

/// A client that has asked.
async fn set() -> Set {
    let config: Config = Config::parse("", Path::new("onhook.toml")).unwrap();
    let settings = Arc::new(Settings::from(&config.http));
    let (parts, receiver) = mpsc::channel(1);
    let places = Places::new(1, 1, Vec::new());
    let connection = Connection {
        peer: (CLIENT, 4711).into(),
        is_tls: false,
        methods: LoginMethods::of(&config.http.login),
        client_certificate: None,
        place: Arc::new(places.take(CLIENT.into()).unwrap()),
        outbox: Arc::default(),
    };
    let router: Router = router::router(Front::new(
        Arc::clone(&settings),
        Arc::new(OneAnswer(Mutex::new(Some(receiver)))),
    ));
    let serving = Serving {
        routes: Arc::new(move || router.clone().layer(Extension(Arc::new(())))),
        settings: Arc::clone(&settings),
        leaving: Leaving::new(),
        under_way: TaskTracker::new(),
        shutdown: CancellationToken::new(),
    };
    let (mut client, server) = tokio::io::duplex(PART);
    let serving = tokio::spawn(serve_http(server, connection, serving));
    let operation = ews::Operation::examples().remove(0);
    let document = operation.encode(ews::ServerVersion::EXCHANGE_2013);
    let request = format!(
        "POST /ews/exchange.asmx HTTP/1.1\r\nHost: x\r\nAuthorization: Basic x\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    Set {
        client,
        parts,
        places,
        serving,
        settings,
    }
}

impl Set {
    /// Whether the connection would be given up for another one.
    fn has_its_place(&self) -> bool {
        self.places.take(CLIENT.into()).is_none()
    }

    /// Reads up to where these bytes have come, and no further.
    async fn read_to(&mut self, end: &[u8]) {
        let mut read = Vec::new();
        while !read.ends_with(end) {
            read.push(self.client.read_u8().await.unwrap());
            assert!(read.len() < 1024, "{}", String::from_utf8_lossy(&read));
        }
    }

    /// With nothing more to answer it is kept for a next request, and no longer.
    async fn ends_when_idle(mut self) {
        let begun = Instant::now();
        assert_eq!(self.client.read(&mut [0]).await.unwrap(), 0);
        let idle = begun.elapsed();
        assert!(
            idle.abs_diff(self.settings.idle_timeout) < Duration::from_secs(1),
            "{idle:?}"
        );
        self.serving.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn news_go_on_for_half_an_hour() {
    let mut set = set().await;
    let begun = Instant::now();
    let parts = set.parts.clone();
    let telling = tokio::spawn(async move {
        // Longer apart than an idle connection is kept.
        let mut clock = interval(Duration::from_secs(100));
        for number in 1..=18 {
            clock.tick().await;
            parts.send(Ok(format!("<news>{number}</news>").into())).await.unwrap();
        }
        clock.tick().await;
        parts
    });
    for number in 1..=18 {
        set.read_to(format!("<news>{number}</news>\r\n").as_bytes()).await;
        assert!(set.has_its_place());
    }
    let parts = telling.await.unwrap();
    assert!(begun.elapsed().abs_diff(HALF_AN_HOUR) < Duration::from_secs(1));
    drop((parts, std::mem::replace(&mut set.parts, mpsc::channel(1).0)));
    set.read_to(b"0\r\n\r\n").await;
    set.ends_when_idle().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_document_comes_whole_however_slowly_it_is_read() {
    let mut set = set().await;
    let parts = std::mem::replace(&mut set.parts, mpsc::channel(1).0);
    tokio::spawn(async move {
        for _ in 0..ATTACHMENT / PART {
            parts.send(Ok(vec![b'x'; PART].into())).await.unwrap();
        }
    });
    set.read_to(b"\r\n\r\n").await;
    let begun = Instant::now();
    let mut clock = interval(Duration::from_secs(10));
    let (mut received, mut last) = (0, Vec::new());
    while !last.ends_with(b"0\r\n\r\n") {
        assert!(received <= ATTACHMENT);
        clock.tick().await;
        // The rest has left when it is between the two.
        assert!(ATTACHMENT - received <= 2 * PART || set.has_its_place(), "{received}");
        last.clear();
        last.reserve(PART);
        set.client.read_buf(&mut last).await.unwrap();
        received += last.iter().filter(|byte| **byte == b'x').count();
    }
    assert_eq!(received, ATTACHMENT);
    assert!(begun.elapsed() > Duration::from_secs(60 * 60));
}

#[tokio::test(start_paused = true)]
async fn who_stops_reading_is_not_waited_for() {
    let mut set = set().await;
    let parts = set.parts.clone();
    tokio::spawn(async move { while parts.send(Ok(vec![b'x'; PART].into())).await.is_ok() {} });
    set.read_to(b"\r\n\r\n").await;
    let begun = Instant::now();
    // Whoever makes the parts hears of it, too.
    timeout(Duration::from_secs(60), set.parts.closed()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(15));
    set.serving.await.unwrap();
}

/// A client must not take for whole what is not.
#[tokio::test(start_paused = true)]
async fn an_answer_that_fails_has_no_end() {
    let mut set = set().await;
    set.parts.send(Ok("<half>".into())).await.unwrap();
    set.parts.send(Err(io::ErrorKind::Other.into())).await.unwrap();
    let mut answer = String::new();
    set.client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("<half>") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}
