//! What a socket is to be: a place to listen at, and the certificates of TLS in files.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use sip::Transport;

/// One place to listen at. Port 0 lets the system choose; [`Udp::listening`](super::Udp::listening) tells what it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport, self.address)
    }
}

/// Why a text names no listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenerError {
    #[error("a SIP listener begins with udp:, tcp: or tls:")]
    NoTransport,
    #[error("after the transport comes an IP address and a port, as in udp:192.0.2.1:5060 or tcp:[::1]:5060")]
    NoAddress,
}

impl FromStr for Listener {
    type Err = ListenerError;

    /// The form of the configuration file: `udp:127.0.0.1:5060`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (transport, address) = text.split_once(':').ok_or(ListenerError::NoTransport)?;
        Ok(Self {
            transport: transport.parse().map_err(|_| ListenerError::NoTransport)?,
            address: address.parse().map_err(|_| ListenerError::NoAddress)?,
        })
    }
}

/// Our certificate for `tls:` listeners, both files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServer {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// How a peer's certificate is verified, and what we show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsClient {
    /// Roots to trust, in PEM. Without it, those of the system.
    pub ca_file: Option<PathBuf>,
    /// The name the certificate must have; else the host of the URI that is called.
    pub server_name: Option<String>,
    /// Certificate and key to show when the peer asks for one, in PEM.
    pub identity: Option<TlsServer>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_prints_as_it_is_configured() {
        for text in ["udp:127.0.0.1:5060", "tcp:[::1]:0", "tls:0.0.0.0:5061"] {
            assert_eq!(text.parse::<Listener>().unwrap().to_string(), text);
        }
        assert_eq!("127.0.0.1:5060".parse::<Listener>(), Err(ListenerError::NoTransport));
        assert_eq!("udp:localhost:5060".parse::<Listener>(), Err(ListenerError::NoAddress));
        assert_eq!("udp:127.0.0.1".parse::<Listener>(), Err(ListenerError::NoAddress));
    }
}
