//! `onhook play`: ask a server for PlayOnPhone.

use super::{Exit, Failure, ServerArgs};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The voice message, as `onhook voicemail add` printed it
    item_id: String,

    /// The number to call
    number: String,

    /// Follow the call to its end; Ctrl-C hangs up
    #[arg(long)]
    wait: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Args {
        server: _,
        item_id: _,
        number: _,
        wait: _,
        json: _,
    } = args;
    Err(Failure::not_built_yet("play"))
}
