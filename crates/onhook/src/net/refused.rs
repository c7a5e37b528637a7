//! Datagrams that came back: what ICMP says of them, from a socket's error queue (`IP_RECVERR` of ip(7), `IPV6_RECVERR` of
//! ipv6(7)).
//!
//! Without it a closed port is known only by the silence of 64 × T1.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
};

/// What comes back is kept from now on, for [`next`]; whatever is done with the socket before that fails of it once.
pub(super) fn listen(socket: &std::net::UdpSocket, is_ipv4: bool) -> io::Result<()> {
    if is_ipv4 {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// What stands first in the queue of what came back.
pub(super) enum CameBack {
    /// Nobody is there, or no way leads there. So many bytes were quoted.
    Refused(SocketAddr, usize),
    /// Something else, such as a hint that the way takes smaller packets.
    Other,
}

/// Takes one out of the queue, with what it quotes of the datagram; `None` when it is empty.
pub(super) fn next(socket: &impl AsRawFd, quoted: &mut [u8]) -> Option<CameBack> {
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
    let mut pieces = [IoSliceMut::new(quoted)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let came = loop {
        match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut pieces, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            Err(_) => return None,
            Ok(came) => break came,
        }
    };
    let error = came
        .cmsgs()
        .ok()
        .into_iter()
        .flatten()
        .find_map(|message| match message {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => Some(error),
            _ => None,
        });
    let refused = error.is_some_and(|error| error.ee_errno != libc::EMSGSIZE as u32);
    Some(match came.address.as_ref().and_then(address) {
        Some(remote) if refused => CameBack::Refused(remote, came.bytes),
        _ => CameBack::Other,
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}
