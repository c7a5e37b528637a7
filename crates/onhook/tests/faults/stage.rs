//! A built server as a process of its own, a real phone behind its trunk, one user, and one message.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ews::{PhoneCallId, ReplyError};
use onhook::auth::{Caller, password};
use onhook::client::{Client, ClientError, Trust};
use onhook::config::Secret;
use onhook::phone::{Direction, Phone, PhoneEvent, PhoneOptions, What};
use onhook::store::{MessageFacts, NewMessage, Store, UserName};
use rusqlite::Connection;
use sip::Transport;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const PASSWORD: &str = "secret";
/// No step takes this long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a process that aborts ends by.
const SIGABRT: i32 = 6;
const BINARY: &str = env!("CARGO_BIN_EXE_onhook");

/// What a server is started with.
pub(crate) struct Stage {
    pub(crate) phone: Phone,
    /// Further lines of `[http]`.
    pub(crate) http: &'static str,
    events: Receiver<PhoneEvent>,
    /// Calls whose end was passed over by somebody who waited for something else.
    pub(crate) ended_meanwhile: usize,
    item_id: String,
    store: PathBuf,
    folder: tempfile::TempDir,
}

/// A phone that answers at once, and a store at `store` or in a folder of its own with a message of this length.
pub(crate) async fn stage(message: Duration, store: Option<&Path>) -> Stage {
    let (phone, events) = Phone::start(PhoneOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = store.map_or_else(|| folder.path().join("onhook.db"), Path::to_owned);
    let item_id = fill(&store, message);
    Stage {
        phone,
        http: "",
        events,
        ended_meanwhile: 0,
        item_id,
        store,
        folder,
    }
}

fn fill(path: &Path, message: Duration) -> String {
    let store = Store::open(path).unwrap();
    let anna: UserName = "anna".parse().unwrap();
    store
        .add_user(&anna, &password::hash(&Secret::new(PASSWORD)).unwrap())
        .unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut audio = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut audio, spec).unwrap();
    for sample in 0..message.as_secs() as i32 * 8000 {
        writer.write_sample((sample % 64 * 256 - 8192) as i16).unwrap();
    }
    writer.finalize().unwrap();
    let message = NewMessage {
        owner: &Caller::named(&anna).key,
        mailbox: "anna",
        name: "tone.wav",
        facts: MessageFacts {
            format: "WAV".into(),
            duration: message,
            rate: 8000,
            channels: 1,
        },
        audio: audio.get_ref(),
    };
    store.add_message(&message).unwrap().to_string()
}

/// Caps that nothing here reaches.
const CAPS: &str = "max_live_per_trunk = 100000\nstarts_per_second_per_trunk = 100000\nstarts_per_minute_per_mailbox = 100000\n\
    starts_per_hour_per_mailbox = 100000\nminutes_per_day_per_mailbox = 1000000\n\
    starts_per_minute_per_address = 100000\nstarts_per_ten_minutes_per_number = 100000";

impl Stage {
    /// Starts `onhook serve`; `store` and `calls` are further lines of those sections.
    pub(crate) async fn serve(&self, store: &str, calls: &str) -> Serving {
        self.serve_by(&[], store, calls).await
    }

    /// The same, started by another program, which is told the command after its own arguments.
    pub(crate) async fn serve_by(&self, starter: &[&str], store: &str, calls: &str) -> Serving {
        let mut child = self.start(starter, store, calls);

        let (told, log) = mpsc::channel(10_000);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if told.send(line).await.is_err() {
                    return;
                }
            }
        });
        let mut serving = Serving {
            child,
            http: SocketAddr::from(([127, 0, 0, 1], 1)),
            log,
            client: Client::new("http://127.0.0.1:1/", "anna", &Secret::new(PASSWORD), &Trust::Public).unwrap(),
            item_id: self.item_id.clone(),
        };
        serving.tells(" ready").await;
        let addresses: serde_json::Value = serde_json::from_slice(&fs::read(self.ready_file()).unwrap()).unwrap();
        serving.http = addresses["http"][0].as_str().unwrap().parse().unwrap();
        serving.log_in("anna", PASSWORD);
        serving
    }

    /// Starts a server that dies before long, and waits for its end; returns what it logged.
    pub(crate) async fn dies(&self, starter: &[&str], store: &str, calls: &str) -> String {
        let child = self.start(starter, store, calls);
        let ended = timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
        let log = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.signal(), Some(SIGABRT), "{log}");
        log
    }

    fn ready_file(&self) -> PathBuf {
        self.folder.path().join("ready.json")
    }

    fn start(&self, starter: &[&str], store: &str, calls: &str) -> Child {
        let phone = self.phone.address(Transport::Udp).unwrap();
        let config = self.folder.path().join("onhook.toml");
        let toml = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n{}\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[sip.timers]\nt1 = \"100ms\"\n\
             [store]\npath = {:?}\n{store}\n[calls]\nmax_live = 1000\nmax_live_per_mailbox = 1000\n{CAPS}\n{calls}\n\
             [[trunk]]\nname = \"phone\"\nnext_hop = \"sip:{phone}\"\nkeepalive = \"0s\"\n\
             [dial]\nallow = [\"^[0-9]{{2,6}}$\"]\n",
            self.http, self.store
        );
        fs::write(&config, toml).unwrap();
        let ready_file = self.ready_file();
        let serve = ["serve", "--config", config.to_str().unwrap(), "--ready-file"];
        let mut command: Vec<&str> = starter.to_vec();
        command.push(BINARY);
        command.extend(serve);
        command.push(ready_file.to_str().unwrap());
        Command::new(command[0])
            .args(&command[1..])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Another process adds a user, with the password of everybody here.
    pub(crate) fn add_user(&self, name: &str) {
        let hash = password::hash(&Secret::new(PASSWORD)).unwrap();
        let store = Store::open(&self.store).unwrap();
        store.add_user(&name.parse().unwrap(), &hash).unwrap();
    }

    /// Runs another command of the program beside the server, with this on its standard input.
    pub(crate) async fn command(&self, arguments: &[&str], input: &str) {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join("onhook.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    /// Waits for something the phone tells of a call.
    pub(crate) async fn phone_tells(&mut self, wanted: impl Fn(&What) -> bool) -> PhoneEvent {
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            if wanted(&event.what) {
                return event;
            }
            self.ended_meanwhile += usize::from(matches!(event.what, What::Ended { .. }));
        }
    }

    pub(crate) async fn answered(&mut self) -> PhoneEvent {
        self.phone_tells(|what| matches!(what, What::Acked)).await
    }

    pub(crate) async fn hung_up(&mut self) -> PhoneEvent {
        self.phone_tells(|what| matches!(what, What::Ended { .. })).await
    }

    /// How many calls have reached the phone that it has not told of yet.
    pub(crate) fn invited(&mut self) -> usize {
        let mut invited = 0;
        while let Ok(event) = self.events.try_recv() {
            invited += usize::from(matches!(event.what, What::Invited { .. }));
            assert!(!matches!(event.what, What::Message(Direction::Received, text) if text.starts_with("CANCEL")));
        }
        invited
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Why each recorded call ended, in the order in which they were placed.
    pub(crate) fn causes(&self) -> Vec<String> {
        let store = Connection::open(&self.store).unwrap();
        let mut causes = store.prepare("SELECT cause FROM cdr ORDER BY k").unwrap();
        let causes = causes.query_map([], |row| row.get(0)).unwrap();
        causes.map(Result::unwrap).collect()
    }
}

/// A running `onhook serve`.
pub(crate) struct Serving {
    child: Child,
    pub(crate) http: SocketAddr,
    log: Receiver<String>,
    client: Client,
    item_id: String,
}

impl Serving {
    pub(crate) fn pid(&self) -> String {
        self.child.id().unwrap().to_string()
    }

    /// Waits for a line of its log.
    pub(crate) async fn tells(&mut self, text: &str) -> String {
        let mut before = Vec::new();
        loop {
            match timeout(PATIENCE, self.log.recv()).await {
                Ok(Some(line)) if line.contains(text) => return line,
                Ok(Some(line)) => before.push(line),
                Ok(None) | Err(_) => panic!("never told {text:?}, but:\n{}", before.join("\n")),
            }
        }
    }

    /// From now on it is asked as this user.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) {
        let url = format!("http://{}/EWS/Exchange.asmx", self.http);
        self.client = Client::new(&url, user, &Secret::new(password), &Trust::Public).unwrap();
    }

    pub(crate) async fn play(&self) -> Result<PhoneCallId, ClientError> {
        let item_id = self.item_id.clone();
        self.ask(move |client| client.play_on_phone(&item_id, "4711")).await
    }

    pub(crate) async fn hang_up(&self, id: &PhoneCallId) -> Result<(), ClientError> {
        let id = id.clone();
        self.ask(move |client| client.disconnect(&id)).await
    }

    pub(crate) async fn knows(&self, id: &PhoneCallId) -> bool {
        let id = id.clone();
        self.ask(move |client| client.information(&id)).await.is_ok()
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Client) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let client = self.client.clone();
        spawn_blocking(move || question(&client)).await.unwrap()
    }

    /// `TERM`, `INT` or `KILL`.
    pub(crate) async fn signal(&self, name: &str) {
        run("sh", &["-c", &format!("kill -{name} {}", self.pid())]).await;
    }

    /// Waits for the abort of a server that could not go on.
    pub(crate) async fn aborts(mut self) {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert_eq!(status.signal(), Some(SIGABRT));
    }

    /// Waits for its end, and returns the exit code; a killed server has none, and counts as -1.
    pub(crate) async fn exits(mut self) -> i32 {
        let status = timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        status.code().unwrap_or(-1)
    }
}

/// Runs a program that must succeed.
pub(crate) async fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().await.unwrap();
    assert!(status.success(), "{program} {args:?}");
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, ClientError>, wanted: &str) {
    match answer {
        Err(ClientError::Reply(ReplyError::Refused { code, .. })) => assert_eq!(code, wanted),
        other => panic!("{other:?} is not {wanted}"),
    }
}
