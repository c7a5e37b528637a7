//! Torture: the messages of RFC 4475 and RFC 5118, read here and judged (`docs/torture.md`).
//!
//! Each comes out as the RFC says: refused with the right status, discarded, or taken; then with what the layers above owe a
//! stranger for it. The whole server is asked the same in the tests of `onhook`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod catalogue;
mod details;
mod message;

use catalogue::{CASES, Due};
use sip::{Message, Start};

/// What becomes of a message where it is read.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    /// Nothing is owed, by anybody.
    Discarded(&'static str),
    /// Refused whatever it asks for: its fault, and what is wrong in words.
    Refused(u16, &'static str),
    /// Taken. No dialog is ours: the layers above owe this status.
    Taken(u16),
    /// A response with so many Vias. The layers above drop one that answers nothing, and one with two (RFC 3261 §8.1.3.3).
    Response(u16, usize),
}

use Read::{Discarded, Refused, Response, Taken};

#[rustfmt::skip]
const READ: [(&str, Read); 60] = [
    ("rfc4475/wsinv", Taken(481)),
    ("rfc4475/intmeth", Taken(501)),
    ("rfc4475/esc01", Taken(480)),
    ("rfc4475/escnull", Taken(405)),
    ("rfc4475/esc02", Taken(501)),
    ("rfc4475/lwsdisp", Taken(200)),
    ("rfc4475/longreq", Taken(480)),
    ("rfc4475/dblreq", Taken(405)),
    ("rfc4475/semiuri", Taken(200)),
    ("rfc4475/transports", Taken(200)),
    ("rfc4475/mpart01", Taken(405)),
    ("rfc4475/unreason", Response(200, 1)),
    ("rfc4475/noreason", Response(100, 1)),
    ("rfc4475/badinv01", Refused(400, "a Via with an empty parameter")),
    ("rfc4475/clerr", Refused(400, "a Content-Length beyond the end")),
    ("rfc4475/ncl", Refused(400, "a Content-Length that is none")),
    ("rfc4475/scalar02", Refused(400, "a CSeq that is none")),
    ("rfc4475/scalarlg", Discarded("a CSeq that is none")),
    ("rfc4475/quotbal", Refused(400, "a To that ends in the middle")),
    ("rfc4475/ltgtruri", Taken(480)),
    ("rfc4475/lwsruri", Refused(400, "a Request-URI that is none")),
    ("rfc4475/lwsstart", Taken(480)),
    ("rfc4475/trws", Taken(200)),
    ("rfc4475/escruri", Taken(480)),
    ("rfc4475/baddate", Taken(480)),
    ("rfc4475/regbadct", Taken(405)),
    ("rfc4475/badaspec", Taken(200)),
    ("rfc4475/baddn", Taken(200)),
    ("rfc4475/badvers", Refused(505, "")),
    ("rfc4475/mismatch01", Refused(400, "a CSeq with another method")),
    ("rfc4475/mismatch02", Refused(400, "a CSeq with another method")),
    ("rfc4475/bigcode", Discarded("no status")),
    ("rfc4475/badbranch", Refused(400, "a branch that is nothing but the cookie")),
    ("rfc4475/insuf", Refused(400, "no Call-ID")),
    ("rfc4475/unkscm", Refused(416, "")),
    ("rfc4475/novelsc", Refused(416, "")),
    ("rfc4475/unksm2", Taken(405)),
    ("rfc4475/bext01", Refused(420, "")),
    ("rfc4475/invut", Taken(415)),
    ("rfc4475/regaut01", Taken(405)),
    ("rfc4475/multi01", Refused(400, "a header twice that comes once")),
    ("rfc4475/mcl01", Refused(400, "a header twice that comes once")),
    ("rfc4475/bcast", Response(200, 2)),
    ("rfc4475/zeromf", Taken(200)),
    ("rfc4475/cparam01", Taken(405)),
    ("rfc4475/cparam02", Taken(405)),
    ("rfc4475/regescrt", Taken(405)),
    ("rfc4475/sdp01", Taken(480)),
    ("rfc4475/inv2543", Taken(480)),
    ("rfc5118/ipv6-good", Taken(405)),
    ("rfc5118/ipv6-bad", Refused(400, "a Request-URI that is none")),
    ("rfc5118/port-ambiguous", Taken(405)),
    ("rfc5118/port-unambiguous", Taken(405)),
    ("rfc5118/via-received-param-with-delim", Taken(481)),
    ("rfc5118/via-received-param-no-delim", Taken(481)),
    ("rfc5118/ipv6-in-sdp", Taken(480)),
    ("rfc5118/mult-ip-in-header", Taken(481)),
    ("rfc5118/mult-ip-in-sdp", Taken(480)),
    ("rfc5118/ipv4-mapped-ipv6", Taken(480)),
    ("rfc5118/ipv6-bug-abnf-3-colons", Taken(200)),
];

/// The words of a 400 come from its Warning, so that the peer is told the same.
fn read(bytes: &[u8], expected: &Read) -> Read {
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(why) => return Discarded(why.0),
    };
    let answer = message.answer_outside_dialog();
    match (message.start(), message.fault()) {
        (Start::Response(status), None) => {
            assert_eq!(answer, None, "nobody answers an answer");
            Response(*status, message.vias())
        }
        (Start::Response(_), Some(fault)) => panic!("a response is not refused with {fault:?}"),
        (Start::Request(_), Some(fault)) => {
            assert_eq!(answer.as_ref(), Some(fault));
            let expected = match expected {
                Refused(_, why) => *why,
                _ => "",
            };
            let says = |why: &str| match fault.headers.as_slice() {
                [("Warning", value)] => *value == format!("399 onhook \"{why}\""),
                _ => why.is_empty(),
            };
            assert!(says(expected), "not {expected:?} but {fault:?}");
            Refused(fault.status, expected)
        }
        (Start::Request(_), None) => Taken(answer.expect("a stranger is answered").status),
    }
}

#[test]
fn every_message_comes_out_as_the_rfc_says() {
    assert_eq!(CASES.len(), READ.len());
    for (case, (name, expected)) in CASES.iter().zip(&READ) {
        assert_eq!(case.name, *name);
        let read = read(&message::load(name), expected);
        assert_eq!(read, *expected, "{name}: {}", case.asks);
        let is_due = match (case.due, &read) {
            (Due::Nothing, Discarded(_) | Response(..)) => true,
            (Due::Status(right), Refused(status, _) | Taken(status)) => right.contains(status),
            _ => false,
        };
        assert!(is_due, "{name}: {} and not {read:?}", case.asks);
    }
}
