//! Our own sockets: bound before the room opens, and freed when it closes.
//!
//! The library gets its connections from here, because its own lack a large receive buffer, `TCP_NODELAY` and a
//! limit on their number (see `places`), and bind only after start.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, PoisonError},
};

use rsipstack::{
    platform::net::UdpSocket as LibrarySocket,
    transport::{
        SipConnection,
        udp::{UdpConnection, UdpInner},
    },
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{
    accept::Acceptor,
    listen::{Listen, Listener, Transport},
    peers::Peers,
    tls, wire,
};

/// A burst of answers must fit while the one reader is busy; the kernel may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;
/// The sockets that are open.
pub(super) struct Net {
    listeners: Vec<Listener>,
    external_address: Option<String>,
    /// Our certificate, when there is one.
    pub(super) certificate: Option<Arc<tls::Served>>,
    /// Emptied by [`Net::close`], so that the ports become free.
    udp: std::sync::RwLock<Vec<(SocketAddr, UdpConnection)>>,
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
