//! `onhook phone`: a small real SIP phone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Exit, Failure};
use crate::config::{Period, ValueError};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  onhook phone --listen 127.0.0.1:5061 --ring 1s --save heard.wav
  onhook phone --listen 127.0.0.1:5061 --busy")]
pub(super) struct Args {
    /// The UDP address to listen on
    #[arg(long, default_value = "127.0.0.1:5061")]
    listen: SocketAddr,

    /// How long to ring before answering
    #[arg(long, default_value = "1s", value_parser = duration)]
    ring: Duration,

    /// Answer every call with 486 Busy Here
    #[arg(long, group = "refusal")]
    busy: bool,

    /// Ring and never answer
    #[arg(long, group = "refusal")]
    no_answer: bool,

    /// Answer every call with 603 Decline
    #[arg(long, group = "refusal")]
    decline: bool,

    /// Save what is heard to this WAV file (one file per call, numbered from the second on)
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, ValueError> {
    text.parse().map(|Period(duration)| duration)
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Args {
        listen: _,
        ring: _,
        busy: _,
        no_answer: _,
        decline: _,
        save: _,
    } = args;
    Err(Failure::not_built_yet("phone"))
}
