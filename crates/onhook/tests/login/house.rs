//! A whole server with mailboxes; a caller is recognised by the mailbox whose message it can reach.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ews::{ItemId, PlayOnPhone, ServerVersion};
use onhook::auth::{Caller, password};
use onhook::config::{Config, Secret};
use onhook::server::Server;
use onhook::store::{MessageFacts, NewMessage, Store, UserName};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::authority::Authority;

/// The password of everybody in the store.
pub(crate) const PASSWORD: &str = "pass-of-the-store";
/// The status of the fault that a POST gets after too many wrong passwords.
pub(crate) const THROTTLED: u16 = 500;
/// Who has a user in the store.
const USERS: [&str; 3] = ["alice", "bob", "dialler"];
/// Who has a mailbox, with a user or without.
const MAILBOXES: [&str; 6] = ["alice", "bob", "dialler", "carol", "dave", "carol@elsewhere.example"];
/// No step takes this long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

static HASH: LazyLock<String> = LazyLock::new(|| password::hash(&Secret::new(PASSWORD)).unwrap());

pub(crate) struct House {
    pub(crate) server: Server,
    /// Who has signed the server's certificate.
    pub(crate) authority: Authority,
    pub(crate) items: Vec<(String, String)>,
    _folder: TempDir,
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

impl House {
    /// Plain HTTP; `toml` is what follows `[http] listen`.
    pub(crate) async fn plain(toml: &str) -> Self {
        Self::open(|_| format!("listen = \"127.0.0.1:0\"\n{toml}")).await
    }

    /// HTTPS; `toml` is what follows the certificate of `[[http.tls]]`.
    pub(crate) async fn tls(toml: &str) -> Self {
        Self::open(|authority| {
            let server = authority.server();
            format!(
                "listen = []\n[[http.tls]]\nlisten = \"127.0.0.1:0\"\ncert = {:?}\nkey = {:?}\n{toml}",
                server.cert, server.key
            )
        })
        .await
    }

    async fn open(http: impl FnOnce(&Authority) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("onhook.db");
        let store = Store::open(&database).unwrap();
        for user in USERS {
            store.add_user(&user.parse().unwrap(), &HASH).unwrap();
        }
        let items = MAILBOXES
            .map(|mailbox| (mailbox.to_owned(), add_message(&store, mailbox)))
            .to_vec();
        let authority = Authority::new(folder.path(), "server-ca");
        let toml = format!(
            "[store]\npath = {database:?}\nballast = \"0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[http]\n{}",
            http(&authority)
        );
        let config = Config::parse(&toml, Path::new("onhook.toml")).unwrap_or_else(|error| panic!("{error}"));
        Self {
            server: Server::start(&config).await.unwrap(),
            authority,
            items,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let addresses = self.server.addresses();
        *addresses.http.iter().chain(&addresses.https).next().unwrap()
    }

    pub(crate) fn item(&self, mailbox: &str) -> &str {
        let mut items = self.items.iter();
        &items.find(|(owner, _)| owner == mailbox).unwrap().1
    }

    /// One request, with headers of the caller's, over what the server listens for.
    pub(crate) async fn ask(&self, headers: &str, document: &str) -> Answer {
        let tls = (!self.server.addresses().https.is_empty()).then(|| self.authority.trust(None));
        ask(self.address(), tls, headers, document).await.unwrap()
    }

    /// Whose messages these headers can reach, or the status that they get: a fault only when it is the one of
    /// [`THROTTLED`].
    pub(crate) async fn who(&self, headers: &str) -> Result<String, u16> {
        let tls = (!self.server.addresses().https.is_empty()).then(|| self.authority.trust(None));
        self.who_by(tls, headers).await
    }

    pub(crate) async fn who_by(&self, tls: Option<Arc<ClientConfig>>, headers: &str) -> Result<String, u16> {
        for (mailbox, item_id) in &self.items {
            let document = play(item_id).encode(ServerVersion::EXCHANGE_2013);
            let answer = ask(self.address(), tls.clone(), headers, &document)
                .await
                .map_err(|_| 0_u16)?;
            if answer.status != 200 {
                assert!(
                    answer.status != THROTTLED || answer.body.contains("ErrorServerBusy"),
                    "{}",
                    answer.body
                );
                return Err(answer.status);
            }
            if !answer.body.contains("ErrorItemNotFound") {
                return Ok(mailbox.clone());
            }
        }
        Ok("nobody with a message".to_owned())
    }

    /// The same for Basic credentials.
    pub(crate) async fn login(&self, user: &str, password: &str) -> Result<String, u16> {
        self.who(&basic(user, password)).await
    }
}

fn add_message(store: &Store, mailbox: &str) -> String {
    let mailbox: UserName = mailbox.parse().unwrap();
    let message = NewMessage {
        owner: &Caller::named(&mailbox).key,
        mailbox: mailbox.as_str(),
        name: "hello.wav",
        facts: MessageFacts {
            format: "WAV".into(),
            duration: Duration::from_secs(1),
            rate: 8000,
            channels: 1,
        },
        audio: b"not needed",
    };
    store.add_message(&message).unwrap().to_string()
}

/// A call that the dial gate refuses, when the message is the caller's.
pub(crate) fn play(item_id: &str) -> PlayOnPhone {
    PlayOnPhone {
        item_id: ItemId {
            id: item_id.to_owned(),
            change_key: None,
        },
        dial_string: "4711".to_owned(),
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Authorization: Basic {encoded}\r\n")
}

/// Fails when there is no connection to be had.
pub(crate) async fn ask(
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    headers: &str,
    document: &str,
) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let Some(tls) = tls else {
        return exchange(stream, headers, document).await;
    };
    let name = ServerName::try_from("localhost").unwrap();
    exchange(TlsConnector::from(tls).connect(name, stream).await?, headers, document).await
}

/// A request as it stands on the wire.
pub(crate) fn request(headers: &str, document: &str) -> String {
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml; charset=utf-8\r\n\
         Content-Length: {}\r\n{headers}\r\n{document}",
        document.len()
    )
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    headers: &str,
    document: &str,
) -> std::io::Result<Answer> {
    let headers = format!("Connection: close\r\n{headers}");
    stream.write_all(request(&headers, document).as_bytes()).await?;
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap()?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
