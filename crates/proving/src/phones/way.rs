//! What phones speak over, where they say that they are, and which way a message takes.

use std::{fmt, net::SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Transport {
    #[must_use]
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }

    const fn sent_protocol(self) -> &'static str {
        match self {
            Self::Udp => "SIP/2.0/UDP",
            Self::Tcp => "SIP/2.0/TCP",
            Self::Tls => "SIP/2.0/TLS",
        }
    }

    /// `address` as a SIP URI, of `user` if there is one.
    #[must_use]
    pub fn uri(self, user: Option<&str>, address: SocketAddr) -> String {
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        match self {
            Self::Udp => format!("sip:{user}{address}"),
            stream => format!("sip:{user}{address};transport={stream}"),
        }
    }
}

/// As in `transport=` and in a listener's name.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Where a phone says that it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
}

impl Home {
    pub(super) fn contact(self, number: &str) -> String {
        self.transport.uri(Some(number), self.address)
    }

    pub(super) fn via(self) -> String {
        format!("{} {}", self.transport.sent_protocol(), self.address)
    }
}

/// Which way a message came, and its answer goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Datagrams(SocketAddr),
    Connection(u64),
}
