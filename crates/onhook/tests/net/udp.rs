//! Datagrams: where they come from and go to, what is refused, whose turn it is, and what ends a wait.

use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use onhook::net::{Arrival, LONGEST_MESSAGE, Listener, SendError, Udp, Wake};
use sip::{Path, Transport};

/// Nothing here takes so long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(10);

fn bind(listeners: &[&str]) -> (Udp, Wake) {
    let listeners: Vec<Listener> = listeners.iter().map(|text| text.parse().unwrap()).collect();
    Udp::bind(&listeners).unwrap()
}

fn peer(address: &str) -> UdpSocket {
    let peer = UdpSocket::bind(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

/// A port at which nobody listens.
fn closed(address: &str) -> SocketAddr {
    UdpSocket::bind(address).unwrap().local_addr().unwrap()
}

fn path(local: SocketAddr, remote: SocketAddr) -> Path {
    Path {
        transport: Transport::Udp,
        local,
        remote,
    }
}

/// What came, in words.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Text(String),
    TooLong,
    /// What was quoted.
    Refused(String),
}

fn a_turn(udp: &mut Udp) -> Vec<(Path, Came)> {
    let mut came = Vec::new();
    udp.receive(&mut |path, arrival| {
        came.push((
            path,
            match arrival {
                Arrival::Datagram(bytes) => Came::Text(String::from_utf8(bytes.to_vec()).unwrap()),
                Arrival::TooLong => Came::TooLong,
                Arrival::Refused(quoted) => Came::Refused(String::from_utf8(quoted.to_vec()).unwrap()),
            },
        ));
    });
    came
}

/// Waits and receives until so many have come.
fn receive(udp: &mut Udp, count: usize) -> Vec<(Path, Came)> {
    let late = Instant::now() + PATIENCE;
    let mut came = Vec::new();
    while came.len() < count {
        assert!(Instant::now() < late, "waited in vain; there came {came:?}");
        udp.wait(Some(late));
        came.extend(a_turn(udp));
    }
    came
}

fn text(text: &str) -> Came {
    Came::Text(text.to_owned())
}

#[test]
fn datagrams_come_and_go_by_the_same_way() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut udp, _) = bind(&[&format!("udp:{address}"), "tcp:127.0.0.1:0"]);
        let [listener] = udp.listening()[..] else {
            panic!("{:?}", udp.listening())
        };
        let peer = peer(address);
        peer.send_to(b"ask", listener.address).unwrap();
        let way = path(listener.address, peer.local_addr().unwrap());
        assert_eq!(receive(&mut udp, 1), [(way, text("ask"))]);

        udp.send(&way, b"answer").unwrap();
        let mut answer = [0; 16];
        let (length, from) = peer.recv_from(&mut answer).unwrap();
        assert_eq!((&answer[..length], from), (&b"answer"[..], listener.address));
    }
}

#[test]
fn a_wildcard_listener_is_the_way_by_its_own_address() {
    for (any, loopback) in [("udp:0.0.0.0:0", "127.0.0.1"), ("udp:[::]:0", "::1")] {
        let (mut udp, _) = bind(&[any]);
        let local = udp.listening()[0].address;
        assert!(local.ip().is_unspecified() && local.port() != 0);
        let peer = peer(&SocketAddr::new(loopback.parse().unwrap(), 0).to_string());
        peer.send_to(b"ask", (loopback, local.port())).unwrap();
        let way = path(local, peer.local_addr().unwrap());
        assert_eq!(receive(&mut udp, 1), [(way, text("ask"))]);
        udp.send(&way, b"answer").unwrap();
        assert_eq!(peer.recv_from(&mut [0; 16]).unwrap().1.port(), local.port());
    }
}

#[test]
fn nothing_is_sent_from_where_nobody_listens() {
    let (mut udp, _) = bind(&["udp:127.0.0.1:0"]);
    let elsewhere = closed("127.0.0.1:0");
    let sent = udp.send(&path(elsewhere, elsewhere), b"x");
    assert!(matches!(sent, Err(SendError::NoListener(local)) if local == elsewhere));
}

#[test]
fn a_message_that_is_too_long_is_told_apart_and_the_longest_is_not() {
    let (mut udp, _) = bind(&["udp:127.0.0.1:0"]);
    let local = udp.listening()[0].address;
    let peer = peer("127.0.0.1:0");
    for length in [LONGEST_MESSAGE, LONGEST_MESSAGE + 1, 60_000, 0] {
        peer.send_to(&vec![b'x'; length], local).unwrap();
    }
    let came: Vec<_> = receive(&mut udp, 4).into_iter().map(|(_, came)| came).collect();
    assert_eq!(
        came,
        [
            text(&"x".repeat(LONGEST_MESSAGE)),
            Came::TooLong,
            Came::TooLong,
            text("")
        ]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_refusal_is_told_and_keeps_nothing_else_from_coming_or_going() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut udp, _) = bind(&[&format!("udp:{address}")]);
        let local = udp.listening()[0].address;
        let (peer, gone) = (peer(address), closed(address));
        let (there, nowhere) = (path(local, peer.local_addr().unwrap()), path(local, gone));

        // The refusal has come when the first has been sent, and would be told to whoever sends next.
        for lost in ["1", "2", "3"] {
            udp.send(&nowhere, lost.as_bytes()).unwrap();
        }
        udp.send(&there, b"found").unwrap();
        let mut found = [0; 16];
        let length = peer.recv(&mut found).unwrap();
        assert_eq!(&found[..length], b"found");
        let refused = |quoted: &str| (nowhere, Came::Refused(quoted.to_owned()));
        assert_eq!(receive(&mut udp, 3), ["1", "2", "3"].map(refused));

        udp.send(&nowhere, b"lost").unwrap();
        peer.send_to(b"ask", local).unwrap();
        let came = receive(&mut udp, 2);
        assert!(came.contains(&refused("lost")), "{came:?}");
        assert!(came.contains(&(there, text("ask"))), "{came:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_refusal_quotes_the_beginning_of_what_was_sent() {
    let (mut udp, _) = bind(&["udp:127.0.0.1:0"]);
    let nowhere = path(udp.listening()[0].address, closed("127.0.0.1:0"));
    let sent: String = (0..1000).map(|number| format!("{number};")).collect();
    udp.send(&nowhere, sent.as_bytes()).unwrap();
    let [(_, Came::Refused(quoted))] = &receive(&mut udp, 1)[..] else {
        panic!()
    };
    assert!(quoted.len() > 400 && sent.starts_with(quoted.as_str()), "{quoted}");
}

#[test]
fn a_turn_is_bounded_and_every_socket_has_its_share() {
    let (mut udp, _) = bind(&["udp:127.0.0.1:0", "udp:127.0.0.1:0"]);
    let [flooded, other] = udp.listening()[..] else {
        panic!()
    };
    let peer = peer("127.0.0.1:0");
    // No more than the kernel has room for by default.
    const FLOOD: usize = 400;
    for _ in 0..FLOOD {
        peer.send_to(b"flood", flooded.address).unwrap();
    }
    peer.send_to(b"hang up", other.address).unwrap();
    let way = path(other.address, peer.local_addr().unwrap());

    let late = Instant::now() + PATIENCE;
    udp.wait(Some(late));
    let mut turns = vec![a_turn(&mut udp)];
    assert!(turns[0].contains(&(way, text("hang up"))), "in the first turn");
    while turns.iter().map(Vec::len).sum::<usize>() < FLOOD + 1 {
        // What is left keeps it from waiting.
        udp.wait(Some(late));
        assert!(
            Instant::now() < late,
            "there came only {:?}",
            turns.iter().map(Vec::len)
        );
        turns.push(a_turn(&mut udp));
    }
    assert!(turns.iter().all(|turn| turn.len() <= Udp::A_TURN));
}

#[test]
fn who_wakes_ends_the_wait_and_an_end_in_the_past_is_none() {
    let (mut udp, wake) = bind(&["udp:127.0.0.1:0"]);
    // Whatever stands at its sockets in the beginning.
    udp.wait(Some(Instant::now()));
    a_turn(&mut udp);

    let before = Instant::now();
    udp.wait(Some(before - PATIENCE));
    assert!(before.elapsed() < PATIENCE);

    let late = || Instant::now() + PATIENCE;
    for _ in 0..3 {
        let (until, woken) = (late(), wake.clone());
        let waker = thread::spawn(move || woken.wake());
        udp.wait(Some(until));
        assert!(Instant::now() < until, "it was woken");
        waker.join().unwrap();
    }
    // Whoever wakes while nobody waits keeps the next from waiting, once.
    udp.wait(Some(Instant::now()));
    wake.wake();
    wake.wake();
    let until = late();
    udp.wait(Some(until));
    assert!(Instant::now() < until);
    let soon = Instant::now() + Duration::from_millis(20);
    udp.wait(Some(soon));
    assert!(Instant::now() >= soon, "nobody woke it again");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let holder = peer("127.0.0.1:0");
    let listener = Listener {
        transport: Transport::Udp,
        address: holder.local_addr().unwrap(),
    };
    let why = Udp::bind(&[listener]).err().unwrap().to_string();
    assert!(why.starts_with(&format!("{listener} cannot be opened: ")), "{why}");
}
