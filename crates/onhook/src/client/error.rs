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
    #[error("this is no address: it begins with https://")]
    NoAddress,
    #[error("an address holds no user and no password: --user says who asks, and the password is asked for")]
    UserInAddress,
    #[error(
        "a password is not sent over plain http://, but to this machine: everybody on the way could read it. Use the https:// address; \
         --insecure sends it all the same"
    )]
    PlainHttp,
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
