//! `onhook serve`: the server itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{ConfigFile, Exit, Failure};
use crate::{
    config::Config,
    server::{Addresses, Server},
    telemetry,
};

const ABOUT: &str = "\
Runs until it is told to stop.

SIGHUP: certificates and keys are read again, without a connection or a call being disturbed.

SIGTERM: no new calls are taken, and running ones may go on for [calls] drain_timeout; what is left then is hung up. A \
second SIGTERM, or Ctrl-C at any time: running calls are hung up now. In both cases it exits with 0 when every end is \
confirmed. One more signal ends it at once, with 1; the next start then hangs up what is left.";

#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,

    /// Write the addresses that are really listened at into this file, as JSON, when everything is open
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let config = args.config.load()?;
    telemetry::start(&config.log).map_err(|error| Failure::new(Exit::Failed, error))?;
    for note in config.notes() {
        tracing::warn!("{note}");
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()?
        .block_on(serve(&config, args.ready_file.as_deref()))
}

/// How many threads answer HTTP: half as many as there are cores, since the switch, the journal and the sound have threads of their own. More of
/// them wake one another for nothing: with one instead of two on two cores a hang-up or a query costs a fifth less CPU.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// What the process is told by signals.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The next one; `true` when it leaves running calls their time.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.terminate.recv() => true,
            _ = self.interrupt.recv() => false,
        }
    }
}

async fn serve(config: &Config, ready_file: Option<&Path>) -> Result<Exit, Failure> {
    let (mut signals, mut hangup) = (Signals::listen()?, signal(SignalKind::hangup())?);
    let server = Server::start(config)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let addresses = server.addresses();
    if let Some(path) = ready_file {
        write_whole(path, addresses)?;
    }
    tracing::info!(http = ?addresses.http, https = ?addresses.https, sip = ?addresses.sip, metrics = ?addresses.metrics, "ready");

    let patient = loop {
        tokio::select! {
            patient = signals.next() => break patient,
            _ = hangup.recv() => server.reload_certificates(),
        }
    };
    if let Some(path) = ready_file {
        // Whoever looks whether there is a server finds none for new calls.
        let _ = std::fs::remove_file(path);
    }
    // Before it is said.
    server.take_no_new_calls();
    if patient {
        drain(&server, config.calls.drain_timeout.0, &mut signals).await;
    }
    let calls = server.live_calls();
    tracing::info!(calls, "stopping: running calls are hung up");
    tokio::select! {
        () = server.stop() => {
            tracing::info!("stopped");
            Ok(Exit::Done)
        }
        _ = signals.next() => {
            tracing::warn!("stopped at once: the next start hangs up what is left");
            Ok(Exit::Failed)
        }
    }
}

/// Leaves running calls their time, but not more than `patience`, nor after another signal.
async fn drain(server: &Server, patience: Duration, signals: &mut Signals) {
    let calls = server.live_calls();
    tracing::info!(
        calls,
        ?patience,
        "draining: no new calls are taken, running ones may go on"
    );
    tokio::select! {
        () = server.drain() => {}
        () = tokio::time::sleep(patience) => {}
        _ = signals.next() => {}
    }
}

/// Readers never see half a file.
fn write_whole(path: &Path, addresses: &Addresses) -> Result<(), Failure> {
    let partly = path.with_extension("partly");
    let text = serde_json::to_string(addresses).map_err(|error| Failure::new(Exit::Failed, error))?;
    std::fs::write(&partly, text + "\n")?;
    Ok(std::fs::rename(&partly, path)?)
}
