//! RTP packets (RFC 3550 §5.1): print and parse.

/// Bytes of the header we print: no contributing sources, no extension.
pub const HEADER_BYTES: usize = 12;

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// For sound: the first packet after silence (RFC 3551 §4.1).
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    pub sequence_number: u16,
    /// In units of the payload's clock.
    pub timestamp: u32,
    pub ssrc: u32,
}

impl RtpHeader {
    pub fn print(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 2 << 6;
        bytes[1] = u8::from(self.marker) << 7 | (self.payload_type & 0x7f);
        bytes[2..4].copy_from_slice(&self.sequence_number.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// A received packet; contributing sources and a header extension are stepped over, padding is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    pub header: RtpHeader,
    pub payload: &'a [u8],
}

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    #[error("the packet is cut short")]
    CutShort,
    #[error("the packet is not of RTP version 2")]
    Version,
    #[error("the packet has more padding than payload")]
    Padding,
}

impl<'a> RtpPacket<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let (header, length) = Self::parse_header(bytes)?;
        let mut rest = &bytes[length..];
        if bytes[0] & 0x20 != 0 {
            let padding = rest.last().copied().map(usize::from).ok_or(RtpError::Padding)?;
            let kept = rest
                .len()
                .checked_sub(padding)
                .filter(|_| padding > 0)
                .ok_or(RtpError::Padding)?;
            rest = &rest[..kept];
        }
        Ok(Self { header, payload: rest })
    }

    /// The fixed header, and how long the whole of it is with sources and extension: what SRTP leaves readable.
    pub(crate) fn parse_header(bytes: &[u8]) -> Result<(RtpHeader, usize), RtpError> {
        let (head, mut rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(RtpError::CutShort)?;
        if head[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let sources = usize::from(head[0] & 0x0f) * 4;
        rest = rest.get(sources..).ok_or(RtpError::CutShort)?;
        if head[0] & 0x10 != 0 {
            let (extension, _) = rest.split_at_checked(4).ok_or(RtpError::CutShort)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            rest = rest.get(4 + words * 4..).ok_or(RtpError::CutShort)?;
        }
        let header = RtpHeader {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7f,
            sequence_number: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        };
        Ok((header, bytes.len() - rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        marker: true,
        payload_type: 8,
        sequence_number: 0x1234,
        timestamp: 0xdead_beef,
        ssrc: 0x0102_0304,
    };

    #[test]
    fn prints_the_fields_where_the_rfc_has_them() {
        assert_eq!(
            HEADER.print(),
            [0x80, 0x88, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]
        );
    }

    #[test]
    fn steps_over_sources_and_extension_and_cuts_padding() {
        let mut bytes = HEADER.print().to_vec();
        bytes[0] |= 0x30 | 2;
        bytes.extend([9; 8]);
        bytes.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]);
        bytes.extend(b"sound");
        bytes.extend([0, 0, 3]);
        assert_eq!(
            RtpPacket::parse(&bytes),
            Ok(RtpPacket {
                header: HEADER,
                payload: b"sound"
            })
        );
    }

    #[test]
    fn refuses_more_padding_than_payload() {
        let mut bytes = HEADER.print().to_vec();
        bytes[0] |= 0x20;
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding));
        bytes.extend([1, 9]);
        assert_eq!(RtpPacket::parse(&bytes), Err(RtpError::Padding));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_packet_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = RtpPacket::parse(&bytes);
        }

        #[test]
        fn what_is_printed_is_parsed(marker: bool, payload_type in 0_u8..128, sequence_number: u16, timestamp: u32, ssrc: u32) {
            let header = RtpHeader { marker, payload_type, sequence_number, timestamp, ssrc };
            let bytes = header.print();
            prop_assert_eq!(RtpPacket::parse(&bytes), Ok(RtpPacket { header, payload: &[] }));
        }
    }
}
