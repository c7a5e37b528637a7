//! The door on real sockets, with a service behind it that knows one user and one call.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ews::{DecodeOptions, Fault, Operation, Response, ResponseCode, ResponseMessage, ServerVersionInfo};
use onhook::auth::{Presented, Taken};
use onhook::config::{Config, PlainBasic};
use onhook::http::{Door, Service, Settings, Unauthenticated};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// `Basic` of alice:secret.
const ALICE: &str = "Basic YWxpY2U6c2VjcmV0";
const DISCONNECT: &str = include_str!("../../ews/tests/fixtures/exchange-2010-documentation.request.xml");

/// Knows alice, and a call that ends when `let_go` is notified.
#[derive(Default)]
struct OneCall {
    asked: Notify,
    let_go: Notify,
    is_slow: bool,
}

impl Service for OneCall {
    type Caller = ();

    async fn authenticate(&self, presented: Presented<'_>, _: Taken, _: IpAddr) -> Result<(), Unauthenticated> {
        let Presented::Authorization(authorization) = presented else {
            return Err(Unauthenticated::Rejected);
        };
        match authorization {
            ALICE => Ok(()),
            "Basic busy" => Err(Unauthenticated::TryLater(Duration::from_millis(1500))),
            "Basic down" => Err(Unauthenticated::Unavailable),
            _ => Err(Unauthenticated::Rejected),
        }
    }

    async fn answer(&self, (): &(), request: ews::Request) -> Result<Response, Fault> {
        if self.is_slow {
            self.asked.notify_one();
            self.let_go.notified().await;
        }
        match request.operation {
            Operation::DisconnectPhoneCall(_) => Ok(Response::DisconnectPhoneCall(ResponseMessage::Success(()))),
            Operation::GetPhoneCallInformation(_) => {
                let error = ResponseCode::InvalidPhoneCallId.into();
                Ok(Response::GetPhoneCallInformation(ResponseMessage::Error(error)))
            }
            _ => Err(Fault::ImpersonateUserDenied),
        }
    }
}

struct Server {
    address: SocketAddr,
    service: Arc<OneCall>,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

fn settings() -> Settings {
    Settings {
        basic_over_plain_http: PlainBasic::LoopbackOnly,
        realm: "a \"realm\"".into(),
        body_limit: 64 * 1024,
        header_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(15),
        decode: DecodeOptions::default(),
        version: ServerVersionInfo::default(),
        public_url: None,
        max_connections: 64,
        trusted_proxies: Vec::new(),
    }
}

fn start_with(settings: Settings, service: OneCall) -> Server {
    let config: Config = Config::parse("[http]\nlisten = \"127.0.0.1:0\"\n", Path::new("onhook.toml")).unwrap();
    let door = Door::open(&config.http).unwrap();
    let (address, is_tls) = door.addresses().next().unwrap();
    assert!(!is_tls);
    let service = Arc::new(service);
    let shutdown = CancellationToken::new();
    let grace = Duration::from_secs(10);
    let serving = tokio::spawn(door.serve(settings, Arc::clone(&service), shutdown.clone(), grace));
    Server {
        address,
        service,
        shutdown,
        serving,
    }
}

fn start() -> Server {
    start_with(settings(), OneCall::default())
}

/// An answer, taken apart.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Sends bytes as they are and reads until the server closes.
async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// One request on a connection of its own.
fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: test.example:8080\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

async fn post(server: &Server, headers: &str, body: &str) -> Answer {
    let headers = format!("Authorization: {ALICE}\r\n{headers}");
    exchange(server.address, &request("POST", "/EWS/Exchange.asmx", &headers, body)).await
}

async fn get(server: &Server, path: &str, headers: &str) -> Answer {
    exchange(server.address, &request("GET", path, headers, "")).await
}

#[tokio::test]
async fn the_documented_request_gets_the_documented_answer() {
    let server = start();
    for path in ["/EWS/Exchange.asmx", "/ews/exchange.asmx", "/EWS/EXCHANGE.ASMX?x=y"] {
        let headers = format!("Authorization: {ALICE}\r\nContent-Type: text/xml; charset=utf-8\r\n");
        let answer = exchange(server.address, &request("POST", path, &headers, DISCONNECT)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("private"));
        assert_eq!(answer.header("request-id").unwrap().len(), 36);
        assert!(
            answer
                .body
                .starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope")
        );
        assert!(
            answer
                .body
                .contains("<DisconnectPhoneCallResponse ResponseClass=\"Success\"")
        );
    }
}

#[tokio::test]
async fn errors_travel_with_200_and_faults_with_500() {
    let server = start();
    let body = DISCONNECT.replace("DisconnectPhoneCall", "GetPhoneCallInformation");
    let answer = post(&server, "", &body).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("ErrorInvalidPhoneCallId"));

    let answer = post(&server, "", &DISCONNECT.replace("PhoneCallId ", "PhoneCallKey ")).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(answer.body.contains("a:ErrorSchemaValidation"));
    assert!(answer.body.contains("ServerVersionInfo"));

    let answer = post(&server, "", "").await;
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("a:ErrorInvalidRequest"));
}

#[tokio::test]
async fn strangers_get_the_challenge_that_works() {
    let server = start();
    for headers in [
        "",
        "Authorization: Basic d3Jvbmc6d3Jvbmc=\r\n",
        "Authorization: NTLM TlRMTVNTUAAB\r\n",
    ] {
        let answer = exchange(
            server.address,
            &request("POST", "/EWS/Exchange.asmx", headers, DISCONNECT),
        )
        .await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"a \\\"realm\\\"\"")
        );
        assert!(answer.header("request-id").is_some());
    }
    for path in [
        "/EWS/Services.wsdl",
        "/ews/messages.xsd",
        "/ews/types.xsd",
        "/EWS/Exchange.asmx",
    ] {
        assert_eq!(get(&server, path, "").await.status, 401);
    }
    let headers = format!("Authorization: {ALICE}\r\nAuthorization: {ALICE}\r\n");
    let twice = exchange(
        server.address,
        &request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT),
    )
    .await;
    assert_eq!(twice.status, 401);
}

#[tokio::test]
async fn who_tries_too_often_is_told_when_to_come_back() {
    let server = start();
    let busy = request(
        "POST",
        "/EWS/Exchange.asmx",
        "Authorization: Basic busy\r\n",
        DISCONNECT,
    );
    let answer = exchange(server.address, &busy).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("2")));
    let answer = get(&server, "/EWS/Services.wsdl", "Authorization: Basic down\r\n").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (503, None));
}

#[tokio::test]
async fn client_request_ids_are_echoed_on_request() {
    let server = start();
    let headers = "client-request-id: 42\r\nreturn-client-request-id: true\r\n";
    assert_eq!(
        post(&server, headers, DISCONNECT).await.header("client-request-id"),
        Some("42")
    );
    let headers = "client-request-id: 42\r\n";
    assert_eq!(
        post(&server, headers, DISCONNECT).await.header("client-request-id"),
        None
    );
}

#[tokio::test]
async fn what_is_no_soap_is_refused_in_http_s_words() {
    let server = start();
    assert_eq!(
        post(&server, "Content-Type: application/json\r\n", "{}").await.status,
        415
    );
    assert_eq!(
        post(&server, "Content-Type: text/xml; charset=utf-16\r\n", DISCONNECT)
            .await
            .status,
        415
    );
    assert_eq!(
        post(&server, "Content-Encoding: gzip\r\n", DISCONNECT).await.status,
        415
    );
    assert_eq!(get(&server, "/owa", "").await.status, 404);
    let answer = exchange(server.address, &request("DELETE", "/EWS/Exchange.asmx", "", "")).await;
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").unwrap().contains("POST"));
    assert_eq!(exchange(server.address, "HELLO\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn long_bodies_are_refused_with_and_without_a_length() {
    let server = start();
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(post(&server, "Expect: 100-continue\r\n", &long).await.status, 413);
    let chunked = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n",
        long.len()
    );
    assert_eq!(exchange(server.address, &chunked).await.status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_forever() {
    let settings = Settings {
        body_timeout: Duration::from_millis(50),
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let unfinished = format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {ALICE}\r\n\
         Content-Length: 100\r\n\r\n<"
    );
    assert_eq!(exchange(server.address, &unfinished).await.status, 408);
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let settings = Settings {
        header_timeout: Duration::from_millis(50),
        ..settings()
    };
    let server = start_with(settings, OneCall::default());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(b"POST /EWS/Exchange.asmx HTTP/1.1\r\nHost:")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_once_it_is_known() {
    let server = start();
    let head = |authorization: &str| {
        format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n\
             Content-Length: {}\r\n{authorization}\r\n",
            DISCONNECT.len()
        )
    };
    assert_eq!(exchange(server.address, &head("")).await.status, 401);

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let known = head(&format!("Authorization: {ALICE}\r\n"));
    stream.write_all(known.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(DISCONNECT.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn the_description_names_the_address_that_was_asked() {
    let server = start();
    let headers = format!("Authorization: {ALICE}\r\n");
    for path in ["/EWS/Services.wsdl", "/ews/services.wsdl", "/EWS/Exchange.asmx?WSDL"] {
        let answer = get(&server, path, &headers).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/xml; charset=utf-8"));
        assert!(
            answer
                .body
                .contains("<soap:address location=\"http://test.example:8080/EWS/Exchange.asmx\"/>")
        );
    }
    let public_url = Some("https://voice.example/EWS/Exchange.asmx".to_owned());
    let server = start_with(
        Settings {
            public_url,
            ..settings()
        },
        OneCall::default(),
    );
    let answer = get(&server, "/EWS/Services.wsdl", &headers).await;
    assert!(
        answer
            .body
            .contains("location=\"https://voice.example/EWS/Exchange.asmx\"")
    );
    assert!(
        get(&server, "/EWS/messages.xsd", &headers)
            .await
            .body
            .contains("<xs:schema")
    );
    assert!(
        get(&server, "/EWS/types.xsd", &headers)
            .await
            .body
            .contains("PhoneCallStateType")
    );
}

#[tokio::test]
async fn a_person_is_told_what_this_is_with_or_without_a_password() {
    let server = start();
    let answer = get(&server, "/EWS/Exchange.asmx", "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("PlayOnPhone"));
    let answer = get(&server, "/ews/Exchange.asmx", &format!("Authorization: {ALICE}\r\n")).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(answer.body.contains("Services.wsdl"));
}

#[tokio::test]
async fn shutdown_lets_the_request_under_way_be_answered() {
    let service = OneCall {
        is_slow: true,
        ..OneCall::default()
    };
    let server = start_with(settings(), service);
    let headers = format!("Authorization: {ALICE}\r\n");
    let whole = request("POST", "/EWS/Exchange.asmx", &headers, DISCONNECT);
    let address = server.address;
    let answering = tokio::spawn(async move { exchange(address, &whole).await });
    server.service.asked.notified().await;
    server.shutdown.cancel();
    server.service.let_go.notify_one();
    assert_eq!(answering.await.unwrap().status, 200);
    server.serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// Whatever operation comes next is held to this, too: strangers are not served, and what is malformed is a fault.
#[tokio::test]
async fn every_operation_is_refused_to_strangers_and_when_malformed() {
    let server = start();
    for operation in Operation::examples() {
        let name = operation.name();
        let document = operation.encode(ews::ServerVersion::EXCHANGE_2013);
        let stranger = exchange(server.address, &request("POST", "/EWS/Exchange.asmx", "", &document)).await;
        assert_eq!(stranger.status, 401, "{name}");

        let close = format!("</m:{name}>");
        let malformed = document.replace(&close, &format!("<m:Foo/>{close}"));
        assert_ne!(malformed, document, "{name}");
        let answer = post(&server, "", &malformed).await;
        assert_eq!(answer.status, 500, "{name}");
        let violation = format!("The element '{name}' in namespace");
        assert!(
            answer.body.contains("a:ErrorSchemaValidation") && answer.body.contains(&violation),
            "{name}"
        );
    }
}
