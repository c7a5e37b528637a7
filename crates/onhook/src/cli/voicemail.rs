//! `onhook voicemail`: the messages that can be played.

use super::{ConfigFile, Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: Args, file: &ConfigFile) -> Result<Exit, Failure> {
    let _config = file.load()?;
    Err(Failure::not_built_yet("voicemail"))
}
