//! RTCP, as little as a sender owes (RFC 3550 §6): sender reports, the name of the source, and BYE.
//!
//! Reception reports are neither made nor read; nothing here adapts to loss.

use std::time::{Duration, SystemTime};

/// A report goes out every five seconds, the least the RFC recommends (§6.2).
pub const REPORT_INTERVAL: Duration = Duration::from_secs(5);

const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// From 1900, where NTP counts from, to 1970.
const NTP_TO_UNIX_SECONDS: u64 = 2_208_988_800;

/// What a source has sent so far (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// 64-bit NTP time: seconds since 1900 and their binary fraction.
    pub ntp_time: u64,
    /// The same moment on the RTP clock.
    pub rtp_timestamp: u32,
    pub packet_count: u32,
    /// Payload bytes, headers not counted.
    pub octet_count: u32,
}

/// Wall-clock time as NTP writes it.
pub fn ntp_time(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since_1970.as_secs().wrapping_add(NTP_TO_UNIX_SECONDS);
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    (seconds << 32) | fraction
}

/// A compound packet: the report, the source's name and, when it stops, BYE. Compound is the only lawful form (§6.1).
pub fn print(report: &SenderReport, cname: &str, bye: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + cname.len());
    append(&mut bytes, SENDER_REPORT, 0, |body| {
        body.extend(report.ssrc.to_be_bytes());
        body.extend(report.ntp_time.to_be_bytes());
        body.extend(report.rtp_timestamp.to_be_bytes());
        body.extend(report.packet_count.to_be_bytes());
        body.extend(report.octet_count.to_be_bytes());
    });
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    append(&mut bytes, SOURCE_DESCRIPTION, 1, |body| {
        body.extend(report.ssrc.to_be_bytes());
        body.extend([1, cname.len() as u8]);
        body.extend(cname);
        // The list of items ends with a zero, then fills the word.
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
    });
    if bye {
        append(&mut bytes, BYE, 1, |body| body.extend(report.ssrc.to_be_bytes()));
    }
    bytes
}

fn append(bytes: &mut Vec<u8>, packet_type: u8, count: u8, write_body: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    write_body(&mut body);
    bytes.extend([2 << 6 | count, packet_type]);
    bytes.extend(((body.len() / 4) as u16).to_be_bytes());
    bytes.extend(body);
}

/// One packet of a received compound, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpPacket {
    SenderReport(SenderReport),
    /// The first source that leaves.
    Bye {
        ssrc: u32,
    },
    Other {
        packet_type: u8,
    },
}

/// The packets of a compound, up to the first that is no RTCP.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = RtcpPacket> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (head, _) = rest.split_at_checked(4)?;
        let length = 4 + usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
        let (packet, following) = rest.split_at_checked(length)?;
        if head[0] >> 6 != 2 {
            return None;
        }
        rest = following;
        let body = &packet[4..];
        Some(match head[1] {
            SENDER_REPORT if body.len() >= 24 => RtcpPacket::SenderReport(SenderReport {
                ssrc: u32_at(body, 0),
                ntp_time: u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8)),
                rtp_timestamp: u32_at(body, 12),
                packet_count: u32_at(body, 16),
                octet_count: u32_at(body, 20),
            }),
            BYE if body.len() >= 4 => RtcpPacket::Bye { ssrc: u32_at(body, 0) },
            packet_type => RtcpPacket::Other { packet_type },
        })
    })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_compound_is_read_back() {
        let report = SenderReport {
            ssrc: 7,
            ntp_time: 0x8393_5a00_8000_0000,
            rtp_timestamp: 160,
            packet_count: 1,
            octet_count: 160,
        };
        let bytes = print(&report, "7@onhook", true);
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(
            parse(&bytes).collect::<Vec<_>>(),
            [
                RtcpPacket::SenderReport(report),
                RtcpPacket::Other { packet_type: 202 },
                RtcpPacket::Bye { ssrc: 7 }
            ]
        );
    }

    #[test]
    fn ntp_time_counts_from_1900() {
        let half_past = SystemTime::UNIX_EPOCH + Duration::from_millis(500);
        assert_eq!(ntp_time(half_past), 0x83aa_7e80_8000_0000);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(parse(&bytes).count() <= bytes.len() / 4);
        }
    }
}
