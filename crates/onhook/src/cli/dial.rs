//! `onhook dial`: what the dial policy says, and why.

use std::io::{self, Write as _};

use clap::Subcommand;
use dial::DialPolicy;

use super::{ConfigFile, Exit, Failure};
use crate::config::{self, LoginMethod};
use crate::gate;
use crate::store::{UserError, UserName};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether a user may call a number, which rule decides, and every step on the way
    #[command(after_help = "\
The configuration file and the store are read as they are now; no server needs to run, and no call is placed. How many \
calls a user may place is not looked at: the running server counts that, by the caps in [calls]. Where a directory, \
tokens or certificates vouch for users, one whom the store does not know is explained, too: as one without numbers of \
his own.

Exit codes: 0 allowed, 1 failed (there is no such user, say), 3 refused, 64 wrong configuration file.

Examples:
  onhook dial explain --user alice 4711
  onhook dial explain --user alice '+49 30 123456'")]
    Explain {
        /// Whose call it would be
        #[arg(long, value_name = "NAME")]
        user: UserName,
        /// The number or SIP address, as a client would send it
        #[arg(allow_hyphen_values = true)]
        number: String,
    },
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Command::Explain { user, number } = args.command;
    let store = args.config.open_store()?;
    let config = args.config.load()?;
    if store.user_version(&user)?.is_none() {
        if !vouched_for_elsewhere(&config.http) {
            return Err(UserError::Unknown(user).into());
        }
        writeln!(io::stderr(), "{user} is not in the store: no extension, no phones")?;
    }
    let policy = DialPolicy::from(&config.dial);
    let decision = policy.decide(&gate::dialler(&store, &user)?, &number);
    writeln!(io::stdout(), "{}", decision.in_full())?;
    Ok(if decision.is_allowed() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// Whether users may come in whom the store does not know.
fn vouched_for_elsewhere(http: &config::Http) -> bool {
    let of_tls = http.tls.iter().flat_map(|tls| &tls.login);
    http.login
        .iter()
        .chain(of_tls)
        .any(|method| *method != LoginMethod::Users)
}
