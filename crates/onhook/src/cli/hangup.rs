//! `onhook hangup`: ask a server for DisconnectPhoneCall.

use std::io::{self, Write as _};

use super::call_report::CallReport;
use super::server_args::CallArgs;
use super::{Exit, Failure};

pub(super) fn run(args: &CallArgs) -> Result<Exit, Failure> {
    let id = args.id();
    args.server.client()?.disconnect(&id)?;
    if args.json {
        CallReport::new(&id, None).json(&mut io::stdout().lock())?;
    } else {
        writeln!(io::stderr(), "Hung up.")?;
    }
    Ok(Exit::Done)
}
