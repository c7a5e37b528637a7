//! Messages that no RFC describes: those of the catalogue, broken at random.
//!
//! The randomness has a seed, so a run that fails fails again; `TORTURE_SEED` and `TORTURE_MESSAGES` try others, and more. Nothing is asked of the answers; the server must not
//! panic, and after each handful it must answer a question.

use std::env;

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
};

use crate::{catalogue::CASES, message, panics, peer, server::Tortured};

const DATAGRAMS: usize = 20_000;
/// A connection each.
const STREAMS: usize = 2_000;
/// Sent before the next question; small enough for any receive buffer.
const HANDFUL: usize = 20;
const SEED: u64 = 4475;
/// The largest payload of a UDP datagram.
const DATAGRAM: usize = 65_507;
/// Short: a refused INVITE is repeated until 64 × T1, and nobody here acknowledges one.
const TIMERS: &str = "t1 = \"10ms\"\nt2 = \"80ms\"\nt4 = \"100ms\"";

/// What parsers trip over.
const MORSELS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff\xfe",
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
    b"sip:",
    b"SIP/2.0",
    b"Via: SIP/2.0/UDP h\r\n",
    b"CSeq: 1 INVITE\r\n",
    b"Content-Length: 4294967296\r\n",
    b"-1",
    b"99999999999999999999",
    b";tag=",
    b";branch=z9hG4bK",
    b";received=",
    b";rport=70000",
    b"\r\n \t",
    b"BYE ",
    b"CANCEL ",
    b"ACK ",
    "\u{feff}".as_bytes(),
];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`; zero when there is no choice.
    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One message, changed in one to four ways.
fn broken(originals: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(originals).clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let end = (at + dice.below(40)).min(bytes.len());
        match dice.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let span = bytes[at..end].to_vec();
                let copies = span.repeat(1 + dice.below(50));
                bytes.splice(at..at, copies);
            }
            3 if !bytes.is_empty() => bytes[at] = dice.roll() as u8,
            4 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            5 => {
                let other = dice.pick(originals);
                let tail = other[dice.below(other.len())..].to_vec();
                bytes.splice(at.., tail);
            }
            6 => {
                let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
                if !lines.is_empty() {
                    lines.swap(one, other);
                }
                bytes = lines.concat();
            }
            _ => drop(bytes.splice(at..end.min(at + 2), dice.pick(MORSELS).iter().copied())),
        }
    }
    bytes.truncate(DATAGRAM);
    bytes
}

fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Broken messages, by the handful.
fn handfuls(messages: usize) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let messages = from_environment("TORTURE_MESSAGES").map_or(messages, |number| number as usize);
    let mut dice = Dice(from_environment("TORTURE_SEED").unwrap_or(SEED));
    let originals: Vec<Vec<u8>> = CASES.iter().map(|case| message::load(case.name)).collect();
    (0..messages / HANDFUL).map(move |_| (0..HANDFUL).map(|_| broken(&originals, &mut dice)).collect())
}

#[tokio::test]
async fn broken_datagrams_neither_panic_nor_hang() {
    panics::watch();
    let before = panics::seen();
    let server = Tortured::start(TIMERS).await;
    for (number, handful) in handfuls(DATAGRAMS).enumerate() {
        // A socket each, so that repeated refusals do not fill the buffer in which the answer is awaited.
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for datagram in handful {
            socket.send_to(&datagram, server.udp).await.unwrap();
        }
        peer::ask(&socket, server.udp, &format!("handful-{number}")).await;
        assert_eq!(panics::seen(), before, "handful {number} panics");
    }
    server.stop().await;
}

#[tokio::test]
async fn broken_streams_neither_panic_nor_hang() {
    panics::watch();
    let before = panics::seen();
    let server = Tortured::start(TIMERS).await;
    for (number, handful) in handfuls(STREAMS).enumerate() {
        for broken in handful {
            let mut stream = TcpStream::connect(server.tcp).await.unwrap();
            // The server may have closed it before all was written.
            let _ = stream.write_all(&broken).await;
        }
        peer::by_tcp(server.tcp, b"\r\n", &format!("handful-{number}")).await;
        assert_eq!(panics::seen(), before, "handful {number} panics");
    }
    server.stop().await;
}
