//! Whether the kernel keeps what comes to a socket: a socket filter (classic BPF) drops it before it is queued.
//!
//! The program sees a datagram from its UDP header on. To let through one payload type, as for keys, it would compare the byte
//! at 9 (8 bytes of UDP, then the second of RTP) and return the length or 0; SRTP leaves that byte readable, too.

use std::io;
use std::net::UdpSocket;

use nix::libc;
use socket2::{SockFilter, SockRef};

/// Nothing is queued from now on.
pub(super) fn drop_all(socket: &UdpSocket) -> io::Result<()> {
    // "Return 0": so many bytes of the packet are kept.
    let program = [SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0)];
    SockRef::from(socket).attach_filter(&program)
}

/// Everything is queued again.
pub(super) fn keep_all(socket: &UdpSocket) -> io::Result<()> {
    match SockRef::from(socket).detach_filter() {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()), // there was none
        done => done,
    }
}
