//! `onhook info`: ask a server for GetPhoneCallInformation.

use super::{Exit, Failure, ServerArgs};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The call, as `onhook play` printed it
    phone_call_id: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Args {
        server: _,
        phone_call_id: _,
        json: _,
    } = args;
    Err(Failure::not_built_yet("info"))
}
