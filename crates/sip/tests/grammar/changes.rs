//! How a message is broken at random. The torture of the running server breaks the messages of the RFCs the same way.

use proptest::{collection::vec, prelude::*, sample::Index};

/// What readers trip over.
const MORSELS: [&[u8]; 37] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\r\n \t",
    b"\0",
    b"\xff\xfe",
    "\u{feff}".as_bytes(),
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b";;,;,,",
    b"=",
    b":",
    b"@",
    b"%00",
    b"[",
    b"]",
    b"[::",
    b"-1",
    b"99999999999999999999",
    b"sip:",
    b"SIP/2.0",
    b" SIP/2.0",
    b"BYE ",
    b"CANCEL ",
    b"ACK ",
    b";tag=",
    b";branch=z9hG4bK",
    b";received=",
    b";rport=70000",
    b"\r\nVia: SIP/2.0/UDP h\r\n",
    b"\r\nCSeq: 1 INVITE\r\n",
    b"\r\nContent-Length: 4294967296\r\n",
    b"\r\nl: 4294967296",
];

/// One change, at a place.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Cut(Index),
    Drop(Index, usize),
    Repeat(Index, usize, usize),
    /// A morsel, over so many octets.
    Put(Index, usize, &'static [u8]),
    Octet(Index, u8),
    Bit(Index, u32),
    SwapOctets(Index, Index),
    SwapLines(Index, Index),
    /// From here on it is the end of another message.
    EndOfAnother(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let length = || 0_usize..40;
    let morsel = prop::sample::select(&MORSELS[..]);
    prop_oneof![
        1 => at().prop_map(Change::Cut),
        2 => (at(), length()).prop_map(|(at, length)| Change::Drop(at, length)),
        1 => (at(), length(), 1_usize..=50).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        3 => (at(), 0_usize..3, morsel).prop_map(|(at, over, morsel)| Change::Put(at, over, morsel)),
        1 => (at(), any::<u8>()).prop_map(|(at, octet)| Change::Octet(at, octet)),
        1 => (at(), 0..u8::BITS).prop_map(|(at, bit)| Change::Bit(at, bit)),
        1 => (at(), at()).prop_map(|(one, other)| Change::SwapOctets(one, other)),
        1 => (at(), at()).prop_map(|(one, other)| Change::SwapLines(one, other)),
        1 => (at(), at()).prop_map(|(at, end)| Change::EndOfAnother(at, end)),
    ]
}

/// One to four.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec(change(), 1..=4)
}

/// This message with these changes; `another` is one more, whose end it may get.
pub(crate) fn changed(mut bytes: Vec<u8>, another: &[u8], changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            return bytes;
        }
        let length = bytes.len();
        let span = |at: &Index, span: usize| at.index(length)..(at.index(length) + span).min(length);
        match change {
            Change::Cut(at) => bytes.truncate(at.index(length)),
            Change::Drop(at, count) => drop(bytes.drain(span(at, *count))),
            Change::Repeat(at, count, times) => {
                let at = span(at, *count);
                let copies = bytes[at.clone()].repeat(*times);
                bytes.splice(at.start..at.start, copies);
            }
            Change::Put(at, over, morsel) => drop(bytes.splice(span(at, *over), morsel.iter().copied())),
            Change::Octet(at, octet) => bytes[at.index(length)] = *octet,
            Change::Bit(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Change::SwapOctets(one, other) => bytes.swap(one.index(length), other.index(length)),
            Change::SwapLines(one, other) => {
                let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                bytes = lines.concat();
            }
            Change::EndOfAnother(at, end) => {
                let end = another.len() - end.index(another.len() + 1);
                bytes.splice(at.index(length).., another[end..].iter().copied());
            }
        }
    }
    bytes
}
