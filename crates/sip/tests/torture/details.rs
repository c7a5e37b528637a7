//! What the messages say, where the RFCs point at something.

use std::net::SocketAddr;

use sip::{Destination, Message, Method, Reply, Tag, uri};

use crate::{catalogue::CASES, message};

fn parsed(bytes: &[u8]) -> Message<'_> {
    Message::parse(bytes).unwrap()
}

/// RFC 4475 §3.1.1.1: folding, blanks, compact forms, quotes.
#[test]
fn a_short_tortuous_invite() {
    let bytes = message::load("rfc4475/wsinv");
    let message = parsed(&bytes);
    assert_eq!((message.branch(), message.sent_by()), ("390skdjuw", "192.0.2.77"));
    assert_eq!(
        (message.from_tag(), message.to_tag()),
        (Some("55aa"), Some("77120934x"))
    );
    assert_eq!((message.cseq().number, &message.cseq().method), (9, &Method::Invite));
    assert_eq!(message.vias(), 3);
    assert_eq!(message.call_id(), "wsinv.3409@192.0.2.77");
    assert_eq!(message.request_uri(), "sip:anna@pbx.example.com;unknownparam");
    assert_eq!(message.header("Subject").as_deref(), Some(""));
    assert_eq!(message.header("Max-Forwards").as_deref(), Some("0068"));
    assert_eq!(
        message.header("newfangledheader").as_deref(),
        Some("newfangled value continued newfangled value")
    );
    let request = message.request();
    assert_eq!(request.contact.as_deref(), Some("sip:caller@example.com"));
    assert_eq!(
        request.from,
        r#""Quoted \\\""       <sip:caller@example.com> ; tag = 55aa"#
    );
    assert!(request.body.starts_with(b"v=0\r\n"));
}

/// RFC 4475 §3.1.1.2: all characters that a method, a URI, a token and a comment may have.
#[test]
fn a_wide_range_of_valid_characters() {
    let bytes = message::load("rfc4475/intmeth");
    let message = parsed(&bytes);
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(message.method().as_str(), method);
    assert!(message.request_uri().ends_with("pas$wo~d_too.(doesn't-it)@example.com"));
    assert_eq!(Destination::parse(message.request_uri()).unwrap().host, "example.com");
    assert_eq!(message.from_tag(), Some("_token~1'+`*%!-."));
    assert_eq!(message.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(message.branch(), "z9hG4bK-.!%66*_+`'~");
    assert_eq!(
        message.header("extensionHeader-!.%*+_`'~").as_deref(),
        Some("\u{feff}大停電")
    );
    // What is quoted goes back as it came, bells and NULs.
    let mut reply = Vec::new();
    let source = SocketAddr::from(([192, 0, 2, 1], 5060));
    message.print_reply(&mut reply, source, &Tag::new("ours"), &Reply::status(501), "x");
    let to = b"\r\nTo: \"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>;tag=ours\r\n";
    assert!(reply.windows(to.len()).any(|window| window == to));
    assert_eq!(parsed(&reply).cseq().method.as_str(), method);
}

/// RFC 4475 §3.1.1.3 to §3.1.1.5: escapes stay escapes, and a name that is escaped is no name.
#[test]
fn escapes_are_kept() {
    let bytes = message::load("rfc4475/esc01");
    let request = parsed(&bytes).request();
    assert_eq!(request.request_uri, "sip:sips%3Aanna%40example.com@example.net");
    let contact = request.contact.unwrap();
    assert_eq!(contact, "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31");
    assert!(uri::has_parameter(&contact, "lr") && uri::has_parameter(&contact, "name"));

    let bytes = message::load("rfc4475/esc02");
    let message = parsed(&bytes);
    assert_eq!(message.method(), &Method::Other("RE%47IST%45R".into()));
    assert_eq!(message.headers("Contact").count(), 2);

    let bytes = message::load("rfc4475/escnull");
    let contacts: Vec<_> = parsed(&bytes)
        .headers("Contact")
        .map(|value| value.into_owned())
        .collect();
    assert_eq!(
        contacts,
        ["<sip:%00@host5.example.com>", "<sip:%00%00@host5.example.com>"]
    );
}

/// RFC 4475 §3.1.1.6 to §3.1.1.11.
#[test]
fn what_looks_broken_is_read() {
    let bytes = message::load("rfc4475/lwsdisp");
    assert_eq!(uri::addr_spec(&parsed(&bytes).request().from), "sip:caller@example.com");

    let bytes = message::load("rfc4475/longreq");
    let message = parsed(&bytes);
    assert_eq!(
        (message.vias(), message.sent_by(), message.branch()),
        (34, "sip33.example.com", "")
    );

    let bytes = message::load("rfc4475/dblreq");
    let message = parsed(&bytes);
    assert_eq!((message.call_id(), message.body()), ("dblreq.first", &b""[..]));

    let bytes = message::load("rfc4475/semiuri");
    let message = parsed(&bytes);
    assert_eq!(Destination::parse(message.request_uri()).unwrap().host, "example.com");
    assert_eq!(
        message.header("Accept").as_deref(),
        Some(
            "application/sdp, application/pkcs7-mime, multipart/mixed, multipart/signed, message/sip, message/sipfrag"
        )
    );

    let bytes = message::load("rfc4475/mpart01");
    let message = parsed(&bytes);
    let body = message.body();
    assert_eq!(body.len(), 280);
    assert!(body.contains(&0) && body.ends_with(b"--7a9cbec02ceef655--\r\n"));
}

/// RFC 4475 §3.1.1.12, §3.1.1.13.
#[test]
fn reasons_may_be_anything_and_nothing() {
    let bytes = message::load("rfc4475/unreason");
    let reason = parsed(&bytes).response().reason;
    assert_eq!(reason, "= 2**3 * 5**2 но сто девяносто девять - простое");
    let bytes = message::load("rfc4475/noreason");
    assert_eq!(parsed(&bytes).response().reason, "");
}

/// RFC 4475 §3.4.1: nothing of RFC 3261 that a peer of RFC 2543 did not know.
#[test]
fn an_old_peer_has_neither_branch_nor_tag_nor_length() {
    let bytes = message::load("rfc4475/inv2543");
    let message = parsed(&bytes);
    assert_eq!((message.branch(), message.from_tag()), ("", None));
    assert!(message.body().ends_with(b"RTP/AVP 0\r\n"));
}

/// RFC 5118 §4.5: what the peer says of where it was received is not believed, however it is written.
#[test]
fn where_a_request_came_from_is_ours_to_say() {
    let names = [
        "rfc5118/via-received-param-with-delim",
        "rfc5118/via-received-param-no-delim",
    ];
    for name in names {
        let bytes = message::load(name);
        let mut reply = Vec::new();
        let source = "[2001:db8::9:7]:5070".parse().unwrap();
        parsed(&bytes).print_reply(&mut reply, source, &Tag::new("ours"), &Reply::status(481), "x");
        let text = String::from_utf8(reply).unwrap();
        let via = format!(
            "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bK{};received=2001:db8::9:7\r\n",
            &name[8..]
        );
        assert!(text.contains(&via), "{text}");
    }
}

/// RFC 4475 §3.3.1: what lacks headers is answered with those that it has.
#[test]
fn an_answer_to_half_a_request_is_half_an_answer() {
    let bytes = message::load("rfc4475/insuf");
    let mut reply = Vec::new();
    let source = SocketAddr::from(([192, 0, 2, 77], 5060));
    let message = parsed(&bytes);
    message.print_reply(
        &mut reply,
        source,
        &Tag::new("ours"),
        message.fault().unwrap(),
        "onhook",
    );
    assert_eq!(
        String::from_utf8(reply).unwrap(),
        "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKinsuf\r\nCSeq: 193942 INVITE\r\n\
         Warning: 399 onhook \"no Call-ID\"\r\nServer: onhook\r\nContent-Length: 0\r\n\r\n"
    );
}

/// RFC 4475 §3.3.8: an answer that named both calls would answer neither.
#[test]
fn of_what_came_twice_and_must_not_the_answer_repeats_the_first() {
    let bytes = message::load("rfc4475/multi01");
    let message = parsed(&bytes);
    let mut reply = Vec::new();
    let source = SocketAddr::from(([192, 0, 2, 77], 5060));
    message.print_reply(
        &mut reply,
        source,
        &Tag::new("ours"),
        message.fault().unwrap(),
        "onhook",
    );
    let answer = parsed(&reply);
    assert_eq!((answer.call_id(), answer.cseq().number), ("multi01.7727@192.0.2.1", 5));
    assert_eq!((answer.from_tag(), answer.to_tag()), (Some("3413415"), Some("ours")));
    for name in ["From", "To", "Call-ID", "CSeq"] {
        assert_eq!(answer.headers(name).count(), 1, "{name}");
    }
}

/// Whatever is refused or taken is answered in a way that reads back as an answer to it.
#[test]
fn every_answer_is_an_answer_to_its_request() {
    for case in CASES {
        let bytes = message::load(case.name);
        let Ok(message) = Message::parse(&bytes) else { continue };
        let Some(reply) = message.answer_outside_dialog() else {
            continue;
        };
        let mut printed = Vec::new();
        let source = SocketAddr::from(([192, 0, 2, 1], 5060));
        message.print_reply(&mut printed, source, &Tag::new("ours"), &reply, "onhook");
        let answer = match Message::parse(&printed) {
            Ok(answer) => answer,
            Err(why) => {
                assert_eq!(reply.status, 400, "{}: {why}", case.name);
                continue;
            }
        };
        assert_eq!(answer.status(), Some(reply.status), "{}", case.name);
        assert_eq!(answer.branch(), message.branch(), "{}", case.name);
        assert_eq!(answer.call_id(), message.call_id(), "{}", case.name);
        assert_eq!(answer.cseq(), message.cseq(), "{}", case.name);
        assert_eq!(answer.vias(), message.vias(), "{}", case.name);
        assert_eq!(answer.to_tag(), message.to_tag().or(Some("ours")), "{}", case.name);
    }
}
