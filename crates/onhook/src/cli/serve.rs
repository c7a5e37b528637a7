//! `onhook serve`: the server itself.

use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigFile, Exit, Failure};
use crate::{
    config::Config,
    server::{Addresses, Server},
    telemetry,
};

const ABOUT: &str = "\
Runs until it is told to stop. SIGTERM or Ctrl-C: no new calls are taken, running calls are hung up and their end is
confirmed, then it exits with 0. A second signal ends it at once.";

#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// Write the addresses that are really listened at into this file, as JSON, when everything is open
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(super) fn run(args: Args, file: &ConfigFile) -> Result<Exit, Failure> {
    let config = file.load()?;
    telemetry::start(&config.log).map_err(|error| Failure::new(Exit::Failed, error))?;
    for note in config.notes() {
        tracing::warn!("{note}");
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(&config, args.ready_file.as_deref()))
}

async fn serve(config: &Config, ready_file: Option<&Path>) -> Result<Exit, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config)
        .await
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let addresses = server.addresses();
    if let Some(path) = ready_file {
        write_whole(path, addresses)?;
    }
    tracing::info!(http = ?addresses.http, https = ?addresses.https, sip = ?addresses.sip, "ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(calls = server.live_calls().await, "stopping: running calls are hung up");
    tokio::select! {
        () = server.stop() => {
            tracing::info!("stopped");
            Ok(Exit::Done)
        }
        _ = terminate.recv() => Ok(Exit::Failed),
        _ = interrupt.recv() => Ok(Exit::Failed),
    }
}

/// Readers never see half a file.
fn write_whole(path: &Path, addresses: &Addresses) -> Result<(), Failure> {
    let partly = path.with_extension("partly");
    let text = serde_json::to_string(addresses).map_err(|error| Failure::new(Exit::Failed, error))?;
    std::fs::write(&partly, text + "\n")?;
    Ok(std::fs::rename(&partly, path)?)
}
