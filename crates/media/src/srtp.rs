//! SRTP and SRTCP with AES in counter mode and HMAC-SHA1 (RFC 3711), the suite AES_CM_128_HMAC_SHA1_80 of RFC 4568.
//!
//! The transform alone: how the keys are agreed on is not known here. One suite, no MKI, no key derivation rate, no
//! forward error correction: nobody who offers SDES needs more. A [`Protector`] serves one source, an [`Opener`] the
//! few that a peer may send from.

use std::fmt;

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::rtp::{RtpError, RtpPacket};

/// 128 bits of key, then 112 of salt.
pub const MASTER_KEY_BYTES: usize = 30;
/// What a protected RTP packet is longer by.
pub const TAG_BYTES: usize = 10;
/// The E bit and the index, before the tag of SRTCP.
const INDEX_BYTES: usize = 4;
/// RTCP's header and sender stay readable.
const RTCP_CLEAR: usize = 8;
/// Packets behind the newest that are still taken, once each.
const WINDOW: u64 = 64;
/// Sources of one peer that are followed.
const SOURCES: usize = 4;

const KEY: usize = 16;
const SALT: usize = 14;

/// Master key and salt of one direction. Zeroed when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Zeroizing<[u8; MASTER_KEY_BYTES]>);

impl MasterKey {
    /// Of random bytes, or of what a peer has said.
    #[must_use]
    pub fn new(bytes: [u8; MASTER_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The keys of one call's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// What we send is protected with it.
    pub own: MasterKey,
    /// What the peer sends is.
    pub peer: MasterKey,
}

/// Why a packet cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SrtpError {
    #[error(transparent)]
    Rtp(#[from] RtpError),
    #[error("the packet is too short to be protected")]
    CutShort,
    #[error("the packet was not made with this key, or was changed on its way")]
    Forged,
    #[error("the packet has been here before, or is too old to tell")]
    Replayed,
}

/// Session keys (RFC 3711 §4.3): one set for RTP, one for RTCP.
struct Keys {
    cipher: Zeroizing<[u8; KEY]>,
    salt: Zeroizing<[u8; SALT]>,
    mac: Hmac<Sha1>,
}

impl Keys {
    /// `label`: 0 for RTP, 3 for RTCP; the keys for ciphering, authentication and salting follow one another.
    fn derive(master: &MasterKey, label: u8) -> Self {
        let (mut cipher, mut salt) = (Zeroizing::new([0; KEY]), Zeroizing::new([0; SALT]));
        let mut authentication = Zeroizing::new([0_u8; 20]);
        derive(master, label, &mut cipher[..]);
        derive(master, label + 1, &mut authentication[..]);
        derive(master, label + 2, &mut salt[..]);
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mac = Hmac::new_from_slice(&authentication[..]).expect("a key for HMAC");
        Self { cipher, salt, mac }
    }

    /// Ciphers or deciphers: the same thing in counter mode (§4.1.1).
    fn apply(&self, ssrc: u32, index: u64, bytes: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..SALT].copy_from_slice(&self.salt[..]);
        xor(&mut iv[4..8], &ssrc.to_be_bytes());
        xor(&mut iv[8..14], &index.to_be_bytes()[2..]);
        keystream(&self.cipher, iv, bytes);
    }

    fn tag(&self, packet: &[u8], more: &[u8]) -> [u8; TAG_BYTES] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(more);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG_BYTES]);
        tag
    }

    fn verify(&self, packet: &[u8], more: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(more);
        mac.verify_truncated_left(tag).map_err(|_| SrtpError::Forged)
    }
}

fn derive(master: &MasterKey, label: u8, key: &mut [u8]) {
    let (master_key, salt) = master.0.split_at(KEY);
    let (mut cipher, mut iv) = (Zeroizing::new([0; KEY]), [0; 16]);
    cipher.copy_from_slice(master_key);
    iv[..SALT].copy_from_slice(salt);
    iv[7] ^= label;
    keystream(&cipher, iv, key);
}

fn keystream(key: &[u8; KEY], iv: [u8; 16], bytes: &mut [u8]) {
    Ctr128BE::<Aes128>::new(key.into(), &iv.into()).apply_keystream(bytes);
}

fn xor(into: &mut [u8], bytes: &[u8]) {
    into.iter_mut().zip(bytes).for_each(|(into, byte)| *into ^= byte);
}

/// Protects what one source sends.
pub struct Protector {
    rtp: Keys,
    rtcp: Keys,
    /// How often the sequence number has come round, and the last one.
    rollover: u32,
    last: Option<u16>,
    control_index: u32,
}

impl Protector {
    #[must_use]
    pub fn new(own: &MasterKey) -> Self {
        Self {
            rtp: Keys::derive(own, 0),
            rtcp: Keys::derive(own, 3),
            rollover: 0,
            last: None,
            control_index: 0,
        }
    }

    /// Protects a packet in place: `header` bytes stay readable, the last [`TAG_BYTES`] are room for the tag. Sequence
    /// numbers only go up.
    pub fn rtp(&mut self, header: usize, ssrc: u32, sequence_number: u16, packet: &mut [u8]) {
        if self.last.is_some_and(|last| sequence_number < last) {
            self.rollover = self.rollover.wrapping_add(1);
        }
        self.last = Some(sequence_number);
        let index = u64::from(self.rollover) << 16 | u64::from(sequence_number);
        let (message, tag) = packet.split_at_mut(packet.len().saturating_sub(TAG_BYTES));
        if let Some(payload) = message.get_mut(header..) {
            self.rtp.apply(ssrc, index, payload);
        }
        tag.copy_from_slice(&self.rtp.tag(message, &self.rollover.to_be_bytes())[..tag.len()]);
    }

    /// Protects a compound packet, which grows by 14 bytes.
    pub fn rtcp(&mut self, ssrc: u32, compound: &mut Vec<u8>) {
        let index = self.control_index;
        self.control_index = (index + 1) & (u32::MAX >> 1);
        if let Some(body) = compound.get_mut(RTCP_CLEAR..) {
            self.rtcp.apply(ssrc, index.into(), body);
        }
        compound.extend((1 << 31 | index).to_be_bytes());
        let tag = self.rtcp.tag(compound, &[]);
        compound.extend(tag);
    }
}

impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protector(…)")
    }
}

/// Opens what one peer sends, each packet once.
pub struct Opener {
    rtp: Keys,
    rtcp: Keys,
    sources: Vec<Source>,
}

#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    /// Of the newest packet: rollovers, then sequence number.
    newest: u64,
    /// A bit for each of the newest [`WINDOW`] packets that has come.
    seen: u64,
}

impl Opener {
    #[must_use]
    pub fn new(peer: &MasterKey) -> Self {
        Self {
            rtp: Keys::derive(peer, 0),
            rtcp: Keys::derive(peer, 3),
            sources: Vec::new(),
        }
    }

    /// The packet as it was before it was protected.
    ///
    /// # Errors
    ///
    /// [`SrtpError`]; nothing is learned from the packet then.
    pub fn rtp(&mut self, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
        let (message, tag) = packet
            .split_at_checked(packet.len().saturating_sub(TAG_BYTES))
            .ok_or(SrtpError::CutShort)?;
        let header = RtpPacket::parse_header(message)?;
        let known = self.sources.iter().position(|source| source.ssrc == header.0.ssrc);
        let (ssrc, sequence_number) = (header.0.ssrc, header.0.sequence_number);
        let index = match known {
            Some(at) => self.sources[at].guess(sequence_number),
            None => sequence_number.into(),
        };
        let rollover = ((index >> 16) as u32).to_be_bytes();
        self.rtp.verify(message, &rollover, tag)?;
        let mut fresh = Source {
            ssrc,
            newest: index,
            seen: 0,
        };
        let source = known.map_or(&mut fresh, |at| &mut self.sources[at]);
        if !source.take(index) {
            return Err(SrtpError::Replayed);
        }
        if known.is_none() {
            if self.sources.len() >= SOURCES {
                self.sources.remove(0);
            }
            self.sources.push(fresh);
        }
        let mut message = message.to_vec();
        self.rtp.apply(ssrc, index, &mut message[header.1..]);
        Ok(message)
    }

    /// The compound packet as it was before it was protected. Repetitions are not told: RTCP does nothing here.
    ///
    /// # Errors
    ///
    /// [`SrtpError`].
    pub fn rtcp(&self, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
        let end = packet.len().checked_sub(TAG_BYTES).ok_or(SrtpError::CutShort)?;
        let (signed, tag) = packet.split_at(end);
        let (message, index) = signed
            .split_at_checked(end.saturating_sub(INDEX_BYTES))
            .filter(|(message, _)| message.len() >= RTCP_CLEAR)
            .ok_or(SrtpError::CutShort)?;
        self.rtcp.verify(signed, &[], tag)?;
        let index = u32::from_be_bytes([index[0], index[1], index[2], index[3]]);
        let ssrc = u32::from_be_bytes([message[4], message[5], message[6], message[7]]);
        let mut message = message.to_vec();
        if index >> 31 == 1 {
            self.rtcp
                .apply(ssrc, (index & (u32::MAX >> 1)).into(), &mut message[RTCP_CLEAR..]);
        }
        Ok(message)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(…)")
    }
}

impl Source {
    /// The index that is nearest to the newest one (RFC 3711 §3.3.1).
    fn guess(&self, sequence_number: u16) -> u64 {
        let rollover = self.newest & !0xffff;
        let (last, this) = (self.newest as u16, u64::from(sequence_number));
        if last < 0x8000 && sequence_number > last + 0x8000 {
            // Of before the number came round; there is none before the first.
            rollover.saturating_sub(0x1_0000) | this
        } else if last >= 0x8000 && sequence_number < last - 0x8000 {
            (rollover + 0x1_0000) | this
        } else {
            rollover | this
        }
    }

    /// Whether a packet with this index has not been here before; takes note of it (§3.3.2).
    fn take(&mut self, index: u64) -> bool {
        if index > self.newest {
            let ahead = index - self.newest;
            self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 };
            self.newest = index;
        }
        let behind = self.newest - index;
        let is_new = behind < WINDOW && self.seen >> behind & 1 == 0;
        if is_new {
            self.seen |= 1 << behind;
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::{HEADER_BYTES, RtpHeader};

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn master() -> MasterKey {
        let key = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        MasterKey::new(key.try_into().unwrap())
    }

    /// RFC 3711 Appendix B.3.
    #[test]
    fn session_keys_are_those_of_the_rfc() {
        let keys = Keys::derive(&master(), 0);
        assert_eq!(keys.cipher[..], bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt[..], bytes("30CBBC08863D8C85D49DB34A9AE1"));
        let mut authentication = [0; 20];
        derive(&master(), 1, &mut authentication);
        assert_eq!(authentication[..], bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711 Appendix B.2.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let key = bytes("2B7E151628AED2A6ABF7158809CF4F3C").try_into().unwrap();
        let iv = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut stream = [0; 48];
        keystream(&key, iv, &mut stream);
        assert_eq!(
            stream[..],
            bytes("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
    }

    /// The vector that libsrtp checks itself with (srtp_validate): what others do with the same key.
    #[test]
    fn a_packet_is_protected_as_by_others() {
        let plain = bytes("800f1234decafbadcafebabe abababababababababababababababab");
        let mut packet = [plain.clone(), vec![0; TAG_BYTES]].concat();
        Protector::new(&master()).rtp(HEADER_BYTES, 0xcafe_babe, 0x1234, &mut packet);
        let protected = bytes("800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb");
        assert_eq!(packet, protected);
        assert_eq!(Opener::new(&master()).rtp(&protected), Ok(plain));
    }

    #[test]
    fn control_packets_are_protected_as_by_others() {
        let plain = bytes("81c8000bcafebabe abababababababababababababababab");
        let mut packet = plain.clone();
        let mut protector = Protector::new(&master());
        protector.control_index = 1;
        protector.rtcp(0xcafe_babe, &mut packet);
        let protected = bytes("81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798");
        assert_eq!(packet, protected);
        assert_eq!(Opener::new(&master()).rtcp(&packet), Ok(plain));
    }

    fn packet(sequence_number: u16, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader {
            marker: false,
            payload_type: 0,
            sequence_number,
            timestamp: 0,
            ssrc: 7,
        };
        [&header.print()[..], payload].concat()
    }

    fn protected(protector: &mut Protector, sequence_number: u16) -> Vec<u8> {
        let mut bytes = packet(sequence_number, b"sound");
        bytes.extend([0; TAG_BYTES]);
        protector.rtp(HEADER_BYTES, 7, sequence_number, &mut bytes);
        bytes
    }

    #[test]
    fn each_packet_is_opened_once_in_any_order_and_across_rollovers() {
        let (mut protector, mut opener) = (Protector::new(&master()), Opener::new(&master()));
        let mut sent: Vec<_> = (65_500..65_536).chain(0..40).map(|number| number as u16).collect();
        let mut packets: Vec<_> = sent.iter().map(|number| protected(&mut protector, *number)).collect();
        packets.swap(35, 36); // the very ones at the turn
        sent.swap(35, 36);
        for (packet_bytes, number) in packets.iter().zip(&sent) {
            assert_eq!(opener.rtp(packet_bytes), Ok(packet(*number, b"sound")));
            assert_eq!(opener.rtp(packet_bytes), Err(SrtpError::Replayed));
        }
        assert_eq!(opener.rtp(&packets[0]), Err(SrtpError::Replayed), "too old to tell");
    }

    proptest! {
        #[test]
        fn a_changed_packet_is_refused(at in 0_usize..27, bit in 0_u8..8) {
            let mut bytes = protected(&mut Protector::new(&master()), 9);
            bytes[at] ^= 1 << bit;
            prop_assert!(Opener::new(&master()).rtp(&bytes).is_err());
        }

        #[test]
        fn any_bytes_are_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut opener = Opener::new(&master());
            prop_assert!(opener.rtp(&bytes).is_err());
            prop_assert!(opener.rtcp(&bytes).is_err());
        }
    }
}
