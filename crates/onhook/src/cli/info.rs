//! `onhook info`: ask a server for GetPhoneCallInformation.

use std::io::{self, Write as _};

use super::call_report::{CallReport, line};
use super::server_args::CallArgs;
use super::{Exit, Failure};

pub(super) fn run(args: &CallArgs) -> Result<Exit, Failure> {
    let id = args.id();
    let information = args.server.client()?.information(&id)?;
    let mut out = io::stdout().lock();
    if args.json {
        CallReport::new(&id, Some(&information)).json(&mut out)?;
    } else {
        writeln!(out, "{}", line(&information))?;
    }
    Ok(Exit::Done)
}
