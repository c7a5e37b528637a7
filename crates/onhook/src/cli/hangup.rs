//! `onhook hangup`: ask a server for DisconnectPhoneCall.

use std::io::{self, Write as _};

use ews::PhoneCallId;

use super::call_report::CallReport;
use super::{Exit, Failure, ServerArgs};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The call, as `onhook play` printed it
    #[arg(allow_hyphen_values = true)]
    phone_call_id: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Args {
        server,
        phone_call_id,
        json,
    } = args;
    let id = PhoneCallId(phone_call_id);
    server.client()?.disconnect(&id)?;
    if json {
        CallReport::new(&id, None).json(&mut io::stdout().lock())?;
    } else {
        writeln!(io::stderr(), "Hung up.")?;
    }
    Ok(Exit::Done)
}
