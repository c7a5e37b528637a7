//! Our replies as they are printed (RFC 3261 §8.2.6).

use std::net::SocketAddr;

use proptest::prelude::*;
use sip::{Message, Reply, Tag};

const INVITE: &str = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx\r\n\
    v: SIP/2.0/TCP i;branch=y,\r\n SIP/2.0/TCP j;received=192.0.2.9\r\nFrom: \"A\"\r\n <sip:a@h>;tag=f\r\nTo: <sip:b@h>\r\n\
    Call-ID: c\r\nCSeq: 7 INVITE\r\nRecord-Route: <sip:p;lr>\r\nTimestamp: 54\r\nContent-Length: 0\r\n\r\n";

fn printed(request: &str, source: &str, reply: &Reply) -> String {
    let mut out = b"before\r\n".to_vec();
    let source: SocketAddr = source.parse().unwrap();
    let message = Message::parse(request.as_bytes()).unwrap();
    message.print_reply(&mut out, source, &Tag::new("ours"), reply, "onhook/1");
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before\r\n")
        .unwrap()
        .to_owned()
}

/// RFC 3261 §8.2.6.1, §8.2.6.2, §12.1.1.
#[test]
fn a_reply_repeats_what_it_answers() {
    let answer = Reply {
        status: 200,
        headers: vec![("Contact", "<sip:me@here>".to_owned())],
        body: Some(("application/sdp", "v=0\r\n".to_owned())),
    };
    let vias = "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx\r\nVia: SIP/2.0/TCP i;branch=y, SIP/2.0/TCP j;received=192.0.2.9\r\n";
    let from = "From: \"A\" <sip:a@h>;tag=f\r\n";
    let source = "192.0.2.1:5070";
    assert_eq!(
        printed(INVITE, source, &answer),
        format!(
            "SIP/2.0 200 OK\r\n{vias}Record-Route: <sip:p;lr>\r\n{from}To: <sip:b@h>;tag=ours\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n\
             Contact: <sip:me@here>\r\nServer: onhook/1\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
        )
    );
    assert_eq!(
        printed(INVITE, source, &Reply::status(100)),
        format!(
            "SIP/2.0 100 Trying\r\n{vias}{from}To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nTimestamp: 54\r\n\
             Server: onhook/1\r\nContent-Length: 0\r\n\r\n"
        )
    );
    let in_dialog = INVITE.replace("To: <sip:b@h>", "To: <sip:b@h>;tag=known");
    let refused = printed(&in_dialog, source, &Reply::status(488));
    assert!(
        refused.contains("To: <sip:b@h>;tag=known\r\n") && !refused.contains("Record-Route"),
        "{refused}"
    );
}

/// RFC 3261 §18.2.1, RFC 3581 §4.
#[test]
fn the_top_via_says_where_the_request_came_from() {
    let via = |sent_by: &str, parameters: &str, source: &str| {
        let via = format!("{sent_by};branch=z9hG4bKx{parameters}");
        let text = printed(
            &INVITE.replace("192.0.2.1:5070;branch=z9hG4bKx", &via),
            source,
            &Reply::status(480),
        );
        let line = text
            .lines()
            .nth(1)
            .unwrap()
            .strip_prefix("Via: SIP/2.0/UDP ")
            .unwrap()
            .to_owned();
        line.strip_prefix(sent_by)
            .unwrap()
            .strip_prefix(";branch=z9hG4bKx")
            .unwrap()
            .to_owned()
    };
    assert_eq!(via("192.0.2.1", "", "192.0.2.1:9"), "");
    assert_eq!(via("192.0.2.1", "", "[::ffff:192.0.2.1]:9"), "");
    assert_eq!(via("192.0.2.1", "", "192.0.2.2:9"), ";received=192.0.2.2");
    assert_eq!(via("h", "", "192.0.2.2:9"), ";received=192.0.2.2");
    assert_eq!(via("h", ";", "192.0.2.2:9"), ";received=192.0.2.2");
    assert_eq!(via("192.0.2.1", ";rport", "192.0.2.1:9"), ";received=192.0.2.1;rport=9");
    assert_eq!(
        via("h", ";RPort=1; x = y ;received=1.2.3.4", "192.0.2.2:9"),
        ";x = y;received=192.0.2.2;rport=9"
    );
    assert_eq!(via("[2001:db8::1]:5060", "", "[2001:db8:0::1]:9"), "");
    assert_eq!(
        via("[2001:db8::1]", ", SIP/2.0/TCP k;rport", "[2001:db8::2]:9"),
        ";received=2001:db8::2, SIP/2.0/TCP k;rport"
    );
}

/// Nothing that a peer wrote, in whatever part, can become a header line of ours.
#[test]
fn what_a_peer_wrote_makes_no_line_of_ours() {
    let spoilt = INVITE
        .replace("From: \"A\"", "From: \"A\rX-Own: 1\"")
        .replace("sip:p;lr", "sip:p;lr\rX-Own: 1\r")
        .replace("received=192", "received=\rX-Own: 1\r192");
    let reply = Reply::status(200)
        .with("Contact", "<sip:me>\r\nX-Own: 1")
        .with("Warning", "\nX-Own: 1");
    let text = printed(&spoilt, "192.0.2.2:5060", &reply);
    assert!(text.contains("X-Own"));
    assert!(text.lines().all(|line| !line.starts_with("X-Own")), "{text}");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
}

proptest! {
    /// A reply to anything that can be read is lines that we know, whole to the end.
    #[test]
    fn any_request_is_answered_in_lines_of_ours(
        values in prop::collection::vec(prop::collection::vec(any::<u8>().prop_filter("no end", |byte| *byte != b'\n'), 0..30), 5),
    ) {
        let mut bytes = b"OPTIONS sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n".to_vec();
        for (name, value) in ["Via", "From", "To", "Call-ID", "CSeq"].iter().zip(&values) {
            bytes.extend_from_slice(format!("{name}: ").as_bytes());
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        let Ok(message) = Message::parse(&bytes) else { return Ok(()) };
        let mut out = Vec::new();
        let reply = message.answer_outside_dialog().unwrap();
        message.print_reply(&mut out, SocketAddr::from(([192, 0, 2, 1], 9)), &Tag::new("ours"), &reply, "x");
        let text = String::from_utf8_lossy(&out);
        let head = text.strip_suffix("\r\n\r\n").unwrap();
        for (at, line) in head.split("\r\n").enumerate() {
            prop_assert!(!line.contains(['\r', '\n']));
            let known = ["Via", "From", "To", "Call-ID", "CSeq", "Server", "Content-Length", "Allow", "Accept", "Warning"];
            let name = line.split(": ").next().unwrap();
            prop_assert!(if at == 0 { line.starts_with("SIP/2.0 ") } else { known.contains(&name) }, "{line:?}");
        }
    }
}
