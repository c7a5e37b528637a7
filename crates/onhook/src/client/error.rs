//! Why a server did not do what it was asked.

use std::io;
use std::path::PathBuf;

use ews::ReplyError;
use thiserror::Error;

/// Why a server did not do what it was asked, or could not be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate (BEGIN CERTIFICATE)", .0.display())]
    NoCertificate(PathBuf),
    #[error("cannot reach {url}: {source}")]
    Unreachable { url: String, source: Box<ureq::Error> },
    #[error("the server does not know this user and password")]
    Unauthorised,
    #[error("the server answered with HTTP status {0}: is the address that of an EWS endpoint (/EWS/Exchange.asmx)?")]
    Status(u16),
    /// Told by EWS: refused, not understood, or an answer that is none.
    #[error(transparent)]
    Reply(#[from] ReplyError),
}
