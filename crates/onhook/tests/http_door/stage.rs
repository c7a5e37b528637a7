//! The door, and a service behind it that knows one user and one call.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ews::{Fault, Operation, Response, ResponseCode, ResponseMessage};
use onhook::auth::{LoginMethods, Presented};
use onhook::config::Config;
use onhook::http::{self, Door, Service, ServiceRequest, Settings, Unauthenticated};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// `Basic` of alice:secret.
pub(crate) const ALICE: &str = "Basic YWxpY2U6c2VjcmV0";
pub(crate) const XML: &str = "Content-Type: text/xml; charset=utf-8\r\n";
pub(crate) const DISCONNECT: &str = include_str!("../../../ews/tests/fixtures/exchange-2010-documentation.request.xml");

/// What has to happen happens long before.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Knows alice, and a call that ends when `let_go` is notified.
#[derive(Default)]
pub(crate) struct OneCall {
    pub(crate) asked: Notify,
    pub(crate) let_go: Notify,
    /// Notified at the end of every call.
    pub(crate) ended: Notify,
    is_slow: bool,
}

impl Service for OneCall {
    type Caller = ();
    type Connection = ();

    async fn authenticate(
        &self,
        presented: Presented<'_>,
        _: LoginMethods,
        _: IpAddr,
        (): &(),
    ) -> Result<(), Unauthenticated> {
        let Presented::Authorization(authorization) = presented else {
            return Err(Unauthenticated::Rejected);
        };
        match authorization {
            ALICE => Ok(()),
            "Basic slow" => {
                self.asked.notify_one();
                self.let_go.notified().await;
                Ok(())
            }
            "Basic busy" => Err(Unauthenticated::TryLater(Duration::from_millis(1500))),
            "Basic down" => Err(Unauthenticated::Unavailable),
            _ => Err(Unauthenticated::Rejected),
        }
    }

    async fn answer(&self, request: ServiceRequest<'_, Self>) -> Result<http::Answer, Fault> {
        if self.is_slow {
            self.asked.notify_one();
            self.let_go.notified().await;
        }
        let response = match request.decoded.operation {
            Operation::DisconnectPhoneCall(_) => {
                self.ended.notify_one();
                Response::DisconnectPhoneCall(ResponseMessage::Success(()))
            }
            Operation::GetPhoneCallInformation(_) => {
                let error = ResponseCode::InvalidPhoneCallId.into();
                Response::GetPhoneCallInformation(ResponseMessage::Error(error))
            }
            _ => return Err(Fault::ImpersonateUserDenied),
        };
        Ok(response.into())
    }
}

pub(crate) struct Server<S = OneCall> {
    /// Of plain HTTP, then of TLS.
    addresses: Vec<SocketAddr>,
    pub(crate) service: Arc<S>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
}

impl<S> Server<S> {
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.addresses[1]
    }
}

/// Opens the door; `http` is what follows `[http] listen`.
pub(crate) fn open<S: Service>(http: &str, service: S) -> Server<S> {
    let toml = format!("[http]\nlisten = \"127.0.0.1:0\"\nrealm = \"a realm\"\n{http}\n");
    let config: Config = Config::parse(&toml, Path::new("onhook.toml")).unwrap();
    let door = Door::open(&config.http).unwrap();
    let addresses = door.addresses().map(|(address, _)| address).collect();
    let service = Arc::new(service);
    let shutdown = CancellationToken::new();
    let grace = Duration::from_secs(10);
    let settings = Settings::from(&config.http);
    let serving = tokio::spawn(door.serve(settings, Arc::clone(&service), shutdown.clone(), grace));
    Server {
        addresses,
        service,
        shutdown,
        serving,
    }
}

pub(crate) fn start() -> Server {
    start_with("")
}

pub(crate) fn start_with(http: &str) -> Server {
    open(http, OneCall::default())
}

/// One with a listener for TLS, too, and how to reach that.
pub(crate) fn start_tls(http: &str) -> (Server, Tls) {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["server.crt", "server.key"].map(|name| folder.path().join(name));
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = start_with(&format!(
        "{http}\n[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}"
    ));
    (server, Tls(TlsConnector::from(Arc::new(client))))
}

#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    pub(crate) async fn connect(&self, address: SocketAddr) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        self.0.connect(name, stream).await.unwrap()
    }
}

/// One whose call takes until `let_go` to end.
pub(crate) fn start_slow(http: &str) -> Server {
    let is_slow = true;
    open(
        http,
        OneCall {
            is_slow,
            ..OneCall::default()
        },
    )
}

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends bytes as they are; all that comes back until the server closes.
pub(crate) async fn told(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answers = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answers))
        .await
        .unwrap()
        .unwrap();
    answers
}

pub(crate) async fn exchange(address: SocketAddr, request: &str) -> Answer {
    taken_apart(&told(address, request).await)
}

/// One request on a connection of its own.
/// A POST is of XML, unless `headers` say what it is of.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let is_xml = method == "POST" && !headers.contains("Content-Type:");
    let content_type = if is_xml { XML } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: test.example:8080\r\nConnection: close\r\nContent-Length: {}\r\n{content_type}{headers}\r\n{body}",
        body.len()
    )
}

pub(crate) async fn post(server: &Server, headers: &str, body: &str) -> Answer {
    let headers = format!("Authorization: {ALICE}\r\n{headers}");
    exchange(server.address(), &request("POST", "/EWS/Exchange.asmx", &headers, body)).await
}

pub(crate) async fn get(server: &Server, path: &str, headers: &str) -> Answer {
    exchange(server.address(), &request("GET", path, headers, "")).await
}

/// Reads one answer from a connection that stays open.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    try_read_answer(stream).await.unwrap()
}

/// The same, if the connection does not end before.
pub(crate) async fn try_read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Answer> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let mut answer = taken_apart(&String::from_utf8(bytes).unwrap());
    let length = answer
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    answer.body = String::from_utf8(body).unwrap();
    Some(answer)
}

pub(crate) fn taken_apart(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
