//! Our own sockets: bound before the room opens, and freed when it closes.
//!
//! The library gets its connections from here, because its own lack a large receive buffer, `TCP_NODELAY` and a
//! limit on their number, and bind only after start.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rsipstack::{
    platform::net::UdpSocket as LibrarySocket,
    transport::{
        SipConnection,
        udp::{UdpConnection, UdpInner},
    },
};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{
    listen::{Listen, Listener, Transport},
    peers::Peers,
    read::Reader,
    stream::Stream,
    tls, wire,
};

/// A burst of answers must fit while the one reader is busy; the kernel may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;
/// Connections that peers have opened to us, handshakes among them.
const STREAMS: usize = 1024;
/// Of these, connections of one address: a peer needs one or two.
const STREAMS_OF_ONE: usize = 64;
/// The kernel ends a connection on which nothing we wrote was taken for so long.
const STALLED: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(4);

/// The sockets that are open.
pub(super) struct Net {
    listeners: Vec<Listener>,
    external_address: Option<String>,
    /// Our certificate, when there is one.
    pub(super) certificate: Option<Arc<tls::Served>>,
    /// Emptied by [`Net::close`], so that the ports become free.
    udp: std::sync::RwLock<Vec<(SocketAddr, UdpConnection)>>,
}

/// A bound stream listener that waits for its accept loop.
pub(super) struct Acceptor {
    listener: TcpListener,
    tls: Option<Arc<tls::Served>>,
    peers: Arc<Peers>,
}

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{listener} cannot be opened: {error}")]
    Socket { listener: Listener, error: io::Error },
    #[error("{0} needs a certificate and a key")]
    NoCertificate(Listener),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

impl Net {
    /// Binds every listener or none.
    pub(super) async fn bind(
        listen: &Listen,
        peers: &Arc<Peers>,
        tracker: &TaskTracker,
        closing: &CancellationToken,
    ) -> Result<(Self, Vec<Acceptor>), BindError> {
        let certificate = listen.tls.as_ref().map(tls::Served::load).transpose()?.map(Arc::new);
        let (mut listeners, mut udp, mut acceptors) = (Vec::new(), Vec::new(), Vec::new());
        for &listener in &listen.listeners {
            let failed = |error| BindError::Socket { listener, error };
            let address = match listener.transport {
                Transport::Udp => {
                    let socket = bind_udp(listener.address).map_err(failed)?;
                    let address = socket.local_addr().map_err(failed)?;
                    let inner = UdpInner {
                        conn: Arc::new(OpenUdp {
                            socket,
                            peers: peers.clone(),
                            _open: tracker.token(),
                        }),
                        addr: wire::sip_addr(Transport::Udp, address),
                    };
                    let connection = UdpConnection::attach(inner, None, Some(closing.child_token())).await;
                    udp.push((address, connection));
                    address
                }
                Transport::Tcp | Transport::Tls => {
                    let tls = match (listener.transport, &certificate) {
                        (Transport::Tls, Some(certificate)) => Some(certificate.clone()),
                        (Transport::Tls, None) => return Err(BindError::NoCertificate(listener)),
                        _ => None,
                    };
                    let bound = bind_tcp(listener.address).map_err(failed)?;
                    let address = bound.local_addr().map_err(failed)?;
                    acceptors.push(Acceptor {
                        listener: bound,
                        tls,
                        peers: peers.clone(),
                    });
                    address
                }
            };
            listeners.push(Listener {
                transport: listener.transport,
                address,
            });
        }
        let net = Self {
            listeners,
            external_address: listen.external_address.clone(),
            certificate,
            udp: std::sync::RwLock::new(udp),
        };
        Ok((net, acceptors))
    }

    pub(super) fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The UDP sockets, to be read.
    pub(super) fn udp(&self) -> Vec<UdpConnection> {
        read(&self.udp)
            .iter()
            .map(|(_, connection)| connection.clone())
            .collect()
    }

    /// The UDP socket that reaches `peer`.
    pub(super) fn udp_towards(&self, peer: IpAddr) -> Option<SipConnection> {
        read(&self.udp)
            .iter()
            .find(|(address, _)| address.is_ipv4() == peer.is_ipv4())
            .map(|(_, connection)| SipConnection::Udp(connection.clone()))
    }

    /// Host and port to give to `peer` for what it sends us by `transport`. `None` when there is no such place.
    ///
    /// Without a `tls:` listener the port is left out: such a peer has to send down the connection that we opened
    /// (RFC 5923), which registrars and SBCs do.
    pub(super) fn sent_by(&self, transport: Transport, peer: Option<IpAddr>) -> Option<String> {
        let of_family = |listener: &&Listener| peer.is_none_or(|peer| listener.address.is_ipv4() == peer.is_ipv4());
        let own = self
            .listeners
            .iter()
            .filter(|listener| listener.transport == transport)
            .find(of_family);
        let (address, port) = match own {
            Some(listener) => (listener.address.ip(), Some(listener.address.port())),
            None if transport == Transport::Tls => (self.listeners.iter().find(of_family)?.address.ip(), None),
            None => return None,
        };
        let host = match &self.external_address {
            Some(external) => external.clone(),
            None if address.is_unspecified() => source_towards(peer?)?.to_string(),
            None => address.to_string(),
        };
        let host = if host.parse::<Ipv6Addr>().is_ok() {
            format!("[{host}]")
        } else {
            host
        };
        Some(match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        })
    }

    /// Lets go of the UDP sockets.
    pub(super) fn close(&self) {
        self.udp.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn read<T>(lock: &std::sync::RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// The address that the system would speak from; nothing is sent.
fn source_towards(peer: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((peer, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// A UDP socket that counts as open until the last transaction has let go of it.
struct OpenUdp {
    socket: UdpSocket,
    peers: Arc<Peers>,
    _open: TaskTrackerToken,
}

#[async_trait::async_trait]
impl LibrarySocket for OpenUdp {
    /// The next datagram of somebody we deal with; the others are gone before anybody parses them.
    async fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr), rsipstack::Error> {
        // What was read before is matched first; see `read`.
        tokio::task::yield_now().await;
        loop {
            let (length, from) = self.socket.recv_from(buf).await?;
            if self.peers.admits_datagram(&buf[..length], buf.len(), from.ip()) {
                return Ok((length, from));
            }
        }
    }

    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> Result<usize, rsipstack::Error> {
        Ok(self.socket.send_to(buf, addr).await?)
    }

    fn local_addr(&self) -> Result<SocketAddr, rsipstack::Error> {
        Ok(self.socket.local_addr()?)
    }
}

fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // An IPv4 listener may stand beside it on the same port.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // Connections of the last run that linger in TIME_WAIT do not keep us from listening.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

/// An ACK must not wait for the answer to what was written before it, and a stuck peer must not hold a writer for ever.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(STALLED))
}

/// How many connections each address has opened. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place, given back when it is dropped.
pub(super) struct Place {
    places: Places,
    host: IpAddr,
}

impl Places {
    fn take(&self, host: IpAddr) -> Option<Place> {
        let host = host.to_canonical();
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let of_one = open.get(&host).copied().unwrap_or_default();
        (all < STREAMS && of_one < STREAMS_OF_ONE).then(|| {
            open.insert(host, of_one + 1);
            Place {
                places: self.clone(),
                host,
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.lock();
        if let Some(count) = open.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.host);
            }
        }
    }
}

impl Acceptor {
    /// Takes connections until `closing`, and has each that is ready read.
    pub(super) async fn run(self, closing: CancellationToken, tracker: TaskTracker, reader: Reader, places: Places) {
        while let Some(accepted) = closing.run_until_cancelled(self.listener.accept()).await {
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, mostly: a moment lets others close, and the backlog waits.
                    tracing::warn!(%error, "a SIP connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if !self.peers.admits(peer.ip()) {
                continue;
            }
            let Some(place) = places.take(peer.ip()) else {
                self.peers.turn_away("a connection too many", peer.ip());
                continue;
            };
            let tls = self
                .tls
                .as_ref()
                .map(|certificate| TlsAcceptor::from(certificate.now()));
            let (reader, token) = (reader.clone(), closing.child_token());
            tracker.spawn(async move {
                let admitted = token.run_until_cancelled(admit(stream, tls, token.clone())).await;
                match admitted {
                    Some(Ok(stream)) => drop(reader.stream(stream, Some(place))),
                    Some(Err(error)) => tracing::debug!(%peer, %error, "a SIP connection was not completed"),
                    None => {}
                }
            });
        }
    }
}

async fn admit(stream: TcpStream, tls: Option<TlsAcceptor>, token: CancellationToken) -> io::Result<Stream> {
    tune(&stream)?;
    match tls {
        Some(acceptor) => {
            let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await??;
            Stream::secure(stream.into(), token).await
        }
        None => Stream::in_clear(stream, token).await,
    }
}
