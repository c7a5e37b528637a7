//! Session descriptions as Asterisk, FreeSWITCH, baresip and desk phones write them.

mod rig;

use proptest::prelude::*;
use rig::{ANSWER, media};
use sip::sdp::{Agreed, Codec, Direction, LocalMedia, SdpError, accept, answer, offer};

const ASTERISK: &str = "v=0\r\no=- 1469362183 1469362183 IN IP4 192.0.2.5\r\ns=Asterisk\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\n\
    m=audio 14082 RTP/AVP 0 8 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";

const FREESWITCH: &str = "v=0\r\no=FreeSWITCH 1700000000 1700000001 IN IP4 192.0.2.6\r\ns=FreeSWITCH\r\nc=IN IP4 192.0.2.6\r\n\
    t=0 0\r\nm=audio 27304 RTP/AVP 102 9 0 8 103 101\r\na=rtpmap:102 opus/48000/2\r\na=fmtp:102 useinbandfec=1; maxaveragebitrate=30000\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:103 telephone-event/48000\r\n\
    a=fmtp:103 0-15\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=silenceSupp:off - - - -\r\na=ptime:20\r\n";

const BARESIP: &str = "v=0\r\no=- 2719286113 1085447711 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\na=tool:baresip 1.0.0\r\n\
    m=audio 15512 RTP/AVP 8 0 101\r\nb=AS:125\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:15513\r\na=sendrecv\r\na=label:1\r\na=rtcp-rsize\r\n\
    a=ssrc:2885421410 cname:sip:phone@192.0.2.7\r\na=ptime:20\r\n";

/// No rtpmap for static payload types, the connection in the media, an old way to say where RTCP goes.
const CISCO: &str = "v=0\r\no=CiscoSystemsSIP-GW-UserAgent 5597 7982 IN IP4 192.0.2.8\r\ns=SIP Call\r\nt=0 0\r\n\
    m=audio 17556 RTP/AVP 18 0 100\r\nc=IN IP4 192.0.2.88\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n\
    a=rtpmap:100 X-NSE/8000\r\na=fmtp:100 192-194\r\na=ptime:20\r\n";

/// Secure and plain audio side by side, video, and a presentation stream.
const VIDEO_PHONE: &str = "v=0\r\no=Polycom 1 1 IN IP4 192.0.2.10\r\ns=Polycom IP Phone\r\nc=IN IP4 192.0.2.10\r\nb=AS:1024\r\nt=0 0\r\na=sendrecv\r\n\
    m=audio 2222 RTP/SAVP 9 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n\
    m=audio 2224 RTP/AVP 9 127 0\r\na=rtpmap:9 G722/8000\r\na=rtpmap:127 telephone-event/8000\r\n\
    m=video 2226 RTP/AVP 109 34\r\na=rtpmap:109 H264/90000\r\na=rtpmap:34 H263/90000\r\n\
    m=application 2228 TCP/BFCP *\r\n";

fn media_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("m=")).collect()
}

#[track_caller]
fn answered(offer: &str) -> (String, Agreed) {
    let (text, agreed) = answer(&media(), offer.as_bytes(), None).unwrap_or_else(|why| panic!("{why}: {offer}"));
    // RFC 3264 §6: one line for each of theirs, of the same kind and in the same order.
    let kinds = |text: &str| -> Vec<String> {
        let kind = |line: &&str| line.split(' ').next().map(str::to_owned);
        media_lines(text).iter().filter_map(kind).collect()
    };
    assert_eq!(kinds(&text), kinds(offer));
    (text, agreed)
}

#[test]
fn asterisk() {
    let (text, agreed) = answered(ASTERISK);
    assert_eq!(agreed.codec, Codec::Pcmu, "what the peer prefers");
    assert_eq!(agreed.telephone_event, Some(101));
    assert_eq!(agreed.remote.to_string(), "192.0.2.5:14082");
    assert_eq!(media_lines(&text), ["m=audio 30000 RTP/AVP 0 101"]);
}

#[test]
fn freeswitch() {
    let (text, agreed) = answered(FREESWITCH);
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::G722, 9));
    assert_eq!(agreed.telephone_event, Some(101), "the one with our clock");
    assert!(text.contains("a=rtpmap:9 G722/8000\r\n"));
}

#[test]
fn baresip() {
    let (_, agreed) = answered(BARESIP);
    assert_eq!((agreed.codec, agreed.direction), (Codec::Pcma, Direction::SendRecv));
}

#[test]
fn cisco() {
    let (text, agreed) = answered(CISCO);
    assert_eq!((agreed.codec, agreed.telephone_event), (Codec::Pcmu, None));
    assert_eq!(agreed.remote.to_string(), "192.0.2.88:17556");
    assert!(!text.contains("telephone-event"));
}

/// A stream is refused by port 0, never by leaving it out (RFC 3264 §6).
#[test]
fn a_phone_with_video_and_secure_audio() {
    let (text, agreed) = answered(VIDEO_PHONE);
    assert_eq!(agreed.remote.port(), 2224);
    assert_eq!(agreed.telephone_event, Some(127));
    assert_eq!(
        media_lines(&text),
        [
            "m=audio 0 RTP/SAVP 9 0",
            "m=audio 30000 RTP/AVP 9 127",
            "m=video 0 RTP/AVP 109 34",
            "m=application 0 TCP/BFCP *",
        ]
    );
}

#[test]
fn the_numbers_are_the_offers_own() {
    let offer = ANSWER
        .replace("AVP 8 101", "AVP 96 97")
        .replace(":8 ", ":96 ")
        .replace(":101 ", ":97 ");
    let (text, agreed) = answered(&offer);
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcma, 96));
    assert!(text.contains("m=audio 30000 RTP/AVP 96 97\r\n") && text.contains("a=rtpmap:96 PCMA/8000\r\n"));
}

#[test]
fn addresses_of_both_families() {
    let offer = ANSWER.replace("IN IP4 192.0.2.9", "IN IP6 2001:db8::9");
    let local = LocalMedia {
        address: "[2001:db8::1]:30000".parse().unwrap(),
        ..media()
    };
    let (_, agreed) = answer(&local, offer.as_bytes(), None).unwrap();
    assert_eq!(agreed.remote.to_string(), "[2001:db8::9]:4000");
    assert!(sip::sdp::offer(&local).contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn what_cannot_be_used_says_why() {
    for (offer, why) in [
        ("", SdpError::Malformed),
        ("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n", SdpError::NoAudio),
        (&ANSWER.replace("m=audio", "m=video"), SdpError::NoAudio),
        (&ANSWER.replace("m=audio 4000", "m=audio 0"), SdpError::NoAudio),
        (&ANSWER.replace("AVP 8 101", "AVP 101"), SdpError::NoCommonCodec),
        (&ANSWER.replace("PCMA/8000", "PCMA/16000"), SdpError::NoCommonCodec),
        (&ANSWER.replace("c=IN IP4 192.0.2.9\r\n", ""), SdpError::NoAddress),
    ] {
        assert_eq!(answer(&media(), offer.as_bytes(), None), Err(why), "{offer}");
        assert_eq!(accept(&media(), offer.as_bytes()), Err(why), "{offer}");
    }
}

#[test]
fn what_we_offer_we_can_answer_and_accept() {
    let offer = offer(&media());
    let phone = LocalMedia {
        address: "192.0.2.9:4000".parse().unwrap(),
        session_id: 2,
        version: 1,
        codecs: vec![Codec::Pcmu],
        protection: None,
    };
    let (text, theirs) = answer(&phone, offer.as_bytes(), None).unwrap();
    let ours = accept(&media(), text.as_bytes()).unwrap();
    assert_eq!((ours.codec, theirs.codec), (Codec::Pcmu, Codec::Pcmu));
    assert_eq!((ours.remote, theirs.remote), (phone.address, media().address));
    assert_eq!(ours.telephone_event, Some(101));
}

/// A description with some bytes replaced, cut or repeated.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let originals = vec![ASTERISK, FREESWITCH, BARESIP, CISCO, VIDEO_PHONE, ANSWER];
    let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (prop::sample::select(originals), prop::collection::vec(edit, 0..12)).prop_map(|(original, edits)| {
        let mut bytes = original.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail.into_iter().take(40));
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Promise 9; and what we answer can always be read again.
    #[test]
    fn mutated_descriptions_do_not_panic(bytes in mutated()) {
        let _ = accept(&media(), &bytes);
        if let Ok((text, agreed)) = answer(&media(), &bytes, Some(Codec::Pcma)) {
            prop_assert!(media().codecs.contains(&agreed.codec));
            prop_assert!(!agreed.direction.sends() || !agreed.remote.ip().is_unspecified());
            prop_assert!(agreed.remote.port() != 0);
            let live = media_lines(&text).into_iter().filter(|line| line.starts_with("m=audio 30000 ")).count();
            prop_assert_eq!(live, 1);
            prop_assert!(accept(&media(), text.as_bytes()).is_ok(), "{}", text);
        }
    }
}
