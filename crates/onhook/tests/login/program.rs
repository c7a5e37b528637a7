//! The program itself, for what it writes into its log.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::house::PATIENCE;

pub(crate) struct Program {
    child: Child,
    stderr: BufReader<tokio::process::ChildStderr>,
    log: String,
    pub(crate) http: Vec<SocketAddr>,
    pub(crate) https: Vec<SocketAddr>,
    _folder: TempDir,
}

impl Program {
    /// Serves; `toml` is what follows `[http]`.
    pub(crate) async fn serve(level: &str, toml: &str, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, ready) = (folder.path().join("onhook.toml"), folder.path().join("ready.json"));
        let toml = format!(
            "[store]\nballast = \"0\"\n[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[log]\nlevel = {level:?}\n[http]\n{toml}"
        );
        std::fs::write(&config, toml).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_onhook"))
            .args(["serve", "--config"])
            .arg(&config)
            .arg("--ready-file")
            .arg(&ready)
            .envs(env.iter().copied())
            .env_remove("ONHOOK_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let starting = async {
            while !log.lines().last().is_some_and(|line| line.contains(" ready ")) {
                assert_ne!(stderr.read_line(&mut log).await.unwrap(), 0, "{log}");
            }
        };
        timeout(PATIENCE, starting).await.unwrap();
        let addresses: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        let of = |scheme: &str| serde_json::from_value(addresses[scheme].clone()).unwrap();
        Self {
            child,
            stderr,
            log,
            http: of("http"),
            https: of("https"),
            _folder: folder,
        }
    }

    /// Stops it; all that it has written.
    pub(crate) async fn stop(mut self) -> String {
        let pid = self.child.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(told.success());
        let rest = self.stderr.read_to_string(&mut self.log);
        timeout(PATIENCE, rest).await.unwrap().unwrap();
        assert!(self.child.wait().await.unwrap().success());
        self.log
    }
}
