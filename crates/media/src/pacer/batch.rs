//! What is due in one tick, sent with as few system calls as the ports allow.
//!
//! A port of one call's own: one `send_to`. A shared port: all its packets in one `sendmmsg`. See `docs/decisions/` on RTP
//! pacing for what that gains.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use crate::clip::FRAME_BYTES;
use crate::ports::RtpPort;
use crate::rtp::{HEADER_BYTES, RtpHeader};
use crate::srtp::{Protector, TAG_BYTES};

/// The longest: a protected one.
const PACKET_BYTES: usize = HEADER_BYTES + FRAME_BYTES + TAG_BYTES;
/// Packets in one `sendmmsg`; Linux takes up to 1,024.
const MAX_BATCH: usize = 256;

#[derive(Default)]
pub(super) struct Batch {
    /// Packets of shared ports, waiting for the end of the tick.
    waiting: Vec<Packet>,
    sent: Sent,
}

struct Packet {
    port: RtpPort,
    remote: SocketAddr,
    bytes: [u8; PACKET_BYTES],
    length: usize,
}

/// Counts since the last flush.
#[derive(Clone, Copy, Default)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) refused: u64,
}

impl Batch {
    /// `frame` is [`FRAME_BYTES`] long.
    pub(super) fn push(
        &mut self,
        port: &RtpPort,
        remote: SocketAddr,
        header: &RtpHeader,
        frame: &[u8],
        protector: Option<&mut Protector>,
    ) {
        let mut bytes = [0; PACKET_BYTES];
        bytes[..HEADER_BYTES].copy_from_slice(&header.print());
        bytes[HEADER_BYTES..HEADER_BYTES + FRAME_BYTES].copy_from_slice(frame);
        let length = match protector {
            Some(protector) => {
                protector.rtp(HEADER_BYTES, header.ssrc, header.sequence_number, &mut bytes);
                PACKET_BYTES
            }
            None => HEADER_BYTES + FRAME_BYTES,
        };
        if port.is_shared() {
            self.waiting.push(Packet {
                port: port.clone(),
                remote,
                bytes,
                length,
            });
        } else {
            self.sent
                .count(1, usize::from(port.rtp().send_to(&bytes[..length], remote).is_ok()));
        }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) -> Sent {
        // Streams on one port stand in one slot, though not side by side.
        self.waiting.sort_by_key(|packet| packet.port.address().port());
        for run in self.waiting.chunk_by(|a, b| a.port.address() == b.port.address()) {
            for packets in run.chunks(MAX_BATCH) {
                self.sent.count(packets.len(), send_together(packets));
            }
        }
        self.waiting.clear();
        std::mem::take(&mut self.sent)
    }
}

impl Sent {
    fn count(&mut self, packets: usize, accepted: usize) {
        self.packets += accepted as u64;
        self.refused += (packets - accepted) as u64;
    }
}

/// Sends packets of one port; returns how many the socket took.
fn send_together(packets: &[Packet]) -> usize {
    let Some(first) = packets.first() else {
        return 0;
    };
    let slices: Vec<[IoSlice<'_>; 1]> = packets
        .iter()
        .map(|packet| [IoSlice::new(&packet.bytes[..packet.length])])
        .collect();
    let addresses: Vec<Option<SockaddrStorage>> = packets
        .iter()
        .map(|packet| Some(SockaddrStorage::from(packet.remote)))
        .collect();
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(packets.len(), None);
    let socket = first.port.rtp().as_raw_fd();
    let (mut at, mut accepted) = (0, 0);
    // The call stops at the first packet it cannot send and tells why at the next try: step over that one.
    while at < packets.len() {
        match sendmmsg(
            socket,
            &mut headers,
            &slices[at..],
            &addresses[at..],
            [],
            MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(results) => {
                let sent = results.count();
                (at, accepted) = (at + sent.max(1), accepted + sent);
            }
            Err(Errno::EAGAIN) => break,
            Err(_) => at += 1,
        }
    }
    accepted
}
