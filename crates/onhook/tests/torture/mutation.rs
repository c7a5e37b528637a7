//! Messages that no RFC describes: those of the catalogue, broken at random.
//!
//! The randomness has a seed, so a run that fails fails again; `TORTURE_SEED` and `TORTURE_MESSAGES` try others, and more. Nothing is
//! asked of the answers; the server must not panic, and after each handful it must answer a question.

use std::env;

use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket},
};

use crate::{
    catalogue::CASES,
    changes::{changed, changes},
    message, panics, peer,
    server::Tortured,
};

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

fn from_environment(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// One message of the catalogue, broken; it still fits into a datagram.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let originals: Vec<Vec<u8>> = CASES.iter().map(|case| message::load(case.name)).collect();
    let (one, another) = (select(originals.clone()), select(originals));
    (one, another, changes()).prop_map(|(message, another, changes)| {
        let mut bytes = changed(message, &another, &changes);
        bytes.truncate(DATAGRAM);
        bytes
    })
}

/// Broken messages, by the handful.
fn handfuls(messages: usize) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let messages = from_environment("TORTURE_MESSAGES").map_or(messages, |number| number as usize);
    let seed = from_environment("TORTURE_SEED").unwrap_or(SEED);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_be_bytes(); 4].concat());
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let broken = broken();
    let mut next = move || broken.new_tree(&mut runner).unwrap().current();
    (0..messages / HANDFUL).map(move |_| (0..HANDFUL).map(|_| next()).collect())
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
