//! What a monitoring system reads from the built server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ews::PhoneCallState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::exchange::{self, AWAY, PATIENT};
use crate::program::Program;
use crate::scene::{House, Plan, soon};

/// As the server has it.
const PATIENCE_WITH_A_READER: Duration = Duration::from_secs(10);

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon("the counts", stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

/// The counts of this server, a line each.
async fn counts(program: &Program) -> Vec<String> {
    let address = program.addresses.metrics.unwrap();
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    answer.lines().map(str::to_owned).collect()
}

async fn count(program: &Program, name: &str) -> u64 {
    let counts = counts(program).await;
    let of = counts
        .iter()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    of.unwrap_or_else(|| panic!("{name}: {counts:?}")).parse().unwrap()
}

fn measured(next_hop: String) -> Plan {
    Plan {
        calls: "max_live_per_mailbox = 1",
        more: "[metrics]\nlisten = \"127.0.0.1:0\"".to_owned(),
        ..Plan::to(next_hop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_counted_by_its_reason_and_nothing_names_a_number_or_a_user() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = House::build();
    let program = Program::serve(&house, &measured(next_hop)).await;
    let anna = program.anna(&house);
    let id = anna.play(PATIENT).await;
    for (number, reason) in [
        ("+49 30 4711471", "no-rule"),
        ("4711 x", "not-a-number"),
        ("sip:4711@evil.example", "sip-uri"),
        ("112", "emergency"),
        ("+881612345678", "satellite"),
        ("+19005551234", "premium-rate"),
        ("+491803123456", "shared-cost"),
        ("+447012345678", "personal"),
        (AWAY, "max_live_per_mailbox"),
    ] {
        let name = format!("onhook_dial_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(count(&program, &name).await, 0, "{reason}");
        anna.try_play(number).await.unwrap_err();
        assert_eq!(count(&program, &name).await, 1, "{reason}");
    }
    assert_eq!(count(&program, "onhook_dial_permitted_total").await, 2);
    assert_eq!(count(&program, "onhook_calls_live").await, 1);
    anna.disconnect(&id).await.unwrap();
    anna.ended(&id).await;
    assert_eq!(count(&program, "onhook_calls_live").await, 0);

    let all = counts(&program).await.join("\n");
    for secret in ["4711", "anna", "881612345678", PATIENT] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    assert_eq!(all.matches("onhook_dial_refused_total{").count(), 21, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_is_counted() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = House::build();
    let program = Program::serve(&house, &measured(next_hop)).await;
    let request = "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Authorization: Basic YW5uYTp3cm9uZw==\r\nContent-Type: text/xml\r\nContent-Length: 0\r\n\r\n";
    let answer = ask(program.addresses.http[0].parse().unwrap(), request).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(
        count(&program, "onhook_logins_refused_total{reason=\"wrong\"}").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_but_the_counts_and_readers_are_not_waited_for() {
    let (next_hop, _exchange) = exchange::open().await;
    let house = House::build();
    let program = Program::serve(&house, &measured(next_hop)).await;
    let address = program.addresses.metrics.unwrap();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        ("GET /EWS/Exchange.asmx HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
            "405",
        ),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    // A head of 8 KiB is read, a longer one is not, be it whole or without an end.
    for (length, is_read) in [(8_000, true), (9_000, false)] {
        let head = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "a".repeat(length));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // What was not read is answered with a reset, which may overtake the answer.
        let _ = soon("the end", stream.read_to_end(&mut answer)).await;
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), is_read, "{length}");
    }
    let endless = format!("GET /metrics HTTP/1.1\r\nx: {}", "a".repeat(100_000));
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(endless.as_bytes()).await;
    let started = Instant::now();
    let _ = soon("the end", stream.read_to_end(&mut Vec::new())).await;
    assert!(started.elapsed() < PATIENCE_WITH_A_READER / 2, "it was waited for");

    // Sixteen who say nothing: the next one is turned away, and calls go on.
    let mut idle = Vec::new();
    for _ in 0..16 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let mut turned_away = TcpStream::connect(address).await.unwrap();
    let told = soon("the end", turned_away.read_to_end(&mut Vec::new())).await;
    assert_eq!(told.unwrap_or(0), 0);
    let still_there = idle[0].try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(still_there.kind(), std::io::ErrorKind::WouldBlock);
    let anna = program.anna(&house);
    let id = anna.play(PATIENT).await;
    anna.reaches(&id, PhoneCallState::Connected).await;
    // And in the end they are.
    for mut stream in idle {
        let _ = soon("the end", stream.read_to_end(&mut Vec::new())).await;
    }
    assert_eq!(count(&program, "onhook_calls_live").await, 1);
}
