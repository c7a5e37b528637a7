//! The built binary as a server: what a signal does to it, and what it writes to standard error.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use onhook::client::Trust;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::scene::{House, Plan, User, soon};

const ONHOOK: &str = env!("CARGO_BIN_EXE_onhook");

/// What `--ready-file` says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) http: Vec<String>,
    pub(crate) https: Vec<String>,
    pub(crate) sip: Vec<String>,
    pub(crate) metrics: Option<SocketAddr>,
}

pub(crate) struct Program {
    child: Child,
    pub(crate) addresses: Addresses,
    log: Arc<Mutex<String>>,
    more: Arc<Notify>,
    reader: JoinHandle<()>,
}

impl Program {
    /// Starts `onhook serve`, and returns when it is ready.
    pub(crate) async fn serve(house: &House, plan: &Plan) -> Self {
        Self::serve_by(Command::new(ONHOOK), house, plan).await
    }

    /// The same where names have these addresses: lines of an `/etc/hosts`. For that something has to be mounted.
    pub(crate) async fn serve_where(hosts: &str, house: &House, plan: &Plan) -> Self {
        let file = house.folder.path().join("hosts");
        std::fs::write(&file, hosts).unwrap();
        let mut command = Command::new("unshare");
        let mounted = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
        command
            .args(["--map-root-user", "--mount", "sh", "-c", mounted])
            .arg(file)
            .arg(ONHOOK);
        Self::serve_by(command, house, plan).await
    }

    async fn serve_by(mut command: Command, house: &House, plan: &Plan) -> Self {
        let ready_file = house.folder.path().join("ready.json");
        let mut child = command
            .arg("serve")
            .arg("--config")
            .arg(house.config_file(plan))
            .arg("--ready-file")
            .arg(&ready_file)
            .env_remove("ONHOOK_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, is_ready) = oneshot::channel();
        let more = Arc::new(Notify::new());
        let (written, told, mut ready) = (Arc::clone(&log), Arc::clone(&more), Some(ready));
        let reader = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if (line.contains(" ready ") || line.contains("\"ready\""))
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(());
                }
                let mut log = written.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
                told.notify_one();
            }
        });
        if soon("ready", is_ready).await.is_err() {
            panic!("{}", log.lock().unwrap());
        }
        Self {
            child,
            addresses: read(&ready_file),
            log,
            more,
            reader,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/EWS/Exchange.asmx", self.addresses.http[0])
    }

    pub(crate) fn anna(&self, house: &House) -> User {
        house.anna(&self.url(), &Trust::Public)
    }

    pub(crate) fn berta(&self, house: &House) -> User {
        house.berta(&self.url(), &Trust::Public)
    }

    /// SIGKILL, and nothing of it is left when this returns.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGHUP.
    pub(crate) async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    /// Waits until it has written this.
    pub(crate) async fn logs(&self, text: &str) {
        let written = async {
            while !self.log.lock().unwrap().contains(text) {
                self.more.notified().await;
            }
        };
        soon(text, written).await;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    async fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let told = Command::new("kill").args([signal, &pid]).status().await.unwrap();
        assert!(told.success());
    }

    /// SIGTERM; returns how it ended, and all that it has written to standard error.
    pub(crate) async fn terminate(mut self) -> (ExitStatus, String) {
        self.signal("-TERM").await;
        let status = soon("the end of the program", self.child.wait()).await.unwrap();
        soon("the end of its log", self.reader).await.unwrap();
        let log = self.log.lock().unwrap().clone();
        (status, log)
    }
}

fn read(ready_file: &Path) -> Addresses {
    serde_json::from_str(&std::fs::read_to_string(ready_file).unwrap()).unwrap()
}
