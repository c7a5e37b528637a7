//! Our own client against our own door, plain and TLS.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use ews::{
    ConnectionFailureCause, Fault, Operation, PhoneCallId, PhoneCallInformation, PhoneCallState, ReplyError, Response,
    ResponseCode, ResponseMessage,
};
use onhook::auth::{LoginMethods, Presented};
use onhook::client::{Client, ClientError, Trust};
use onhook::config::{Config, Secret};
use onhook::http::{Answer, Door, Service, ServiceRequest, Settings, Unauthenticated};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// A service with one user (anna, "pass:word") and one ringing call.
struct OneCall;

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
            // anna:pass:word
            "Basic YW5uYTpwYXNzOndvcmQ=" => Ok(()),
            // anna:again
            "Basic YW5uYTphZ2Fpbg==" => Err(Unauthenticated::TryLater(Duration::from_secs(30))),
            _ => Err(Unauthenticated::Rejected),
        }
    }

    async fn answer(&self, request: ServiceRequest<'_, Self>) -> Result<Answer, Fault> {
        let response = match request.decoded.operation {
            Operation::PlayOnPhone(operation) if operation.dial_string == "fault" => {
                return Err(Fault::InternalServerError);
            }
            Operation::PlayOnPhone(operation) => {
                assert_eq!(operation.item_id.id, "-item");
                Response::PlayOnPhone(ResponseMessage::Success(PhoneCallId("-call".into())))
            }
            Operation::GetPhoneCallInformation(_) => {
                Response::GetPhoneCallInformation(ResponseMessage::Success(PhoneCallInformation {
                    state: PhoneCallState::Alerted,
                    failure_cause: ConnectionFailureCause::None,
                    sip_response: None,
                }))
            }
            _ => Response::DisconnectPhoneCall(ResponseMessage::Error(ResponseCode::InvalidPhoneCallId.into())),
        };
        Ok(response.into())
    }
}

struct Server {
    plain: String,
    tls: String,
    tls_port: u16,
    cert: PathBuf,
    _folder: TempDir,
}

fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let toml = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {cert:?}\nkey = {key:?}\n"
    );
    let config = Config::parse(&toml, Path::new("onhook.toml")).unwrap();
    let door = Door::open(&config.http).unwrap();
    let addresses: Vec<_> = door.addresses().collect();
    assert_eq!(
        addresses.iter().map(|(_, is_tls)| *is_tls).collect::<Vec<_>>(),
        [false, true]
    );
    let settings = Settings::from(&config.http);
    let grace = Duration::from_secs(1);
    tokio::spawn(door.serve(settings, Arc::new(OneCall), CancellationToken::new(), grace));
    let tls_port = addresses[1].0.port();
    Server {
        plain: format!("http://{}/EWS/Exchange.asmx", addresses[0].0),
        tls: format!("https://localhost:{tls_port}/EWS/Exchange.asmx"),
        tls_port,
        cert,
        _folder: folder,
    }
}

fn client(url: &str, password: &str, trust: &Trust) -> Client {
    Client::new(url, "anna", &Secret::new(password), trust).unwrap()
}

/// Asks from a thread of its own, as the client blocks.
async fn ask<T: Send + 'static>(client: Client, ask: impl FnOnce(&Client) -> T + Send + 'static) -> T {
    spawn_blocking(move || ask(&client)).await.unwrap()
}

#[tokio::test]
async fn the_three_operations_are_asked_over_http_and_https() {
    let server = start();
    for (url, trust) in [
        (&server.plain, Trust::Public),
        (&server.tls, Trust::File(server.cert.clone())),
        (&server.tls, Trust::Anyone),
    ] {
        let client = client(url, "pass:word", &trust);
        let id = ask(client.clone(), |client| client.play_on_phone("-item", "4711"))
            .await
            .unwrap();
        assert_eq!(id, PhoneCallId("-call".into()));
        let called = id.clone();
        let information = ask(client.clone(), move |client| client.information(&called))
            .await
            .unwrap();
        assert_eq!(information.state, PhoneCallState::Alerted);
        let refused = ask(client, move |client| client.disconnect(&id)).await.unwrap_err();
        let ClientError::Reply(ReplyError::Refused { code, .. }) = refused else {
            panic!("{refused}")
        };
        assert_eq!(code, "ErrorInvalidPhoneCallId");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_not_believed() {
    let server = start();
    let client = client(&server.tls, "pass:word", &Trust::Public);
    let error = ask(client, |client| client.play_on_phone("-item", "4711"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn each_way_to_fail_is_told_apart() {
    let server = start();
    let wrong_password = client(&server.plain, "word", &Trust::Public);
    let error = ask(wrong_password, |client| client.play_on_phone("-item", "4711"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Unauthorised), "{error}");

    let too_often = client(&server.plain, "again", &Trust::Public);
    let error = ask(too_often, |client| client.play_on_phone("-item", "4711"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("Try again later. (ErrorServerBusy)"),
        "{error}"
    );

    let no_endpoint = client(&server.plain.replace("Exchange.asmx", ""), "pass:word", &Trust::Public);
    let error = ask(no_endpoint, |client| client.play_on_phone("-item", "4711"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Status(404)), "{error}");

    let known = client(&server.plain, "pass:word", &Trust::Public);
    let error = ask(known, |client| client.play_on_phone("-item", "fault"))
        .await
        .unwrap_err();
    let ClientError::Reply(ReplyError::Fault { code, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(code, "ErrorInternalServerError");

    let nowhere = client("http://127.0.0.1:1/EWS/Exchange.asmx", "pass:word", &Trust::Public);
    let error = ask(nowhere, |client| client.play_on_phone("-item", "4711"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");

    let missing = Client::new(
        &server.tls,
        "anna",
        &Secret::new("x"),
        &Trust::File("/nowhere.pem".into()),
    );
    assert!(matches!(missing.err(), Some(ClientError::Certificate(_))));
}

#[test]
fn a_password_leaves_this_machine_over_tls_or_when_that_is_said() {
    let to = |url: &str, trust: &Trust| Client::new(url, "anna", &Secret::new("x"), trust).map(drop);
    for url in [
        "http://voice.example.com/EWS/Exchange.asmx",
        "HTTP://192.0.2.1:8080/",
        "http://[2001:db8::1]/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0/",
        "http://[::ffff:192.0.2.1]/",
        "http://127.1/",
    ] {
        assert!(matches!(to(url, &Trust::Public), Err(ClientError::PlainHttp)), "{url}");
        assert!(to(url, &Trust::Anyone).is_ok(), "{url}");
    }
    for url in [
        "https://voice.example.com/EWS/Exchange.asmx",
        "http://127.0.0.1:8080/",
        "http://127.4.7.11/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost/",
        "http://LOCALHOST:1/",
    ] {
        assert!(to(url, &Trust::Public).is_ok(), "{url}");
    }
    for url in [
        "",
        "voice.example.com/EWS",
        "ftp://voice.example.com/",
        "/EWS/Exchange.asmx",
        "https:///",
    ] {
        assert!(matches!(to(url, &Trust::Anyone), Err(ClientError::NoAddress)), "{url}");
    }
    for url in [
        "https://anna:secret@voice.example.com/",
        "http://127.0.0.1:80@voice.example.com/",
    ] {
        let error = to(url, &Trust::Anyone).unwrap_err();
        assert!(matches!(error, ClientError::UserInAddress), "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_password_for_this_machine_goes_past_the_proxy_of_the_environment() {
    let server = start();
    // Nobody listens there.
    let proxy = "http://127.0.0.1:1";
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_onhook"))
        .args(["info", "--user", "anna", "--url", &server.plain, "-call"])
        .envs([("ALL_PROXY", proxy), ("HTTP_PROXY", proxy), ("http_proxy", proxy)])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"pass:word\n").await.unwrap();
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[tokio::test]
async fn both_tls_versions_are_spoken() {
    let server = start();
    let handshake = async |version: &'static SupportedProtocolVersion| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&server.cert).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", server.tls_port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        stream.get_ref().1.protocol_version()
    };
    assert_eq!(handshake(&TLS12).await, Some(TLS12.version));
    assert_eq!(handshake(&TLS13).await, Some(TLS13.version));
}
