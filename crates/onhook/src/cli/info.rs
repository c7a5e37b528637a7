//! `onhook info`: ask a server for GetPhoneCallInformation.

use std::io::{self, Write as _};

use ews::PhoneCallId;

use super::call_report::{CallReport, line};
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
    let information = server.client()?.information(&id)?;
    let mut out = io::stdout().lock();
    if json {
        CallReport::new(&id, Some(&information)).json(&mut out)?;
    } else {
        writeln!(out, "{}", line(&information))?;
    }
    Ok(Exit::Done)
}
