//! The addresses of the other side.

use std::net::SocketAddr;

/// Where the other side hears us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    pub rtp: SocketAddr,
    /// Usually the next port (see [`Remote::new`]), unless `a=rtcp` says otherwise (RFC 3605).
    pub rtcp: SocketAddr,
}

impl Remote {
    /// RTCP on the port after RTP's.
    pub fn new(rtp: SocketAddr) -> Self {
        Self {
            rtp,
            rtcp: SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1)),
        }
    }
}
