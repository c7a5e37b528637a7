//! A whole server on loopback with a real phone behind its trunk, one user, and one message that is longer than any test.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use onhook::auth::{Caller, password};
use onhook::config::{Config, Secret};
use onhook::phone::{Direction, Phone, PhoneEvent, PhoneOptions, What};
use onhook::server::Server;
use onhook::store::{MessageFacts, NewMessage, Store, UserName};
use sip::Transport;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// The user's password.
pub(crate) const PASSWORD: &str = "secret";
/// No step takes this long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) phone: Phone,
    events: Receiver<PhoneEvent>,
    pub(crate) item_id: String,
    _folder: TempDir,
}

/// Starts all of it; calls go to a phone that behaves like `options`.
pub(crate) async fn stage(options: PhoneOptions) -> Stage {
    let (phone, events) = Phone::start(options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let item_id = fill_store(folder.path());
    let toml = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[store]\npath = {:?}\nballast = \"0\"\n\
         [[trunk]]\nname = \"phone\"\nnext_hop = \"sip:{}\"\n[dial]\nallow = [\"^[0-9]{{2,6}}$\"]\n",
        folder.path().join("onhook.db"),
        phone.address(Transport::Udp).unwrap()
    );
    let config = Config::parse(&toml, Path::new("onhook.toml")).unwrap();
    let server = Server::start(&config).await.unwrap();
    Stage {
        server,
        events,
        item_id,
        phone,
        _folder: folder,
    }
}

fn fill_store(folder: &Path) -> String {
    let store = Store::open(&folder.join("onhook.db")).unwrap();
    let anna: UserName = "anna".parse().unwrap();
    store
        .add_user(&anna, &password::hash(&Secret::new(PASSWORD)).unwrap())
        .unwrap();
    let wav = folder.join("minute.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&wav, spec).unwrap();
    for sample in 0..60 * 8000_i32 {
        writer.write_sample((sample % 64 * 256 - 8192) as i16).unwrap();
    }
    writer.finalize().unwrap();
    let message = NewMessage {
        owner: &Caller::named(&anna).key,
        mailbox: "anna",
        name: "minute.wav",
        facts: MessageFacts {
            format: "WAV".into(),
            duration: Duration::from_secs(60),
            rate: 8000,
            channels: 1,
        },
        audio: &fs::read(&wav).unwrap(),
    };
    store.add_message(&message).unwrap().to_string()
}

impl Stage {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/EWS/Exchange.asmx", self.address())
    }

    fn address(&self) -> SocketAddr {
        self.server.addresses().http[0]
    }

    /// Waits for something the phone tells, and returns what it told on the way.
    pub(crate) async fn phone_tells(&mut self, wanted: impl Fn(&What) -> bool) -> Vec<What> {
        let mut told = Vec::new();
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            let is_wanted = wanted(&event.what);
            told.push(event.what);
            if is_wanted {
                return told;
            }
        }
    }

    /// POSTs a document as it is.
    pub(crate) async fn post(&self, document: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        let head = format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Basic YW5uYTpzZWNyZXQ=\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
            document.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(document.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

/// The BYEs among what a phone told.
pub(crate) fn byes(told: &[What]) -> usize {
    let is_bye = |what: &&What| matches!(what, What::Message(Direction::Received, text) if text.starts_with("BYE"));
    told.iter().filter(is_bye).count()
}
