//! Many datagrams with one system call, each with the moment at which it came.
//!
//! That moment is the kernel's (`SO_TIMESTAMPNS`, socket(7)): when a packet is read depends on what else the machine does.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::{Duration, SystemTime},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, setsockopt, sockopt},
        time::TimeSpec,
    },
};
use socket2::SockRef;

/// Datagrams that are read with one call at most.
const BATCH: usize = 64;
/// The longest datagram, in bytes; of a longer one the rest is cut off.
const LONGEST: usize = 4096;

/// A datagram that has come.
pub(super) struct Received<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) from: SocketAddr,
    pub(super) at: SystemTime,
}

/// The room that datagrams are read into.
pub(super) struct Receiver {
    buffers: Vec<[u8; LONGEST]>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; LONGEST]; BATCH],
        }
    }

    /// A socket on loopback whose datagrams carry the moment they came at. So many bytes may wait in it; the system may allow fewer.
    pub(super) fn bind(port: u16, receive_buffer: usize) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(("127.0.0.1", port))?;
        SockRef::from(&socket).set_recv_buffer_size(receive_buffer)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(socket)
    }

    /// Reads what is there; with nothing there, waits for the first for as long as the socket's own timeout is, unless it is not to wait.
    /// How many there were.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        waits: bool,
        mut with: impl FnMut(Received<'_>),
    ) -> io::Result<usize> {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(BATCH, Some(cmsg_space!(TimeSpec)));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .iter_mut()
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let flags = if waits {
            MsgFlags::MSG_WAITFORONE
        } else {
            MsgFlags::MSG_DONTWAIT
        };
        let received = match recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let mut count = 0;
        for message in received {
            count += 1;
            let stamp = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            let (Some(stamp), Some(from), Some(bytes)) = (stamp, message.address, message.iovs().next()) else {
                continue;
            };
            with(Received {
                bytes,
                from: SocketAddr::from((from.ip(), from.port())),
                at: SystemTime::UNIX_EPOCH + stamp,
            });
        }
        Ok(count)
    }
}
