//! Whatever a peer writes into what we repeat, it stays on its line (promise 9).

mod rig;

use call::{Call, Save, Stray};
use proptest::prelude::*;
use rig::Rig;
use sip::digest::{Credentials, Subject, answer};
use sip::{Challenge, Method, Tag, uri};

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
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Also where nothing but the response is known.
    #[test]
    fn nothing_of_a_stray_answer_does(text in "[\\PC\\r\\n\\x00 ;=,<>\"\u{e9}]{0,24}", place in 0..5_u8) {
        let mut answer = Rig::early().answer_of("stray");
        match place {
            0 => answer.from = format!("\"{text}\" <sip:onhook@example.org>;tag=ours;{text}"),
            1 => answer.from = format!("sip:onhook{text};tag=ours"),
            2 => answer.to = text,
            3 => answer.contact = Some(text),
            _ => answer.record_route = uri::split_list(&text).into_iter().map(str::to_owned).collect(),
        }
        let around = rig::surroundings();
        let Some(stray) = Stray::of(&answer, &around.key) else {
            return Ok(());
        };
        let mut rig = Rig::placing();
        rig.replace(Call::stray(stray, "pbx".to_owned(), around));
        rig.saved(Save::Answer).drain();
        for outgoing in &rig.sent {
            for line in outgoing.text.trim_end().split("\r\n") {
                prop_assert!(!line.is_empty() && !line.contains(char::is_control), "{line:?}");
            }
            prop_assert_eq!(outgoing.text.matches("\r\n\r\n").count(), 1);
        }
    }

    #[test]
    fn nothing_does(text in "[\\PC\\r\\n\\t\\x00 ;,<>\"]{0,24}") {
        hostile(&text);
    }
}

#[test]
fn a_challenge_with_a_line_end_is_none() {
    for value in [
        "Digest realm=\"pbx\", nonce=a\nb",
        "Digest realm=\"pbx\", nonce=\"a\rb\"",
    ] {
        let challenge = Challenge {
            proxy: false,
            value: value.into(),
        };
        let credentials = Credentials {
            username: "onhook".into(),
            password: "secret".into(),
        };
        let subject = Subject {
            method: &Method::Invite,
            uri: "sip:1001@127.0.0.1",
            body: b"",
            cnonce: "0a4f113b",
        };
        assert!(answer(&[challenge], &credentials, subject).is_err(), "{value:?}");
    }
}
