//! Opening sockets, and why one cannot be opened.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
};

use media::NoFiles;
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
    #[error("{listener} cannot be opened: {why}")]
    NoFiles { listener: Listener, why: NoFiles },
    #[error("what waits for sockets cannot be made: {0}")]
    Poll(io::Error),
    #[error("{0} needs a certificate and a key")]
    NoCertificate(Listener),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl BindError {
    pub(super) fn new(listener: Listener, error: io::Error) -> Self {
        match NoFiles::of(&error) {
            Some(why) => Self::NoFiles { listener, why },
            None => Self::Socket { listener, error },
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
    use nix::libc;

    use super::*;

    #[test]
    fn a_lack_of_files_is_told_with_what_to_do() {
        let listener: Listener = "udp:127.0.0.1:5060".parse().unwrap();
        let told = |errno| BindError::new(listener, io::Error::from_raw_os_error(errno)).to_string();
        let of_process = told(libc::EMFILE);
        assert!(
            of_process.contains("udp:127.0.0.1:5060") && of_process.contains("LimitNOFILE"),
            "{of_process}"
        );
        assert!(told(libc::ENFILE).contains("fs.file-max"));
        assert!(told(libc::EADDRINUSE).contains("in use"));
    }
}
