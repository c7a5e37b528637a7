//! RTP ports: an even one for RTP, the next for RTCP (RFC 3550 §11), from a bounded range, given back on drop.
//!
//! What comes to a port costs no more than is read of it: until somebody takes a receiver a socket has room for a few packets
//! only, and once the pacer knows its listener for fewer still.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::NoFiles;

/// Where a [`PortPool`] takes its ports from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPoolOptions {
    /// The local address to bind.
    pub address: IpAddr,
    /// Ports to choose from, RTCP ports included; `None` lets the system choose.
    pub range: Option<RangeInclusive<u16>>,
    /// Calls that share one pair. 1 is right for any peer; see `docs/decisions/` on RTP pacing.
    pub calls_per_port: usize,
}

impl Default for PortPoolOptions {
    /// Loopback, ports by the system, a pair a call.
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            range: None,
            calls_per_port: 1,
        }
    }
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error("all RTP ports from {} to {} are in use", range.start(), range.end())]
    Exhausted { range: RangeInclusive<u16> },
    #[error("no RTP port can be opened: {0}")]
    NoFiles(NoFiles),
    #[error("no RTP port could be bound at {address}")]
    Bind {
        address: IpAddr,
        #[source]
        source: io::Error,
    },
}

/// Leases port pairs. Cloning shares the pool.
#[derive(Clone, Debug)]
pub struct PortPool {
    options: Arc<PortPoolOptions>,
    leased: Arc<Mutex<Leased>>,
}

#[derive(Debug, Default)]
struct Leased {
    rtp_ports: HashSet<u16>,
    /// The pair to try next: ports are reused as late as possible, so that stray packets of an old call do not meet a new one.
    next: u32,
    /// The newest pair; when calls share, the next may join it.
    newest: Weak<Pair>,
}

/// One call's claim on a port pair, however often cloned; the pair is closed when its last claim is dropped.
#[derive(Clone, Debug)]
pub struct RtpPort {
    claim: Arc<Claim>,
}

#[derive(Debug)]
struct Claim {
    pair: Arc<Pair>,
}

#[derive(Debug)]
struct Pair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    rtp_address: SocketAddr,
    shared: bool,
    leased: Weak<Mutex<Leased>>,
}

/// A socket's buffer while nobody has a receiver; Linux doubles it, and counts some 800 bytes for a packet of 20 ms: ten packets,
/// in which a listener can show itself.
const UNREAD_BUFFER: usize = 4096;
/// With a receiver: Linux's default, seconds of sound.
const READ_BUFFER: usize = 106_496;
/// More datagrams than [`UNREAD_BUFFER`] has room for.
const UNREAD_DATAGRAMS: usize = 64;

/// How often the system is asked for a port before its choice of even neighbours counts as exhausted.
const EPHEMERAL_ATTEMPTS: usize = 64;

impl PortPool {
    pub fn new(options: PortPoolOptions) -> Self {
        Self {
            options: Arc::new(options),
            leased: Arc::default(),
        }
    }

    /// Binds a pair, or joins one that has room. Two system calls, no waiting.
    pub fn lease(&self) -> Result<RtpPort, PortError> {
        // Declared before the lock and so dropped after it: dropping the last hold on a pair takes the lock.
        let newest;
        let mut leased = lock(&self.leased);
        newest = leased.newest.upgrade();
        if let Some(pair) = &newest {
            let claims = Arc::strong_count(pair) - 1;
            if claims < self.options.calls_per_port {
                return Ok(RtpPort {
                    claim: Arc::new(Claim { pair: Arc::clone(pair) }),
                });
            }
        }
        let (rtp, rtcp) = match &self.options.range {
            None => self.bind_ephemeral()?,
            Some(range) => self.bind_in_range(range, &mut leased)?,
        };
        let pair = self.pair(rtp, rtcp).map_err(|source| self.bind_error(source))?;
        leased.rtp_ports.insert(pair.rtp_address.port());
        leased.newest = Arc::downgrade(&pair);
        Ok(RtpPort {
            claim: Arc::new(Claim { pair }),
        })
    }

    /// Port pairs in use.
    pub fn in_use(&self) -> usize {
        lock(&self.leased).rtp_ports.len()
    }

    fn pair(&self, rtp: UdpSocket, rtcp: UdpSocket) -> io::Result<Arc<Pair>> {
        for socket in [&rtp, &rtcp] {
            socket.set_nonblocking(true)?;
            SockRef::from(socket).set_recv_buffer_size(UNREAD_BUFFER)?;
        }
        let rtp_address = rtp.local_addr()?;
        let shared = self.options.calls_per_port > 1;
        Ok(Arc::new(Pair {
            rtp,
            rtcp,
            rtp_address,
            shared,
            leased: Arc::downgrade(&self.leased),
        }))
    }

    fn bind_in_range(
        &self,
        range: &RangeInclusive<u16>,
        leased: &mut Leased,
    ) -> Result<(UdpSocket, UdpSocket), PortError> {
        let (start, end) = (u32::from(*range.start()), u32::from(*range.end()));
        let first = start.next_multiple_of(2);
        let pairs = (end + 1).saturating_sub(first) / 2;
        for _ in 0..pairs {
            let rtp_port = (first + leased.next % pairs * 2) as u16;
            leased.next = (leased.next + 1) % pairs;
            if leased.rtp_ports.contains(&rtp_port) {
                continue;
            }
            match self.bind(rtp_port) {
                Ok(pair) => return Ok(pair),
                // Someone else on this machine may hold it: then the next. Without files there is no next.
                Err(error) => {
                    if let Some(why) = NoFiles::of(&error) {
                        return Err(PortError::NoFiles(why));
                    }
                }
            }
        }
        Err(PortError::Exhausted { range: range.clone() })
    }

    fn bind_ephemeral(&self) -> Result<(UdpSocket, UdpSocket), PortError> {
        let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..EPHEMERAL_ATTEMPTS {
            let chosen = udp(self.options.address, 0).map_err(|source| self.bind_error(source))?;
            let port = chosen.local_addr().map_err(|source| self.bind_error(source))?.port();
            let neighbour = udp(self.options.address, port ^ 1);
            match neighbour {
                Ok(neighbour) if port % 2 == 0 => return Ok((chosen, neighbour)),
                Ok(neighbour) => return Ok((neighbour, chosen)),
                Err(error) if NoFiles::of(&error).is_some() => return Err(self.bind_error(error)),
                Err(error) => refused = error,
            }
        }
        Err(self.bind_error(refused))
    }

    fn bind(&self, rtp_port: u16) -> io::Result<(UdpSocket, UdpSocket)> {
        let rtp = udp(self.options.address, rtp_port)?;
        let rtcp = udp(self.options.address, rtp_port + 1)?;
        Ok((rtp, rtcp))
    }

    fn bind_error(&self, source: io::Error) -> PortError {
        match NoFiles::of(&source) {
            Some(why) => PortError::NoFiles(why),
            None => PortError::Bind {
                address: self.options.address,
                source,
            },
        }
    }
}

impl RtpPort {
    /// Where RTP is sent from and received at; RTCP is on the next port.
    pub fn address(&self) -> SocketAddr {
        self.claim.pair.rtp_address
    }

    /// A second handle on the RTP socket, for receiving; inside a tokio runtime. It does not keep the claim: hold the
    /// `RtpPort` beside it.
    pub fn rtp_receiver(&self) -> io::Result<tokio::net::UdpSocket> {
        receiver(self.rtp())
    }

    /// The same for RTCP.
    pub fn rtcp_receiver(&self) -> io::Result<tokio::net::UdpSocket> {
        receiver(self.rtcp())
    }

    pub(crate) fn rtp(&self) -> &UdpSocket {
        &self.claim.pair.rtp
    }

    pub(crate) fn rtcp(&self) -> &UdpSocket {
        &self.claim.pair.rtcp
    }

    /// Nobody reads from now on: what has come is thrown away, and of what still comes the kernel keeps a few packets. A socket filter would drop
    /// them all, and takes 3 KiB of the kernel's memory for each port (docs/performance.md).
    pub(crate) fn stop_listening(&self) {
        self.has_room_for(0);
        self.throw_away();
    }

    /// What comes from now on is read again.
    pub(crate) fn listen(&self) {
        self.throw_away();
        self.has_room_for(UNREAD_BUFFER);
    }

    fn has_room_for(&self, bytes: usize) {
        for socket in [self.rtp(), self.rtcp()] {
            if let Err(error) = SockRef::from(socket).set_recv_buffer_size(bytes) {
                tracing::debug!(%error, "the buffer of an RTP port stays as it is");
            }
        }
    }

    fn throw_away(&self) {
        for socket in [self.rtp(), self.rtcp()] {
            for _ in 0..UNREAD_DATAGRAMS {
                if socket.recv(&mut [0]).is_err() {
                    break;
                }
            }
        }
    }

    /// May other calls send from here too?
    pub(crate) fn is_shared(&self) -> bool {
        self.claim.pair.shared
    }
}

/// A socket of one family: the same port of the other may be somebody else's, a pool of ours among them.
fn udp(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn receiver(socket: &UdpSocket) -> io::Result<tokio::net::UdpSocket> {
    SockRef::from(socket).set_recv_buffer_size(READ_BUFFER)?;
    tokio::net::UdpSocket::from_std(socket.try_clone()?)
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Some(leased) = self.leased.upgrade() {
            lock(&leased).rtp_ports.remove(&self.rtp_address.port());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(range: Option<RangeInclusive<u16>>, calls_per_port: usize) -> PortPool {
        PortPool::new(PortPoolOptions {
            range,
            calls_per_port,
            ..PortPoolOptions::default()
        })
    }

    #[test]
    fn ports_are_even_and_rtcp_is_beside() {
        let pool = pool(None, 1);
        let ports: Vec<RtpPort> = (0..20).map(|_| pool.lease().unwrap()).collect();
        for port in &ports {
            assert_eq!(port.address().port() % 2, 0);
            assert_eq!(port.rtcp().local_addr().unwrap().port(), port.address().port() + 1);
        }
        assert_eq!(pool.in_use(), 20);
    }

    #[test]
    fn a_range_is_used_up_and_given_back() {
        // Ports the system just gave out and took back are free, or the test picks others.
        let (range, pool) = (0..50)
            .find_map(|_| {
                let first = pool(None, 1).lease().unwrap().address().port();
                let range = first..=first.checked_add(5)?;
                let pool = pool(Some(range.clone()), 1);
                let leases: Vec<_> = (0..3).map_while(|_| pool.lease().ok()).collect();
                (leases.len() == 3).then_some((range, pool))
            })
            .unwrap();
        assert_eq!(pool.in_use(), 0, "the leases above were dropped");
        let leases: Vec<RtpPort> = (0..3).map(|_| pool.lease().unwrap()).collect();
        assert!(leases.iter().all(|port| range.contains(&port.address().port())));
        assert!(matches!(pool.lease(), Err(PortError::Exhausted { .. })));
        let clone = leases[1].clone();
        drop(leases);
        assert_eq!(pool.in_use(), 1, "a clone keeps the claim");
        drop(clone);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn a_port_of_ipv4_and_the_same_of_ipv6_are_two() {
        let both = (0..50).find_map(|_| {
            let first = pool(None, 1).lease().unwrap().address().port();
            let of = |address: &str| {
                let pool = PortPool::new(PortPoolOptions {
                    address: address.parse().unwrap(),
                    range: Some(first..=first + 1),
                    calls_per_port: 1,
                });
                // Another process may have taken it since.
                pool.lease().ok()
            };
            let four = of("0.0.0.0")?;
            Some((four, of("::")))
        });
        let (four, six) = both.unwrap();
        assert_eq!(six.map(|six| six.address().port()), Some(four.address().port()));
    }

    #[test]
    fn the_last_ports_of_all_are_no_overflow() {
        assert!(pool(Some(65_535..=65_535), 1).lease().is_err());
        let _ = pool(Some(65_534..=65_535), 1).lease();
    }

    #[test]
    fn calls_share_a_pair_when_told_to() {
        let pool = pool(None, 3);
        let ports: Vec<RtpPort> = (0..7).map(|_| pool.lease().unwrap()).collect();
        assert_eq!(pool.in_use(), 3);
        assert_eq!(ports[0].address(), ports[2].address());
        assert_ne!(ports[2].address(), ports[3].address());
        drop(ports);
        assert_eq!(pool.in_use(), 0);
    }
}
