//! The built server under a flood: what it costs, what comes back, and a call in the middle of it.
//!
//! A second of each kind, at a few thousand datagrams a second. `FLOOD_SECONDS=20 cargo test -p onhook --test calls flood --
//! --nocapture` sends as many as one core can, for so long, and prints the figures of docs/transport-security.md.

use std::env;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ews::PhoneCallState;
use onhook::phone::{Phone, PhoneOptions};
use sip::Transport;

use crate::program::Program;
use crate::scene::{House, Plan, sip_address, soon};

/// What one flooding socket has sent and got.
#[derive(Default)]
struct Flooded {
    sent: usize,
    sent_bytes: usize,
    answers: usize,
    answered_bytes: usize,
}

/// Sends until told to stop: all that one core can, or fifty datagrams, then a moment of listening.
fn flood(
    from: &str,
    to: SocketAddr,
    datagram: fn(usize) -> String,
    at_full_speed: bool,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<Flooded> {
    let socket = UdpSocket::bind(from).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    socket.set_nonblocking(at_full_speed).unwrap();
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        let (mut flooded, mut buffer) = (Flooded::default(), [0; 65_536]);
        while !stop.load(Ordering::Relaxed) {
            for _ in 0..50 {
                let datagram = datagram(flooded.sent);
                if socket.send_to(datagram.as_bytes(), to).is_ok() {
                    flooded.sent += 1;
                    flooded.sent_bytes += datagram.len();
                }
            }
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                flooded.answers += 1;
                flooded.answered_bytes += length;
            }
        }
        flooded
    })
}

fn request(number: usize) -> String {
    let method = ["OPTIONS", "INVITE"][number % 2];
    format!(
        "{method} sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-{number};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:f@127.0.0.1>;tag=f\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: flood-{number}\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A 2xx to an INVITE that was never sent.
fn response(number: usize) -> String {
    format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-{number}\r\nFrom: <sip:f@127.0.0.1>;tag=f\r\n\
         To: <sip:x@127.0.0.1>;tag=t\r\nCall-ID: flood-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn garbage(number: usize) -> String {
    format!("{number}: {}", "\u{fffd}\r\n:;<>\"".repeat(20))
}

/// Resident memory in KiB, and processor time.
fn cost(program: &Program) -> (u64, Duration) {
    let process = format!("/proc/{}", program.pid());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let resident = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let stat = fs::read_to_string(format!("{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap());
    let kib = resident.split_whitespace().nth(1).unwrap().parse().unwrap();
    (kib, Duration::from_millis(ticks.sum::<u64>() * 10))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_anything_costs_little_is_hardly_answered_and_a_call_goes_through() {
    let asked: Option<u64> = env::var("FLOOD_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
    let seconds = Duration::from_secs(asked.unwrap_or(1));
    for (what, from, datagram) in [
        (
            "requests of the trunk's address",
            "127.0.0.1:0",
            request as fn(usize) -> String,
        ),
        ("responses of the trunk's address", "127.0.0.1:0", response),
        ("garbage of the trunk's address", "127.0.0.1:0", garbage),
        ("requests of a stranger", "127.0.0.9:0", request),
    ] {
        let (phone, _events) = Phone::start(PhoneOptions::default()).unwrap();
        let house = House::build();
        let at = phone.address(Transport::Udp).unwrap();
        let program = Program::serve(&house, &Plan::to(format!("sip:{at}"))).await;
        let sip = sip_address(&program.addresses.sip[0]);
        let (before, stop) = (cost(&program), Arc::new(AtomicBool::new(false)));
        let started = Instant::now();
        let flooding = flood(from, sip, datagram, asked.is_some(), &stop);

        let anna = program.anna(&house);
        let id = anna.play("4711").await;
        anna.reaches(&id, PhoneCallState::Connected).await;
        soon("the hang-up", anna.disconnect(&id)).await.unwrap();
        let call = started.elapsed();
        // It says that it has hung up before it forgets the call.
        let forgets = async {
            while phone.live_calls() > 0 {
                tokio::task::yield_now().await;
            }
        };
        soon(what, forgets).await;
        let rest = seconds.saturating_sub(started.elapsed());
        tokio::time::timeout(rest, std::future::pending::<()>())
            .await
            .unwrap_err();

        stop.store(true, Ordering::Relaxed);
        let flooded = flooding.join().unwrap();
        let (after, elapsed) = (cost(&program), started.elapsed());
        let grown = after.0.saturating_sub(before.0);
        let per_second = flooded.sent as f64 / elapsed.as_secs_f64();
        println!(
            "{what}: {per_second:.0} a second for {elapsed:.1?}, {} answered ({} of {} bytes); memory {} to {} KiB; \
             processor {:.1?}; the call took {call:.1?}",
            flooded.answers,
            flooded.answered_bytes,
            flooded.sent_bytes,
            before.0,
            after.0,
            after.1 - before.1,
        );
        assert!(grown < 64 * 1024, "{what}: {grown} KiB more");
        assert!(flooded.answered_bytes < flooded.sent_bytes, "{what}");
        // The allowance, two seconds of it at once; and one answer to each.
        let allowed = 100.0 * (elapsed.as_secs_f64() + 2.0) + 1.0;
        assert!((flooded.answers as f64) <= allowed, "{what}: {}", flooded.answers);
        assert!(
            what.starts_with("requests of the trunk") || flooded.answers == 0,
            "{what}"
        );
        program.kill().await;
    }
}
