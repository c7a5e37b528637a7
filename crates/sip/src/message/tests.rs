//! What makes a message unreadable, what makes it a request to be refused, and what neither.

use super::*;

const REQUEST: &str = "MESSAGE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: \"A \\\"\" <sip:a@h>;tag=f\r\n\
    To: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 7 MESSAGE\r\nContent-Length: 2\r\n\r\nhi";

/// The fault of the sound request with `from` replaced by `to`: status and warning.
fn refused(from: &str, to: &str) -> Option<(u16, String)> {
    assert!(REQUEST.contains(from), "{from}");
    let text = REQUEST.replacen(from, to, 1);
    let message = Message::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why} in {text}"));
    let fault = message.fault()?;
    let warning = fault.headers.iter().find(|(name, _)| *name == "Warning");
    let quoted = warning.and_then(|(_, value)| Some(value.split('"').nth(1)?.to_owned()));
    Some((fault.status, quoted.unwrap_or_default()))
}

/// The same for a response, which is discarded.
fn discarded(from: &str, to: &str) -> Option<&'static str> {
    let response = REQUEST.replacen("MESSAGE sip:a@h SIP/2.0", "SIP/2.0 200 OK", 1);
    assert!(response.contains(from), "{from}");
    Message::parse(response.replacen(from, to, 1).as_bytes())
        .err()
        .map(|why| why.0)
}

/// RFC 3261 §8.2: what says whose message it is, or where it ends. A response without is nobody's (§18.3).
#[test]
fn what_is_wrong_in_essence_refuses_a_request_and_discards_a_response() {
    for (from, to, why) in [
        ("h;branch", "h;;branch", "a Via with an empty parameter"),
        ("SIP/2.0/UDP h", "SIP/2.0/UDP", "a Via that names no sender"),
        ("z9hG4bKx", "z9hG4bK", "a branch that is nothing but the cookie"),
        ("z9hG4bKx", "z9\u{e4}", "a branch that is no token"),
        ("Call-ID: c\r\n", "", "no Call-ID"),
        ("Call-ID: c", "Call-ID:", "a Call-ID that is none"),
        ("Call-ID: c", "Call-ID: c d", "a Call-ID that is none"),
        ("Call-ID: c", "Call-ID: c\r\n d", "a Call-ID that is none"),
        ("Call-ID: c", "Call-ID: c\0", "a Call-ID that is none"),
        ("From: \"A \\\"\" <sip:a@h>;tag=f\r\n", "", "no From"),
        ("\"A \\\"\"", "\"A \\\"", "a From that ends in the middle"),
        ("tag=f", "tag=f g", "a tag that is none"),
        ("To: <sip:b@h>\r\n", "", "no To"),
        ("To: <", "To: \"B <", "a To that ends in the middle"),
        ("<sip:b@h>", "<sip:b@h", "a To that ends in the middle"),
        ("CSeq: 7 MESSAGE\r\n", "", "no CSeq"),
        ("7 MESSAGE", "7", "a CSeq that is none"),
        ("7 MESSAGE", "MESSAGE", "a CSeq that is none"),
        ("7 MESSAGE", "-7 MESSAGE", "a CSeq that is none"),
        ("7 MESSAGE", "7 MESSAGE x", "a CSeq that is none"),
        ("7 MESSAGE", "2147483648 MESSAGE", "a CSeq that is none"),
        ("7 MESSAGE", "36893488147419103232 MESSAGE", "a CSeq that is none"),
        ("Length: 2", "Length: -2", "a Content-Length that is none"),
        ("Length: 2", "Length: 2, 2", "a Content-Length that is none"),
        ("Length: 2", "Length:", "a Content-Length that is none"),
        ("Length: 2", "Length: 3", "a Content-Length beyond the end"),
        (
            "Length: 2",
            "Length: 99999999999999999999",
            "a Content-Length that is none",
        ),
        ("Call-ID: c", "Call-ID: c\r\ni: c", "a header twice that comes once"),
        ("Call-ID: c", "Call-ID: c\r\nl: 2", "a header twice that comes once"),
        (
            "Call-ID: c",
            "Call-ID: c\r\nf: <sip:x@h>",
            "a header twice that comes once",
        ),
    ] {
        assert_eq!(refused(from, to), Some((400, why.to_owned())), "{from} as {to}");
        assert_eq!(discarded(from, to), Some(why), "{from} as {to}");
    }
}

/// A phone must not ring on because its answer has a line too many.
#[test]
fn what_is_wrong_beside_refuses_a_request_and_no_response() {
    for (to, why) in [
        ("rubbish", "a line that is no header"),
        (": x", "a line that is no header"),
        ("a b: x", "a line that is no header"),
        ("Subject\r\n : x", "a line that is no header"),
        ("X: a\nVia: b", "a line feed without its carriage return"),
        ("c: a/b\r\nContent-Type: a/b", "a header twice that comes once"),
        ("Max-Forwards: 1\r\nMax-Forwards: 2", "a header twice that comes once"),
    ] {
        let to = format!("{to}\r\nCall-ID: c");
        assert_eq!(refused("Call-ID: c", &to), Some((400, why.to_owned())), "{to}");
        assert_eq!(discarded("Call-ID: c", &to), None, "{to}");
    }
    assert_eq!(refused("tag=f", "tag="), Some((400, "an empty tag".into())));
    assert_eq!(discarded("tag=f", "tag="), None);
    assert_eq!(
        refused("7 MESSAGE", "7 OPTIONS"),
        Some((400, "a CSeq with another method".into()))
    );
}

/// RFC 3261 §8.2.2.1, §21.5.6; the version is looked at before all else.
#[test]
fn another_version_scheme_or_uri_is_refused() {
    let status = |from: &str, to: &str| refused(from, to).map(|(status, _)| status);
    assert_eq!(status("h SIP/2.0", "h SIP/3.0"), Some(505));
    assert_eq!(
        status("h SIP/2.0\r\nVia: SIP/2.0/UDP h", "h SIP/3.0\r\nVia: x"),
        Some(505)
    );
    for uri in ["tel:+4930123", "soap.beep://h", "urn:service:sos"] {
        assert_eq!(status("MESSAGE sip:a@h", &format!("MESSAGE {uri}")), Some(416), "{uri}");
    }
    for uri in [
        "h",
        "sip:",
        "sip:a@",
        "sip:a b@h",
        "sip:2001:db8::1",
        "<sip:a@h",
        "sip:a@\u{e4}",
    ] {
        let why = Some((400, "a Request-URI that is none".to_owned()));
        assert_eq!(refused("MESSAGE sip:a@h", &format!("MESSAGE {uri}")), why, "{uri}");
    }
    // RFC 5630 §5.3: who can be reached by sip: need not refuse what makes no dialog.
    for uri in ["SIPS:a@h", "<sip:a@h>", "sip:a@h?Route=x", "sip:h:5070;x"] {
        assert_eq!(status("MESSAGE sip:a@h", &format!("MESSAGE {uri}")), None, "{uri}");
    }
}

/// RFC 3261 §8.2.2.3.
#[test]
fn required_extensions_are_named_unless_a_dialog_may_have_agreed_on_them() {
    let text = REQUEST.replace("Call-ID", "Require: x,\r\n y\r\nRequire: z,\r\nCall-ID");
    let message = Message::parse(text.as_bytes()).unwrap();
    let fault = message.fault().unwrap();
    assert_eq!(fault.status, 420);
    assert_eq!(fault.headers, [("Unsupported", "x, y, z".to_owned())]);
    let in_dialog = text.replace("To: <sip:b@h>", "To: <sip:b@h>;tag=t");
    assert_eq!(Message::parse(in_dialog.as_bytes()).unwrap().fault(), None);
    for method in ["CANCEL", "ACK"] {
        let text = text.replace("MESSAGE", method);
        assert_eq!(Message::parse(text.as_bytes()).unwrap().fault(), None, "{method}");
    }
    assert_eq!(refused("Call-ID", "Require:\r\nCall-ID"), None);
}

/// RFC 3261 §7: nothing could be answered to these.
#[test]
fn what_is_no_message_is_unreadable() {
    let why = |text: &str| Message::parse(text.as_bytes()).err().map(|why| why.0);
    for text in [
        "",
        "\r\n\r\n",
        "x",
        "OPTIONS sip:h SIP/2.0\r\n",
        "OPTIONS sip:h SIP/2.0\n\n",
        "OPTIONS sip:h SIP/2.0\r\nTo: x\r\n \r\n",
    ] {
        assert!(matches!(why(text), Some("no empty line" | "no start line")), "{text:?}");
    }
    assert_eq!(why("OPTIONS sip:h SIP/2.0\r\nTo: x\r\n\r\n"), Some("no Via"));
    assert_eq!(
        why("OPTIONS sip:h SIP/2.0\r\n x: y\r\n\r\n"),
        Some("a folded start line")
    );
    assert_eq!(why("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), Some("no SIP version"));
    let long = REQUEST.replace("hi", &"x".repeat(65_536));
    assert_eq!(why(&long), Some("longer than any datagram"));
    let lines = |number: usize| REQUEST.replace("Call-ID", &format!("{}Call-ID", "s:\r\n".repeat(number - 6)));
    assert_eq!(why(&lines(256)), None);
    assert_eq!(why(&lines(257)), Some("too many lines"));
}

/// RFC 3261 §18.3, §20.14.
#[test]
fn a_body_is_as_long_as_is_said_or_all_there_is() {
    let body = |text: &str| Message::parse(text.as_bytes()).unwrap().body().to_vec();
    assert_eq!(body(REQUEST), b"hi");
    assert_eq!(body(&format!("{REQUEST} there")), b"hi");
    assert_eq!(body(&REQUEST.replace("Content-Length: 2\r\n", "")), b"hi");
    assert_eq!(body(&REQUEST.replace("Content-Length: 2", "L\t:\r\n 0")), b"");
}

/// RFC 3261 §25.1: TEXT-UTF8 and no more; but a peer that writes Latin-1 has its calls.
#[test]
fn what_is_no_utf8_drops_no_message() {
    let latin = |text: &str| {
        text.bytes()
            .flat_map(|byte| if byte == b'~' { vec![0xe4] } else { vec![byte] })
            .collect::<Vec<_>>()
    };
    let bytes = latin(
        &REQUEST
            .replace("\"A \\\"\"", "\"J~ger\"")
            .replace("Call-ID", "Subject: ~\r\nCall-ID"),
    );
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.fault(), message.from_tag()), (None, Some("f")));
    assert_eq!(message.header("Subject").as_deref(), Some("\u{fffd}"));
    assert_eq!(message.request().from, "\"J\u{fffd}ger\" <sip:a@h>;tag=f");
    // Where it would say whose message it is, it says nothing.
    for (from, to) in [
        ("Call-ID: c", "Call-ID: ~"),
        ("tag=f", "tag=~"),
        ("sip:a@h S", "sip:~@h S"),
        ("UDP h;", "UDP ~;"),
        ("bKx", "bK~"),
    ] {
        let bytes = latin(&REQUEST.replacen(from, to, 1));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.fault().map(|fault| fault.status), Some(400), "{to}");
    }
    let bytes = latin(&REQUEST.replacen("MESSAGE sip:a@h SIP/2.0", "SIP/2.0 200 Gru~", 1));
    assert_eq!(Message::parse(&bytes).unwrap().response().reason, "Gru\u{fffd}");
}

/// RFC 3261 §7.3.1, §7.3.3.
#[test]
fn two_spellings_of_a_message_read_alike() {
    let one = "BYE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=f\r\nTo: <sip:b@h>;tag=t\r\n\
        Call-ID: c\r\nCSeq: 7 BYE\r\nContact: <sip:c@d>\r\nSupported: timer\r\nRecord-Route: <sip:p;lr>, <sip:q;lr>\r\n\
        X-Own: 1\r\nContent-Length: 0\r\n\r\n";
    let other = "BYE sip:a@h SIP/2.0\r\nl:0\r\nCALL-ID  :  c  \r\nrecord-ROUTE:<sip:p;lr>\r\nm:\r\n\t<sip:c@d>\r\ncseq: 7\r\n BYE\r\n\
        t:<sip:b@h>\r\n ;tag=t\r\nRecord-Route:\r\n <sip:q;lr>\r\nk: 100rel ,\r\n timer\r\nf: <sip:a@h>;TAG = f\r\n\
        v: SIP / 2.0 / UDP h ; branch = z9hG4bKx\r\nx-own:  1\r\n\r\n";
    let (one, other) = (
        Message::parse(one.as_bytes()).unwrap(),
        Message::parse(other.as_bytes()).unwrap(),
    );
    let seen = |message: &Message<'_>| {
        let request = message.request();
        let names = (
            request.contact,
            request.record_route,
            request.session.timer,
            request.from_tag,
            request.to_tag,
        );
        let key = [message.branch(), message.sent_by(), message.call_id()].map(str::to_owned);
        (
            names,
            key,
            request.cseq,
            message.header("x-OWN").map(Cow::into_owned),
            message.vias(),
        )
    };
    assert_eq!(seen(&one), seen(&other));
    assert_eq!(one.header("X-Other"), None);
}

/// RFC 3261 §19.1.4: `transport=tcp` is no `TCP`, whoever repeats it.
#[test]
fn a_peers_uri_comes_back_as_it_was_written() {
    let uri = "sip:Anna;x=%41@Host.Example:05060;Transport=tcp;LR;maddr=H";
    let text = REQUEST.replacen("sip:a@h", uri, 1).replace(
        "Call-ID",
        &format!("Contact: \"C, c\" <{uri}>;expires=3\r\nRecord-Route: <{uri}>;y\r\nCall-ID"),
    );
    let request = Message::parse(text.as_bytes()).unwrap().request();
    assert_eq!(request.request_uri, uri);
    assert_eq!(request.contact.as_deref(), Some(uri));
    assert_eq!(request.record_route, [format!("<{uri}>;y")]);
}

#[test]
fn what_is_shown_of_a_message_is_no_secret() {
    let text = REQUEST.replace("Call-ID", "Authorization: Digest response=\"secret\"\r\nCall-ID");
    let shown = format!("{:?}", Message::parse(text.as_bytes()).unwrap());
    assert!(shown.contains("\"c\"") && !shown.contains("secret"), "{shown}");
}
