//! `onhook demo`: a server and a phone on loopback, one call, and what happened.
//!
//! Nothing in it is a mock: the server is the one that `serve` runs, the phone is `onhook phone`, the client is the one of
//! `onhook play`, and between them are real sockets. What is shown is what they said, and the verdict is checked.

mod demo_call;
mod ladder;
mod verdict;

use super::{Exit, Failure};

const ABOUT: &str = "\
Needs no PBX, no configuration and no root: everything is on loopback, on ports that the system chooses, and in a \
temporary folder that is removed afterwards. Exits with 0 only if all of it happened.";

#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(super) struct Args {
    /// Keep what the phone heard in this WAV file
    #[arg(long, value_name = "FILE")]
    save: Option<std::path::PathBuf>,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(demo_call::play(args.save.as_deref()))
}
