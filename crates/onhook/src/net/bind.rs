//! Opening sockets, and why one cannot be opened.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

use nix::{
    libc,
    sys::resource::{Resource, getrlimit},
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{listener::Listener, tls::TlsError};

/// A burst of answers must fit while the one reader is busy; the kernel may grant less (`net.core.rmem_max`).
const RECEIVE_BUFFER: usize = 4 << 20;
/// As many can leave at once (`net.core.wmem_max`).
const SEND_BUFFER: usize = 4 << 20;
/// Connections that nobody has accepted yet.
const BACKLOG: i32 = 128;

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    #[error("{listener} cannot be opened: {error}")]
    Socket { listener: Listener, error: io::Error },
    /// EMFILE.
    #[error(
        "{listener} cannot be opened: onhook has all {limit} files open that it may have (RLIMIT_NOFILE): raise it, with ulimit -n or systemd's LimitNOFILE="
    )]
    FilesOfProcess { listener: Listener, limit: u64 },
    /// ENFILE.
    #[error("{listener} cannot be opened: the system has as many files open as it may have: raise fs.file-max")]
    FilesOfSystem { listener: Listener },
    #[error("what waits for sockets cannot be made: {0}")]
    Poll(io::Error),
    #[error("{0} needs a certificate and a key")]
    NoCertificate(Listener),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl BindError {
    pub(super) fn new(listener: Listener, error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE) => Self::FilesOfProcess {
                listener,
                limit: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
            },
            Some(libc::ENFILE) => Self::FilesOfSystem { listener },
            _ => Self::Socket { listener, error },
        }
    }
}

pub(super) fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address, Type::DGRAM, Protocol::UDP)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

pub(super) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    // Connections of the last run that linger in TIME_WAIT do not keep us from listening.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_files_is_told_with_its_limit_and_what_to_do() {
        let listener: Listener = "udp:127.0.0.1:5060".parse().unwrap();
        let told = |errno| BindError::new(listener, io::Error::from_raw_os_error(errno)).to_string();
        let limit = getrlimit(Resource::RLIMIT_NOFILE).unwrap().0;
        let of_process = told(libc::EMFILE);
        assert!(
            of_process.contains(&limit.to_string()) && of_process.contains("LimitNOFILE"),
            "{of_process}"
        );
        assert!(told(libc::ENFILE).contains("fs.file-max"));
        assert!(told(libc::EADDRINUSE).contains("in use"));
    }
}
