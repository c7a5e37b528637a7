//! Datagrams in and out, and the one place where the thread that owns all calls waits.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};
use sip::{Path, Transport};

#[cfg(target_os = "linux")]
use super::refused::{self, CameBack};
use super::{
    LONGEST_MESSAGE,
    bind::{self, BindError},
    listener::Listener,
};

/// How many datagrams of one socket are handed over before it is the turn of the next.
const OF_ONE_SOCKET: usize = 32;
/// Refusals that wait to be told; more are forgotten, and the timers of who was refused end it.
const REFUSALS: usize = 1024;
/// How often a datagram is sent while the socket fails of others that came back.
const SENDINGS: usize = 4;
/// Before a socket that failed by itself is read again.
const READ_AGAIN: Duration = Duration::from_millis(10);
/// A byte more than any message has: what fills it is too long.
const ROOM: usize = LONGEST_MESSAGE + 1;
/// Events of one wait; more come with the next.
const EVENTS: usize = 64;

const WOKEN: Token = Token(usize::MAX);

/// All UDP listeners.
pub struct Udp {
    poll: Poll,
    events: Events,
    wake: Wake,
    sockets: Vec<Socket>,
    /// Which socket is read first in the next turn.
    first: usize,
    refused: VecDeque<(Path, Vec<u8>)>,
    buffer: Box<[u8; ROOM]>,
}

struct Socket {
    socket: UdpSocket,
    local: SocketAddr,
    /// The system tells only once that something has come, so it is remembered until nothing is left.
    is_readable: bool,
    /// Something may stand in its error queue.
    has_refusals: bool,
    /// Reading failed by itself; see [`READ_AGAIN`].
    is_failing: bool,
}

/// Gets the owner of a [`Udp`] out of [`Udp::wait`], or keeps it from waiting next time. From any thread.
#[derive(Clone)]
pub struct Wake(Arc<Woken>);

struct Woken {
    waker: Waker,
    /// Whether it was woken since it last came out of its wait: who wakes it a second time has nothing to do.
    is_woken: AtomicBool,
}

/// What comes back from the network.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival<'b> {
    /// One datagram, whole.
    Datagram(&'b [u8]),
    /// A datagram with more than [`LONGEST_MESSAGE`] bytes. The rest of it is gone.
    TooLong,
    /// What was sent this way came back: nobody listens there, or no way leads there (ICMP). Anybody at all can say so, from
    /// anywhere, and of one datagram it is true only for the moment; so here is what was quoted of it from its first byte on: some 500
    /// bytes as a rule, none where a router quotes no more than it must. Only who has seen it can quote what nobody guesses.
    Refused(&'b [u8]),
}

/// Why something did not leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    #[error("nothing is sent from {0}: there is no such UDP listener")]
    NoListener(SocketAddr),
    #[error("{0}: there is no such connection")]
    NoConnection(Path),
    /// A repeated datagram finds room. A connection ends by this.
    #[error("no room to send in")]
    Full,
    #[error(transparent)]
    Socket(io::Error),
}

impl Wake {
    pub fn wake(&self) {
        if self.0.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.0.waker.wake() {
            tracing::error!(%error, "the owner of the calls could not be woken");
        }
    }
}

impl Udp {
    /// Datagrams and refusals that one [`receive`](Self::receive) hands over at most: then it is the turn of everything else.
    pub const A_TURN: usize = 256;

    /// Binds the UDP listeners among `listeners`, all or none; the others are passed over.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn bind(listeners: &[Listener]) -> Result<(Self, Wake), BindError> {
        let poll = Poll::new().map_err(BindError::Poll)?;
        let waker = Waker::new(poll.registry(), WOKEN).map_err(BindError::Poll)?;
        let wake = Wake(Arc::new(Woken {
            waker,
            is_woken: AtomicBool::new(false),
        }));
        let mut sockets = Vec::new();
        for &listener in listeners.iter().filter(|listener| !listener.transport.is_stream()) {
            let socket = Socket::bind(listener.address, &poll, Token(sockets.len()));
            sockets.push(socket.map_err(|error| BindError::new(listener, error))?);
        }
        let udp = Self {
            poll,
            events: Events::with_capacity(EVENTS),
            wake: wake.clone(),
            sockets,
            first: 0,
            refused: VecDeque::new(),
            buffer: Box::new([0; ROOM]),
        };
        Ok((udp, wake))
    }

    /// Where it listens, with the ports that the system chose, in the order they were asked for.
    #[must_use]
    pub fn listening(&self) -> Vec<Listener> {
        let listener = |socket: &Socket| Listener {
            transport: Transport::Udp,
            address: socket.local,
        };
        self.sockets.iter().map(listener).collect()
    }

    /// Returns when something can be read, when somebody wakes it, or at `until`; sometimes earlier. Without `until` it may
    /// wait for ever.
    pub fn wait(&mut self, until: Option<Instant>) {
        let has_work = !self.refused.is_empty()
            || self.wake.0.is_woken.load(Ordering::Acquire)
            || self.sockets.iter().any(Socket::has_work);
        let timeout = if has_work {
            Some(Duration::ZERO)
        } else {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let again = self
                .sockets
                .iter()
                .any(|socket| socket.is_failing)
                .then_some(READ_AGAIN);
            left.into_iter().chain(again).min()
        };
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {
                for event in &self.events {
                    if let Some(socket) = self.sockets.get_mut(event.token().0) {
                        socket.is_readable = true;
                        socket.has_refusals |= event.is_error();
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => tracing::error!(%error, "sockets could not be waited for"),
        }
        for socket in &mut self.sockets {
            socket.is_readable |= std::mem::take(&mut socket.is_failing);
        }
        // From here on who has something new wakes anew; what was there before is looked at after this.
        self.wake.0.is_woken.swap(false, Ordering::AcqRel);
    }

    /// Hands over what has come, with the way it took: `local` is the listener's own address, which
    /// [`send`](Self::send) sends from. At most [`Self::A_TURN`] at a time, a few of each socket in turn; what is left keeps the
    /// next [`wait`](Self::wait) from waiting.
    pub fn receive(&mut self, take: &mut dyn FnMut(Path, Arrival<'_>)) {
        let mut left = Self::A_TURN;
        while left > 0
            && let Some((path, quoted)) = self.refused.pop_front()
        {
            take(path, Arrival::Refused(&quoted));
            left -= 1;
        }
        let count = self.sockets.len();
        while left > 0 && self.sockets.iter().any(Socket::has_work) {
            for turn in 0..count {
                let socket = &mut self.sockets[(self.first + turn) % count];
                let share = left.min(OF_ONE_SOCKET);
                left -= socket.receive(share, self.buffer.as_mut_slice(), take);
            }
        }
        self.first = (self.first + 1) % count.max(1);
    }

    /// Sends one datagram from `path.local`. Never waits.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing has left then.
    pub fn send(&mut self, path: &Path, bytes: &[u8]) -> Result<(), SendError> {
        let socket = self.sockets.iter_mut().find(|socket| socket.local == path.local);
        let socket = socket.ok_or(SendError::NoListener(path.local))?;
        let mut sent = socket.socket.send_to(bytes, path.remote);
        for _ in 1..SENDINGS {
            // A socket fails of what came back before, whatever is sent now.
            if sent.is_ok() || !socket.take_refusals(&mut self.refused, self.buffer.as_mut_slice()) {
                break;
            }
            sent = socket.socket.send_to(bytes, path.remote);
        }
        match sent {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Err(SendError::Full),
            Err(error) => Err(SendError::Socket(error)),
        }
    }
}

impl Socket {
    fn bind(address: SocketAddr, poll: &Poll, token: Token) -> io::Result<Self> {
        let socket = bind::udp(address)?;
        #[cfg(target_os = "linux")]
        refused::listen(&socket, address.is_ipv4())?;
        let local = socket.local_addr()?;
        let mut socket = UdpSocket::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE)?;
        Ok(Self {
            socket,
            local,
            is_readable: true,
            has_refusals: false,
            is_failing: false,
        })
    }

    fn has_work(&self) -> bool {
        self.is_readable || self.has_refusals
    }

    fn path(&self, remote: SocketAddr) -> Path {
        Path {
            transport: Transport::Udp,
            local: self.local,
            remote,
        }
    }

    /// Hands over at most `share`, and says how much of it is used up.
    fn receive(&mut self, share: usize, buffer: &mut [u8], take: &mut dyn FnMut(Path, Arrival<'_>)) -> usize {
        let mut used = 0;
        while used < share && self.has_work() {
            if self.has_refusals {
                if let Some((path, length)) = self.refusal(buffer) {
                    take(path, Arrival::Refused(&buffer[..length]));
                }
            } else {
                match self.socket.recv_from(buffer) {
                    Ok((length, remote)) if length == buffer.len() => take(self.path(remote), Arrival::TooLong),
                    Ok((length, remote)) => take(self.path(remote), Arrival::Datagram(&buffer[..length])),
                    Err(error) => self.failed(&error),
                }
            }
            used += 1;
        }
        used
    }

    /// Nothing is left, or something came back, or it does not work for the moment.
    fn failed(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.is_readable = false,
            ErrorKind::Interrupted => {}
            ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                self.has_refusals = true;
            }
            _ => {
                tracing::debug!(%error, local = %self.local, "a UDP socket is not read for a moment");
                (self.is_readable, self.is_failing, self.has_refusals) = (false, true, true);
            }
        }
    }

    /// The next way that something came back, and how much of it is quoted; `None` when nothing is left.
    #[cfg(target_os = "linux")]
    fn refusal(&mut self, quoted: &mut [u8]) -> Option<(Path, usize)> {
        for _ in 0..Udp::A_TURN {
            match refused::next(&self.socket, quoted) {
                Some(CameBack::Refused(remote, length)) => return Some((self.path(remote), length)),
                Some(CameBack::Other) => {}
                None => {
                    self.has_refusals = false;
                    return None;
                }
            }
        }
        None
    }

    #[cfg(not(target_os = "linux"))]
    fn refusal(&mut self, _quoted: &mut [u8]) -> Option<(Path, usize)> {
        self.has_refusals = false;
        None
    }

    /// Clears the socket of what came back, to be told later. False when there was nothing.
    fn take_refusals(&mut self, refused: &mut VecDeque<(Path, Vec<u8>)>, quoted: &mut [u8]) -> bool {
        let mut some = false;
        for _ in 0..Udp::A_TURN {
            let Some((path, length)) = self.refusal(quoted) else {
                break;
            };
            some = true;
            if refused.len() < REFUSALS {
                refused.push_back((path, quoted[..length].to_vec()));
            }
        }
        some
    }
}
