//! Which server `play`, `info` and `hangup` talk to, as whom, and of which call.

use std::path::PathBuf;

use ews::PhoneCallId;

use super::{Exit, Failure, password};
use crate::client::{Client, ClientError, Trust};

/// The server and the user; the password comes from a prompt or from the first line of standard input.
#[derive(Debug, clap::Args)]
pub struct ServerArgs {
    #[arg(long, help = "The EWS address, such as https://voice.example.com/EWS/Exchange.asmx")]
    pub url: String,

    /// The user to log in as
    #[arg(long)]
    pub user: String,

    /// Trust the certificates in this PEM file, instead of the public ones
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Trust whoever answers, also over plain http://; your password goes to them, and to everybody on the way
    #[arg(long, conflicts_with = "ca_file")]
    pub insecure: bool,
}

/// A call on a server, as `info` and `hangup` take it.
#[derive(Debug, clap::Args)]
pub(super) struct CallArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,

    /// The call, as `onhook play` printed it
    #[arg(allow_hyphen_values = true)]
    phone_call_id: String,

    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl CallArgs {
    pub(super) fn id(&self) -> PhoneCallId {
        PhoneCallId(self.phone_call_id.clone())
    }
}

impl ServerArgs {
    /// Asks for the password and gets ready.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let trust = match &self.ca_file {
            _ if self.insecure => Trust::Anyone,
            Some(path) => Trust::File(path.clone()),
            None => Trust::Public,
        };
        // Before a password is asked for in vain.
        Client::check_address(&self.url, &trust)?;
        let password = password::ask(&self.user)?;
        Ok(Client::new(&self.url, &self.user, &password, &trust)?)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match error {
            ClientError::NoAddress | ClientError::UserInAddress | ClientError::PlainHttp => Exit::Usage,
            ClientError::Certificate(_) => Exit::Failed,
            ClientError::Unreachable { .. } | ClientError::Status(_) => Exit::Unreachable,
            ClientError::Unauthorised => Exit::Unauthorised,
            ClientError::Reply(_) => Exit::Refused,
        };
        Self::new(exit, error)
    }
}
