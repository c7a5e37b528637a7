//! Which server `play`, `info` and `hangup` talk to, and as whom.

use std::path::PathBuf;

/// The server and the user; the password comes from a prompt or from the first line of standard input.
#[derive(Debug, clap::Args)]
pub struct ServerArgs {
    /// The EWS address, such as https://voice.example.com/EWS/Exchange.asmx
    #[arg(long)]
    pub url: String,

    /// The user to log in as
    #[arg(long)]
    pub user: String,

    /// Trust the certificates in this PEM file, instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}
