//! Whatever a peer writes into what we repeat, it stays on its line (promise 9).

mod rig;

use call::{Method, Save, Tag};
use proptest::prelude::*;
use rig::Rig;

/// Every request the rig drains is checked for its lines; see `Sent::check`.
fn hostile(text: &str) {
    let mut rig = Rig::early();
    let mut answer = rig.answer_of("phone");
    answer.contact = Some(format!("sip:phone@192.0.2.9{text}"));
    answer.record_route = vec![
        format!("<sip:p1.example;lr{text}>"),
        format!("<sip:p2.example;lr>;x={text}"),
    ];
    answer.to_tag = Some(Tag::new(format!("phone{text}")));
    rig.deliver(&answer);
    rig.saved(Save::Answer);
    rig.drain();
    let mut update = rig.peer_request(Method::Update, "");
    update.from_tag = answer.to_tag.clone();
    update.contact = Some(format!("sip:moved@192.0.2.9{text}"));
    rig.receive(&update);
    rig.disconnect();
    rig.drain();
    rig.challenge(
        "BYE",
        401,
        &[rig::www(&format!(
            r#"Digest realm="a{text}", nonce="b{text}", opaque="c{text}""#
        ))],
    );
    rig.drain();
    assert!(rig.count("BYE") >= 1);
}

#[test]
fn line_ends_do_not_make_headers() {
    for text in [
        "\r\nX-Evil: 1",
        "\nX-Evil: 1\n",
        "\r\n\r\nbody",
        "\u{85}",
        "\0",
        " SIP/2.0\r\nVia: x",
    ] {
        hostile(text);
    }
}

/// The digest is computed over the Request-URI as it is sent.
#[test]
fn the_digest_names_the_request_uri_that_was_sent() {
    let mut rig = Rig::early();
    let mut answer = rig.answer_of("phone");
    answer.contact = Some("sip:a b\r\n@192.0.2.9".to_owned());
    rig.deliver(&answer);
    rig.saved(Save::Answer);
    rig.disconnect();
    rig.drain();
    rig.challenge("BYE", 401, &[rig::www(rig::MD5)]).gives(["BYE 3 phone"]);
    let bye = rig.last("BYE");
    assert_eq!(bye.request_uri, "sip:ab@192.0.2.9");
    assert!(bye.header("Authorization").contains(r#"uri="sip:ab@192.0.2.9""#));
}

proptest! {
    #[test]
    fn nothing_does(text in "[\\PC\\r\\n\\t\\x00 ;,<>\"]{0,24}") {
        hostile(&text);
    }
}
