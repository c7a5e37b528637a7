//! SRTP by SDES (RFC 4568): what is offered, what is taken for an answer, and what is answered.

use std::net::SocketAddr;

use sip::sdp::{Codec, LocalMedia, Protection, SdpError, SrtpKey, accept, answer, offer};

const OURS: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
const THEIRS: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC";

fn local(required: Option<bool>) -> LocalMedia {
    LocalMedia {
        address: SocketAddr::from(([192, 0, 2, 1], 4000)),
        session_id: 1,
        version: 1,
        codecs: vec![Codec::Pcmu],
        protection: required.map(|required| Protection {
            key: SrtpKey(*b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            required,
        }),
    }
}

fn description(streams: &str) -> Vec<u8> {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{streams}").into_bytes()
}

fn stream(profile: &str, crypto: &str) -> String {
    format!("m=audio 5000 {profile} 0\r\n{crypto}")
}

fn crypto(tag: u32) -> String {
    format!("a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{THEIRS}\r\n")
}

fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn the_offer_has_a_key_and_says_how_much_it_is_wanted() {
    for (required, profile) in [(true, "RTP/SAVP"), (false, "RTP/AVP")] {
        let text = offer(&local(Some(required)));
        assert_eq!(lines(&text, "m="), [format!("m=audio 4000 {profile} 0 101")]);
        assert_eq!(
            lines(&text, "a=crypto"),
            [format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{OURS}")]
        );
    }
    let text = offer(&local(None));
    assert!(!text.contains("crypto") && text.contains("RTP/AVP"));
}

#[test]
fn an_answer_is_taken_as_far_as_the_trunk_allows() {
    let key = Some(SrtpKey(*b"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"));
    let other = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{THEIRS}\r\n".to_owned();
    for (profile, crypto, required, preferred) in [
        ("RTP/SAVP", crypto(1), Ok(key), Ok(key)),
        ("RTP/AVP", crypto(1), Ok(key), Ok(key)),
        ("RTP/AVP", String::new(), Err(SdpError::Unprotected), Ok(None)),
        (
            "RTP/SAVP",
            String::new(),
            Err(SdpError::NoCommonCrypto),
            Err(SdpError::NoCommonCrypto),
        ),
        (
            "RTP/SAVP",
            other,
            Err(SdpError::NoCommonCrypto),
            Err(SdpError::NoCommonCrypto),
        ),
        // It names a line that was not offered.
        (
            "RTP/SAVP",
            crypto(2),
            Err(SdpError::NoCommonCrypto),
            Err(SdpError::NoCommonCrypto),
        ),
    ] {
        let text = description(&stream(profile, &crypto));
        for (how, wanted) in [(true, required), (false, preferred)] {
            let agreed = accept(&local(Some(how)), &text).map(|agreed| agreed.srtp);
            assert_eq!(agreed, wanted, "{profile} {crypto:?}, required: {how}");
        }
    }
}

#[test]
fn without_srtp_nothing_is_protected_and_nothing_protected_is_taken() {
    let plain = description(&stream("RTP/AVP", &crypto(1)));
    assert_eq!(accept(&local(None), &plain).map(|agreed| agreed.srtp), Ok(None));
    let protected = description(&stream("RTP/SAVP", &crypto(1)));
    assert_eq!(accept(&local(None), &protected), Err(SdpError::NoAudio));
}

#[test]
fn an_offer_is_answered_with_its_tag_and_our_key() {
    let offered = stream("RTP/AVP", "") + &stream("RTP/SAVP", &crypto(7));
    let (text, agreed) = answer(&local(Some(false)), &description(&offered), None).unwrap();
    assert!(agreed.srtp.is_some());
    assert_eq!(lines(&text, "m="), ["m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/SAVP 0"]);
    assert_eq!(
        lines(&text, "a=crypto"),
        [format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{OURS}")]
    );
}

/// A re-INVITE that would take the sound back into the clear.
#[test]
fn an_offer_in_clear_is_refused_where_srtp_is_required() {
    let offered = description(&stream("RTP/AVP", ""));
    assert_eq!(
        answer(&local(Some(true)), &offered, None).unwrap_err(),
        SdpError::Unprotected
    );
    let (text, agreed) = answer(&local(Some(false)), &offered, None).unwrap();
    assert!(agreed.srtp.is_none() && !text.contains("crypto"));
}
