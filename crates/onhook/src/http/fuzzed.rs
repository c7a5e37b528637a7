//! For fuzzing: the readers of this room that strangers reach, by themselves. Nothing else uses them from here.

use std::net::IpAddr;

use axum::http::HeaderMap;
use dial::Network;

use super::forwarded;
use super::framing::Framing;

/// Where the requests of a connection begin and end, as the door sees it.
#[derive(Debug, Default)]
pub struct Requests(Framing);

impl Requests {
    /// Takes the next bytes of the connection.
    ///
    /// # Errors
    /// When a head among them is refused: how many bytes before that are not.
    pub fn see(&mut self, bytes: &[u8]) -> Result<(), usize> {
        self.0.see(bytes).map_err(|(_, at)| at)
    }

    /// Heads that were seen whole.
    pub fn heads(&self) -> u64 {
        self.0.heads()
    }

    /// Whether all that was seen are whole requests.
    pub fn is_between(&self) -> bool {
        self.0.is_between()
    }

    /// Whether the end of a body is in doubt; no request is taken behind it.
    pub fn is_lost(&self) -> bool {
        self.0.is_lost()
    }
}

/// Whom a request comes from, by its headers and whom it was handed on by.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    forwarded::client(peer, headers, trusted)
}
