//! What the system does to a running server's system calls, at a tester's word.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::stage::{Serving, run};

/// An strace that is attached to a server. Without strace the tests that need one fail: `make setup` installs it.
pub(crate) struct Strace {
    child: Child,
    reading: JoinHandle<()>,
}

impl Strace {
    /// Does this to every flush of the server, as `strace --inject` spells it.
    pub(crate) async fn of_flushes(server: &Serving, injection: &str) -> Self {
        Self::of(server, "fsync,fdatasync", injection).await
    }

    /// The same to every read of its files.
    pub(crate) async fn of_reads(server: &Serving, injection: &str) -> Self {
        Self::of(server, "pread64", injection).await
    }

    async fn of(server: &Serving, calls: &str, injection: &str) -> Self {
        let args = [
            "-f",
            "-p",
            &server.pid(),
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={calls}:{injection}"),
        ];
        let mut child = Command::new("strace")
            .args(args)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("strace (`make setup` installs it)");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let attached = lines.next_line().await.unwrap().unwrap_or_default();
        assert!(attached.contains("attached"), "{attached}");
        let reading = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, reading }
    }

    /// Lets the server go on as it would by itself, also in a flush that is being held.
    pub(crate) async fn detach(mut self) {
        run("sh", &["-c", &format!("kill -TERM {}", self.child.id().unwrap())]).await;
        self.child.wait().await.unwrap();
        self.reading.await.unwrap();
    }
}
