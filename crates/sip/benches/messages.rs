//! What one message costs: read, seen by a call, answered, cut from a stream.
//!
//! Run with `cargo bench -p sip --bench messages`. Nanoseconds a message, of the best of many rounds: each is so short that what
//! else the machine does leaves some of them alone.

#![allow(clippy::unwrap_used, reason = "a benchmark may fail")]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock"
)]

use std::{hint::black_box, net::SocketAddr, time::Instant};

use sip::{ALLOW, Framing, Message, Reply, Tag};

const ROUNDS: usize = 2_000;
const MESSAGES: usize = 100;

fn main() {
    let (answer, bye) = (answer(), bye());
    println!("a 200 of {} bytes, a BYE of {} bytes", answer.len(), bye.len());
    measure("200: parse", || drop(black_box(Message::parse(black_box(&answer)))));
    measure("200: parse and response()", || {
        let message = Message::parse(black_box(&answer)).unwrap();
        drop(black_box(message.response()));
    });
    measure("BYE: parse", || drop(black_box(Message::parse(black_box(&bye)))));
    measure("BYE: parse and request()", || {
        let message = Message::parse(black_box(&bye)).unwrap();
        drop(black_box(message.request()));
    });
    let message = Message::parse(&bye).unwrap();
    let (source, tag) = (SocketAddr::from(([192, 0, 2, 9], 5060)), Tag::new("ours"));
    let reply = Reply::status(200).with("Allow", ALLOW);
    let mut buffer = Vec::new();
    measure("BYE: print_reply", || {
        buffer.clear();
        message.print_reply(&mut buffer, source, &tag, black_box(&reply), "onhook/1");
        black_box(&buffer);
    });
    let mut framing = Framing::default();
    measure("200: cut from a stream", || {
        framing.feed(black_box(&answer));
        drop(black_box(framing.poll().unwrap()));
    });
}

fn measure(what: &str, mut once: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..MESSAGES {
            once();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / MESSAGES as f64);
    }
    println!("{what:30} {best:7.0} ns");
}

/// As a PBX behind one proxy answers.
fn answer() -> Vec<u8> {
    let body = "v=0\r\no=pbx 3850 3850 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 11424 RTP/AVP 0 8 101\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
    format!(
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;received=192.0.2.1;branch=z9hG4bKc2VjcmV0LW9mLXRoZS1icmFuY2g;rport=5060\r\n\
         Record-Route: <sip:192.0.2.10;lr;ftag=5c3a1e9f>\r\n\
         From: \"Voice Mail\" <sip:onhook@192.0.2.1>;tag=5c3a1e9f7b2d4c60\r\n\
         To: <sip:1001@pbx.example>;tag=as58f4201b\r\n\
         Call-ID: 0f3e2d1c4b5a69788796a5b4c3d2e1f0@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:1001@192.0.2.20:5060;transport=udp>\r\n\
         Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, UPDATE\r\n\
         Supported: replaces, timer\r\n\
         Session-Expires: 1800;refresher=uas\r\n\
         Server: Example PBX 20.1\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn bye() -> Vec<u8> {
    "BYE sip:onhook@192.0.2.1:5060 SIP/2.0\r\n\
     Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK4e1f.8d3a9b71.0\r\n\
     Via: SIP/2.0/UDP 192.0.2.20:5060;received=192.0.2.20;branch=z9hG4bK6d7e8f90;rport=5060\r\n\
     Max-Forwards: 69\r\n\
     From: <sip:1001@pbx.example>;tag=as58f4201b\r\n\
     To: \"Voice Mail\" <sip:onhook@192.0.2.1>;tag=5c3a1e9f7b2d4c60\r\n\
     Call-ID: 0f3e2d1c4b5a69788796a5b4c3d2e1f0@192.0.2.1\r\n\
     CSeq: 102 BYE\r\n\
     User-Agent: Example PBX 20.1\r\n\
     Reason: Q.850;cause=16;text=\"Normal Clearing\"\r\n\
     Content-Length: 0\r\n\r\n"
        .to_owned()
        .into_bytes()
}
