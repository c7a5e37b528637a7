//! What a stranger is owed (RFC 3261 §8.2).

use sip::{ALLOW, APPLICATION_SDP, Message, Reply};

/// The answer to a sound request of this method, with more header lines.
fn answer(method: &str, uri: &str, lines: &str) -> Option<Reply> {
    let text = format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=f\r\nCall-ID: c\r\n\
         CSeq: 7 {method}\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes()).unwrap().answer_outside_dialog()
}

fn outside(method: &str) -> Reply {
    answer(method, "sip:b@h", "To: <sip:b@h>\r\n").unwrap()
}

/// RFC 3261 §8.2.1, §11.2, §21.4.6, §21.5.2, RFC 6665 §4.1.3.
#[test]
fn each_method_has_its_answer() {
    let options = Reply::status(200).with("Allow", ALLOW).with("Accept", APPLICATION_SDP);
    assert_eq!(outside("OPTIONS"), options);
    assert_eq!(outside("INVITE"), Reply::status(480));
    for method in ["REGISTER", "MESSAGE", "PUBLISH", "REFER", "SUBSCRIBE"] {
        assert_eq!(outside(method), Reply::status(405).with("Allow", ALLOW), "{method}");
    }
    assert_eq!(outside("NOTIFY"), Reply::status(489).with("Allow-Events", "none"));
    for method in ["BYE", "UPDATE", "INFO", "PRACK", "CANCEL"] {
        assert_eq!(outside(method), Reply::status(481), "{method}");
    }
    for method in ["NEWMETHOD", "invite", "!x"] {
        assert_eq!(outside(method), Reply::status(501), "{method}");
    }
}

/// RFC 3261 §12.2.2.
#[test]
fn a_dialog_that_we_do_not_have_does_not_exist() {
    for method in ["OPTIONS", "INVITE", "REGISTER", "MESSAGE", "NOTIFY", "BYE", "CANCEL"] {
        let answer = answer(method, "sips:b@h", "Require: x\r\nc: a/b\r\nTo: <sip:b@h>;tag=t\r\n");
        assert_eq!(answer, Some(Reply::status(481)), "{method}");
    }
}

/// RFC 3261 §17.1.1.3.
#[test]
fn nothing_answers_an_ack_or_a_response() {
    assert_eq!(answer("ACK", "sip:b@h", "To: <sip:b@h>\r\n"), None);
    assert_eq!(answer("ACK", "tel:1", ""), None);
    let response = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@h>\r\nTo: <sip:a@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";
    assert_eq!(
        Message::parse(response.as_bytes()).unwrap().answer_outside_dialog(),
        None
    );
}

#[test]
fn a_fault_comes_before_all_else() {
    assert_eq!(
        answer("NEWMETHOD", "tel:1", "To: <sip:b@h>\r\n"),
        Some(Reply::status(416))
    );
    assert_eq!(answer("OPTIONS", "sip:b@h", "").map(|reply| reply.status), Some(400));
    let required = answer("INVITE", "sip:b@h", "Require: 100rel\r\nTo: <sip:b@h>\r\n");
    assert_eq!(required, Some(Reply::status(420).with("Unsupported", "100rel")));
}

/// RFC 3261 §8.2.3, §20.11.
#[test]
fn an_invite_with_a_body_that_nobody_reads_is_refused_for_it() {
    let invite = |lines: &str| answer("INVITE", "sip:b@h", &format!("{lines}\r\nTo: <sip:b@h>\r\n")).unwrap();
    let type_wanted = Reply::status(415).with("Accept", APPLICATION_SDP);
    assert_eq!(invite("Content-Type: application/unknownformat"), type_wanted);
    assert_eq!(invite("c: multipart/mixed;boundary=x"), type_wanted);
    assert_eq!(
        invite("Content-Disposition: session;handling=required\r\nc: text/plain"),
        type_wanted
    );
    let encoding = "c: application/sdp\r\nContent-Encoding: gzip";
    assert_eq!(invite(encoding), Reply::status(415).with("Accept-Encoding", "identity"));
    for taken in [
        "c: Application/SDP ; charset=x",
        "e: Identity",
        "Content-Disposition: render ; Handling = optional\r\nc: text/plain",
    ] {
        assert_eq!(invite(taken), Reply::status(480), "{taken}");
    }
}

/// RFC 3261 §8.2.2.1 has 416 for whoever does not know `sips:`. We do; but the Contact of a dialog made that way would have to be
/// one (§12.1.1), and ours is none: RFC 5630 §5.3 has words for it.
#[test]
fn a_call_to_a_sips_address_is_refused_in_words_and_a_question_is_answered() {
    let sips = |method: &str| answer(method, "sips:b@h", "To: <sips:b@h>\r\n").unwrap();
    assert_eq!(
        sips("INVITE"),
        Reply::status(480).with("Warning", "380 onhook \"SIPS Not Allowed\"")
    );
    assert_eq!(sips("OPTIONS"), outside("OPTIONS"));
}
