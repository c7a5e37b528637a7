//! The ACK of a refusal (RFC 3261 §17.1.1.3): what it takes from the INVITE, and what from the response.

mod transactions;

use sip::{Branch, ForClient, Message, Method, Tx};
use transactions::{Rig, sent, udp};

const INVITE: &str = "INVITE sip:100@192.0.2.9;transport=tcp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\n\
    Max-Forwards: 70\r\n\
    Route: <sip:p1.example;lr>\r\n\
    Route: <sip:p2.example;lr>\r\n\
    From: \"On, hook\" <sip:a@192.0.2.1>;tag=from\r\n\
    To: <sip:100@192.0.2.2>\r\n\
    Call-ID: call@192.0.2.1\r\n\
    CSeq: 4711 INVITE\r\n\
    Contact: <sip:onhook@192.0.2.1>\r\n\
    Authorization: Digest realm=\"a\", nonce=\"1\"\r\n\
    Proxy-Authorization: Digest realm=\"b\", nonce=\"2\"\r\n\
    Proxy-Authorization: Digest realm=\"c\", nonce=\"3\"\r\n\
    Allow: INVITE, ACK\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\r\n\
    v=0\r\n";

const ACK: &str = "ACK sip:100@192.0.2.9;transport=tcp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport\r\n\
    Max-Forwards: 70\r\n\
    Route: <sip:p1.example;lr>\r\n\
    Route: <sip:p2.example;lr>\r\n\
    From: \"On, hook\" <sip:a@192.0.2.1>;tag=from\r\n\
    To: {to}\r\n\
    Call-ID: call@192.0.2.1\r\n\
    CSeq: 4711 ACK\r\n\
    Authorization: Digest realm=\"a\", nonce=\"1\"\r\n\
    Proxy-Authorization: Digest realm=\"b\", nonce=\"2\"\r\n\
    Proxy-Authorization: Digest realm=\"c\", nonce=\"3\"\r\n\
    Content-Length: 0\r\n\r\n";

fn refusal(to: &str) -> String {
    format!(
        "SIP/2.0 486 Busy Here\r\nv: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport=5060;received=192.0.2.1\r\n\
         f: sip:somebody.else;tag=wrong\r\nt: {to}\r\ni: call@192.0.2.1\r\nCSeq: 4711 INVITE\r\n\
         Route: <sip:thief.example;lr>\r\nRecord-Route: <sip:thief.example;lr>\r\nContact: <sip:thief.example>\r\n\r\n"
    )
}

fn invited() -> Rig {
    let mut rig = Rig::default();
    let tx = Tx {
        branch: Branch::new("z9hG4bKa"),
        method: Method::Invite,
    };
    rig.transactions.send(rig.now, udp(), tx, INVITE.as_bytes().to_vec());
    rig.gives([sent(udp(), INVITE)]);
    rig
}

#[test]
fn only_its_to_is_of_the_response() {
    let mut rig = invited();
    let to = "\"Phone; 100\" <sip:100@192.0.2.2>;tag=phone;x=\"y\"";
    assert!(matches!(rig.response(&refusal(to)), ForClient::Final(_)));
    rig.gives([sent(udp(), ACK.replace("{to}", to))]);
}

#[test]
fn it_can_be_read_again() {
    let text = ACK.replace("{to}", "<sip:100@192.0.2.2>;tag=phone");
    let message = Message::parse(text.as_bytes()).unwrap();
    assert_eq!(
        (message.method(), message.branch(), message.vias()),
        (&Method::Ack, "z9hG4bKa", 1)
    );
    assert_eq!(message.cseq().method, Method::Ack);
}

/// What a peer writes never chooses where we send, nor begins a line of ours.
#[test]
fn a_to_cannot_write_our_headers() {
    for (to, ours) in [
        (
            "\"a\nRoute: <sip:thief.example>\" <sip:100@192.0.2.2>;tag=a",
            "\"a Route: <sip:thief.example>\" <sip:100@192.0.2.2>;tag=a",
        ),
        (
            "<sip:100@192.0.2.2>;tag=a;x=\"\rX: y\"",
            "<sip:100@192.0.2.2>;tag=a;x=\" X: y\"",
        ),
        ("<sip:100@192.0.2.2>\r\n ;tag=a", "<sip:100@192.0.2.2> ;tag=a"),
    ] {
        let mut rig = invited();
        rig.response(&refusal(to));
        rig.gives([sent(udp(), ACK.replace("{to}", ours))]);
    }
}

#[test]
fn one_whose_invite_cannot_be_read_is_not_printed() {
    let mut rig = Rig::default();
    let tx = Tx {
        branch: Branch::new("z9hG4bKa"),
        method: Method::Invite,
    };
    rig.transactions.send(rig.now, udp(), tx, b"no request".to_vec());
    rig.gives([sent(udp(), "no request")]);
    for _ in 0..2 {
        rig.response(&refusal("<sip:100@192.0.2.2>;tag=phone"));
        rig.gives([]);
    }
    rig.fires("D", 32_000, []);
}
