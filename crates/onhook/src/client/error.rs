//! Why a server did not do what it was asked.

use ews::ReplyError;
use thiserror::Error;

use crate::pem::PemError;

/// Why a server did not do what it was asked, or could not be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    #[error(transparent)]
    Certificate(#[from] PemError),
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
