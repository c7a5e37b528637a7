//! What phones send.

use media::rtp::RtpHeader;

/// A packet of 20 ms of silence in PCMU.
pub(crate) fn sound() -> Vec<u8> {
    let header = RtpHeader {
        marker: false,
        payload_type: 0,
        sequence_number: 1,
        timestamp: 0,
        ssrc: 99,
    };
    [&header.print()[..], &[0xff; 160]].concat()
}
