//! From a URI to a connection that carries requests there.
//!
//! A dial is shared by all who want the same peer, has a limit, and says at once when it is refused. The library's
//! own does none of the three. No SRV or NAPTR look-ups: a host name is asked for its addresses, and they are tried in
//! the order given.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rsipstack::{
    sip::Host,
    transport::{SipAddr, SipConnection, transport_layer::DomainResolver},
};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    listen::Transport,
    net::Net,
    peers::Peers,
    read::Reader,
    stream::{Stream, tune},
    tls::{self, TlsError, Verifier, Verifiers},
    wire::{self, Destination, WireError},
};

/// How long an address is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);
/// Peers and names in mind at once; more, and those without a live connection are forgotten.
const MANY: usize = 256;

/// Why no request can get there now.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("nothing was reached within {0:?}")]
    TooLate(Duration),
    #[error("{host}: {error}")]
    Name { host: String, error: io::Error },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("the trunk may not send us to {0} (allowed_hosts)")]
    OutOfReach(IpAddr),
    #[error("there is no UDP listener of the address family of {0}")]
    NoListener(SocketAddr),
    #[error("{address}: {error}")]
    Dial { address: SocketAddr, error: io::Error },
    #[error("{address}, called as {name}: {why}")]
    Refused {
        address: SocketAddr,
        name: String,
        why: String,
    },
    #[error("no certificates to verify {0} with")]
    NoVerifier(String),
    #[error("{0} is called over TLS or not at all")]
    InClear(String),
    #[error(transparent)]
    Uri(#[from] WireError),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A peer for connections: one that proved one name says nothing about another.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Peer {
    transport: Transport,
    address: SocketAddr,
    name: Option<ServerName<'static>>,
}

/// The one connection to a peer; whoever holds the lock dials.
type Slot = Arc<tokio::sync::Mutex<Option<SipConnection>>>;

pub(super) struct Connector {
    reader: Reader,
    verifiers: RwLock<Verifiers>,
    closing: CancellationToken,
    limit: Duration,
    slots: Mutex<HashMap<Peer, Slot>>,
    names: Names,
    peers: Arc<Peers>,
}

impl Connector {
    pub(super) fn new(
        reader: Reader,
        verifiers: Verifiers,
        closing: CancellationToken,
        limit: Duration,
        peers: Arc<Peers>,
    ) -> Self {
        Self {
            reader,
            verifiers: RwLock::new(verifiers),
            closing,
            limit,
            slots: Mutex::default(),
            names: Names::default(),
            peers,
        }
    }

    /// A connection and the address that it reaches, one of those that are permitted; look-up, dial and handshake
    /// together stay within the limit.
    pub(super) async fn connect(
        &self,
        net: &Net,
        destination: &Destination,
        permits: impl Fn(IpAddr) -> bool,
    ) -> Result<(SipConnection, SocketAddr), ConnectError> {
        timeout(self.limit, self.connect_in_time(net, destination, permits))
            .await
            .unwrap_or(Err(ConnectError::TooLate(self.limit)))
    }

    /// The addresses of a host, none when there are none.
    pub(super) async fn addresses(&self, destination: &Destination) -> Vec<SocketAddr> {
        match timeout(self.limit, self.resolve(destination)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    async fn resolve(&self, destination: &Destination) -> Result<Vec<SocketAddr>, ConnectError> {
        let (host, port) = (&destination.host, destination.port);
        let addresses = self.names.resolve(host, port).await?;
        self.peers.found(host, addresses.iter().map(SocketAddr::ip));
        Ok(addresses)
    }

    async fn connect_in_time(
        &self,
        net: &Net,
        destination: &Destination,
        permits: impl Fn(IpAddr) -> bool,
    ) -> Result<(SipConnection, SocketAddr), ConnectError> {
        let mut failure = ConnectError::NoAddress(destination.host.clone());
        for address in self.resolve(destination).await? {
            if !permits(address.ip()) {
                failure = ConnectError::OutOfReach(address.ip());
                continue;
            }
            let found = match destination.transport {
                Transport::Udp => net.udp_towards(address.ip()).ok_or(ConnectError::NoListener(address)),
                Transport::Tcp | Transport::Tls => self.stream(destination, address).await,
            };
            match found {
                Ok(connection) => return Ok((connection, address)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Connections from now on are verified by these.
    pub(super) fn set_verifiers(&self, verifiers: Verifiers) {
        *self.verifiers.write().unwrap_or_else(PoisonError::into_inner) = verifiers;
    }

    fn verifier(&self, host: &str) -> Option<Verifier> {
        let verifiers = self.verifiers.read().unwrap_or_else(PoisonError::into_inner);
        verifiers.towards(host).cloned()
    }

    async fn stream(&self, destination: &Destination, address: SocketAddr) -> Result<SipConnection, ConnectError> {
        let verifier = match destination.transport {
            Transport::Tls => Some(
                self.verifier(&destination.host)
                    .ok_or_else(|| ConnectError::NoVerifier(destination.host.clone()))?,
            ),
            Transport::Udp | Transport::Tcp => None,
        };
        let peer = Peer {
            transport: destination.transport,
            address,
            name: verifier
                .as_ref()
                .map(|verifier| verifier.name(&destination.host))
                .transpose()?,
        };
        let slot = self.slot(peer.clone());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| is_live(connection)) {
            return Ok(connection.clone());
        }
        let stream = self
            .dial(&peer, verifier)
            .await
            .map_err(|error| match (&peer.name, tls::refused(&error)) {
                (Some(name), Some(why)) => ConnectError::Refused {
                    address,
                    name: name.to_str().into_owned(),
                    why,
                },
                _ => ConnectError::Dial { address, error },
            })?;
        let connection = self.reader.stream(stream, None);
        *slot = Some(connection.clone());
        Ok(connection)
    }

    fn slot(&self, peer: Peer) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MANY && !slots.contains_key(&peer) {
            slots.retain(|_, slot| match slot.try_lock() {
                Ok(connection) => connection.as_ref().is_some_and(is_live),
                Err(_) => true, // somebody is dialling
            });
        }
        slots.entry(peer).or_default().clone()
    }

    async fn dial(&self, peer: &Peer, verifier: Option<Verifier>) -> io::Result<Stream> {
        let stream = TcpStream::connect(peer.address).await?;
        tune(&stream)?;
        let token = self.closing.child_token();
        match (verifier, &peer.name) {
            (Some(verifier), Some(name)) => {
                let stream = verifier.handshake(name.clone(), stream).await?;
                Stream::secure(stream.into(), token).await
            }
            _ => Stream::in_clear(stream, token).await,
        }
    }
}

/// A connection's token is cancelled when its reader has ended, and by the library when a write has failed.
fn is_live(connection: &SipConnection) -> bool {
    connection.cancel_token().is_some_and(|token| !token.is_cancelled())
}

/// Addresses of host names, remembered for a short time.
#[derive(Default)]
struct Names(Mutex<Known>);

/// What was found, and when.
type Known = HashMap<(String, u16), (Vec<SocketAddr>, Instant)>;

impl Names {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let name = (host.to_ascii_lowercase(), port);
        if let Some((addresses, at)) = self.lock().get(&name)
            && at.elapsed() < REMEMBERED
        {
            return Ok(addresses.clone());
        }
        let found: Vec<_> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| ConnectError::Name {
                host: host.to_owned(),
                error,
            })?
            .collect();
        let mut names = self.lock();
        if names.len() >= MANY {
            names.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        }
        if names.len() < MANY {
            names.insert(name, (found.clone(), Instant::now()));
        }
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the few places where the library itself has to resolve a host: a Via with a name and no `received`.
pub(super) struct Resolver;

#[async_trait::async_trait]
impl DomainResolver for Resolver {
    async fn resolve(&self, target: &SipAddr) -> Result<SipAddr, rsipstack::Error> {
        let unknown = || rsipstack::Error::DnsResolutionError(target.addr.to_string());
        let Host::Domain(domain) = &target.addr.host else {
            return Ok(target.clone());
        };
        let transport = target.r#type.and_then(wire::transport).unwrap_or(Transport::Udp);
        let port = target.addr.port.map_or(transport.default_port(), |port| port.value());
        let address = tokio::net::lookup_host((domain.0.as_str(), port))
            .await?
            .next()
            .ok_or_else(unknown)?;
        Ok(wire::sip_addr(transport, address))
    }
}
