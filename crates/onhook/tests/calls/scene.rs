//! A house in a temporary folder: its configuration, two users with a long and a short message each, and their clients.
//! [`Server`] runs in this process; [`crate::program::Program`] is the built binary.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ews::{PhoneCallInformation, PhoneCallState, ReplyError};
use onhook::auth::{Caller, password};
use onhook::client::{Client, ClientError, Trust};
use onhook::config::{Config, Secret};
use onhook::server::Server;
use onhook::store::{MessageFacts, NewMessage, Store, UserName};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub(crate) use ews::PhoneCallId;

/// Every user's password.
pub(crate) const PASSWORD: &str = "pass-of-the-caller";
/// No step takes this long unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

static PASSWORD_HASH: LazyLock<String> = LazyLock::new(|| password::hash(&Secret::new(PASSWORD)).unwrap());

pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, wanted).await {
        Ok(got) => got,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Caps that nothing here reaches.
const NO_CAPS: &str = "max_live_per_trunk = 100000\nstarts_per_second_per_trunk = 100000\nstarts_per_minute_per_mailbox = 100000\n\
    starts_per_hour_per_mailbox = 100000\nminutes_per_day_per_mailbox = 1000000\n\
    starts_per_minute_per_address = 100000\nstarts_per_ten_minutes_per_number = 100000\n\
    starts_per_minute_to_own_phone = 100000\nminutes_per_day_to_own_phone = 1000000";

/// What differs between scenes: whole lines of TOML for a table each.
#[derive(Clone)]
pub(crate) struct Plan {
    /// One trunk each, in this order.
    pub(crate) next_hops: Vec<String>,
    /// For every trunk.
    pub(crate) trunk: &'static str,
    /// With a comma between, if there are several.
    pub(crate) sip_listen: String,
    pub(crate) sip: String,
    pub(crate) calls: &'static str,
    /// The caps, except those of live calls for the server and a mailbox.
    pub(crate) caps: &'static str,
    pub(crate) media: String,
    pub(crate) log: &'static str,
    /// Further tables.
    pub(crate) more: String,
}

impl Plan {
    /// SIP by UDP to one peer, which is not asked whether it is there.
    pub(crate) fn to(next_hop: impl Into<String>) -> Self {
        Self {
            next_hops: vec![next_hop.into()],
            trunk: "keepalive = \"0s\"",
            sip_listen: "udp:127.0.0.1:0".to_owned(),
            sip: String::new(),
            calls: "",
            caps: NO_CAPS,
            media: String::new(),
            log: "",
            more: String::new(),
        }
    }

    pub(crate) fn toml(&self, store: &Path) -> String {
        let trunks: String = self
            .next_hops
            .iter()
            .enumerate()
            .fold(String::new(), |text, (at, next_hop)| {
                text + &format!(
                    "[[trunk]]\nname = \"trunk-{at}\"\nnext_hop = {next_hop:?}\n{}\n",
                    self.trunk
                )
            });
        let sip_listen: Vec<&str> = self.sip_listen.split(',').collect();
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n[sip]\nlisten = {sip_listen:?}\n{}\n[media]\n{}\n[store]\npath = {store:?}\nballast = \"0\"\n\
             [calls]\n{}\n{}\n[dial]\nallow = [\"^[0-9]{{3,7}}$\"]\n[log]\n{}\n{}\n{trunks}",
            self.sip, self.media, self.calls, self.caps, self.log, self.more
        )
    }
}

/// Where everything lies.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    anna: [String; 2],
    berta: [String; 2],
}

impl House {
    pub(crate) fn build() -> Self {
        let folder = in_memory();
        let store = Store::open(&folder.path().join("onhook.db")).unwrap();
        let [anna, berta] = ["anna", "berta"].map(|name| {
            let user: UserName = name.parse().unwrap();
            store.add_user(&user, &PASSWORD_HASH).unwrap();
            [Duration::from_secs(60), Duration::from_millis(200)].map(|length| add_message(&store, &user, length))
        });
        Self { folder, anna, berta }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("onhook.db")
    }

    /// Looks into the journal beside the server.
    pub(crate) fn journal(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.store()).unwrap()
    }

    /// The one number that a query of the journal has for an answer.
    pub(crate) fn count(&self, query: &str) -> i64 {
        self.journal().query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn config_file(&self, plan: &Plan) -> PathBuf {
        let path = self.folder.path().join("onhook.toml");
        fs::write(&path, plan.toml(&self.store())).unwrap();
        path
    }

    pub(crate) fn anna(&self, url: &str, trust: &Trust) -> User {
        User::new("anna", url, trust, self.anna.clone())
    }

    pub(crate) fn berta(&self, url: &str, trust: &Trust) -> User {
        User::new("berta", url, trust, self.berta.clone())
    }
}

/// A folder in memory where there is one: what outlives a killed process needs no disk, and each flush to a busy one
/// may take a second.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn add_message(store: &Store, user: &UserName, length: Duration) -> String {
    let mut wav = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut wav, spec).unwrap();
    for sample in 0..length.as_millis() * 8 {
        writer.write_sample((sample % 64 * 256) as i16 - 8192).unwrap();
    }
    writer.finalize().unwrap();
    let message = NewMessage {
        owner: &Caller::named(user).key,
        mailbox: user.as_str(),
        name: "message.wav",
        facts: MessageFacts {
            format: "WAV".into(),
            duration: length,
            rate: 8000,
            channels: 1,
        },
        audio: &wav.into_inner(),
    };
    store.add_message(&message).unwrap().to_string()
}

/// A server in this process.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) house: House,
}

impl Scene {
    pub(crate) async fn open(plan: Plan) -> Self {
        let house = House::build();
        let config = Config::parse(&plan.toml(&house.store()), Path::new("onhook.toml")).unwrap();
        let server = Server::start(&config).await.unwrap();
        Self { server, house }
    }

    pub(crate) fn anna(&self) -> User {
        self.house.anna(&self.url(), &Trust::Public)
    }

    pub(crate) fn berta(&self) -> User {
        self.house.berta(&self.url(), &Trust::Public)
    }

    fn url(&self) -> String {
        format!("http://{}/EWS/Exchange.asmx", self.http())
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.server.addresses().http[0]
    }

    /// Where it speaks SIP.
    pub(crate) fn sip(&self) -> SocketAddr {
        sip_address(&self.server.addresses().sip[0])
    }
}

/// Keeps the journal from writing until it is dropped.
pub(crate) struct Lock(rusqlite::Connection);

impl Lock {
    pub(crate) fn take(house: &House) -> Self {
        let connection = house.journal();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }

    pub(crate) fn release(self) {
        self.0.execute_batch("COMMIT").unwrap();
    }
}

/// `udp:127.0.0.1:5060` without its transport.
pub(crate) fn sip_address(listener: &str) -> SocketAddr {
    listener.split_once(':').unwrap().1.parse().unwrap()
}

/// A range for RTP with room for `calls` calls, where the system has room now.
pub(crate) fn rtp_ports(calls: u16) -> String {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let first = port.min(u16::MAX - 2 * calls) & !1;
    format!("rtp_ports = \"{first}-{}\"", first + 2 * calls - 1)
}

/// A client of one user.
#[derive(Clone)]
pub(crate) struct User {
    client: Client,
    /// Longer than any test.
    pub(crate) long: String,
    /// Over in a fifth of a second.
    pub(crate) short: String,
}

impl User {
    fn new(name: &str, url: &str, trust: &Trust, [long, short]: [String; 2]) -> Self {
        let client = Client::new(url, name, &Secret::new(PASSWORD), trust).unwrap();
        Self { client, long, short }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Client) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, String> {
        let client = self.client.clone();
        let asked = spawn_blocking(move || question(client));
        soon("an answer", asked).await.unwrap().map_err(|error| match error {
            ClientError::Reply(ReplyError::Refused { code, .. }) => code,
            error => panic!("{error}"),
        })
    }

    /// Plays a message; the error is the response code.
    pub(crate) async fn play_message(&self, item_id: &str, number: &str) -> Result<PhoneCallId, String> {
        let (item_id, number) = (item_id.to_owned(), number.to_owned());
        self.ask(move |client| client.play_on_phone(&item_id, &number)).await
    }

    pub(crate) async fn try_play(&self, number: &str) -> Result<PhoneCallId, String> {
        self.play_message(&self.long, number).await
    }

    /// Plays the long message.
    pub(crate) async fn play(&self, number: &str) -> PhoneCallId {
        self.try_play(number).await.unwrap()
    }

    pub(crate) async fn information(&self, id: &PhoneCallId) -> Result<PhoneCallInformation, String> {
        let id = id.clone();
        self.ask(move |client| client.information(&id)).await
    }

    pub(crate) async fn state(&self, id: &PhoneCallId) -> PhoneCallState {
        self.information(id).await.unwrap().state
    }

    pub(crate) async fn disconnect(&self, id: &PhoneCallId) -> Result<(), String> {
        let id = id.clone();
        self.ask(move |client| client.disconnect(&id)).await
    }

    /// Asks until the call has come to this state.
    pub(crate) async fn reaches(&self, id: &PhoneCallId, state: PhoneCallState) -> PhoneCallInformation {
        let asked = async {
            loop {
                let information = self.information(id).await.unwrap();
                if information.state == state {
                    return information;
                }
                assert_ne!(information.state, PhoneCallState::Disconnected, "{information:?}");
            }
        };
        soon(&format!("{state:?}"), asked).await
    }

    pub(crate) async fn ended(&self, id: &PhoneCallId) -> PhoneCallInformation {
        self.reaches(id, PhoneCallState::Disconnected).await
    }
}

/// POSTs a document as it is; returns the whole answer, head and body.
pub(crate) async fn post(server: SocketAddr, user: &str, document: &str) -> String {
    let stream = TcpStream::connect(server).await.unwrap();
    post_by(stream, user, document).await
}

/// The same by a connection that is there already.
pub(crate) async fn post_by(mut stream: impl AsyncRead + AsyncWrite + Unpin, user: &str, document: &str) -> String {
    let request = request(user, "Connection: close\r\n", document);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// A request for the endpoint.
pub(crate) fn request(user: &str, headers: &str, document: &str) -> String {
    let credentials = BASE64_STANDARD.encode(format!("{user}:{PASSWORD}"));
    format!(
        "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n{headers}\
         Content-Type: text/xml; charset=utf-8\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    )
}
