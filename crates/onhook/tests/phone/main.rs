//! The phone against a caller made of text: it rings, answers, listens, and ends its calls in every way there is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what went wrong by failing"
)]

mod caller;
mod line;

use std::sync::Arc;
use std::time::Duration;

use caller::{Caller, PATIENCE, message};
use media::compare::likeness;
use media::{Codec, Heard, Pacer, PlayEnd};
use onhook::phone::{Behaviour, Direction, Ending, Phone, PhoneEvent, PhoneOptions, What};
use sip::{Timers, Transport};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

struct Set {
    phone: Phone,
    events: Receiver<PhoneEvent>,
}

async fn phone(options: PhoneOptions) -> Set {
    let (phone, events) = Phone::start(options).unwrap();
    Set { phone, events }
}

impl Set {
    async fn caller(&self, call_id: &str) -> Caller {
        Caller::udp(self.phone.address(Transport::Udp).unwrap(), call_id).await
    }

    async fn event(&mut self) -> PhoneEvent {
        timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event")
            .expect("the phone is on")
    }

    /// Reads on to the end of a call.
    async fn ended(&mut self) -> (Ending, Option<Arc<Heard>>) {
        loop {
            if let What::Ended { why, heard } = self.event().await.what {
                return (why, heard);
            }
        }
    }

    /// Reads on to a change of the session.
    async fn changed(&mut self) -> (Codec, bool) {
        loop {
            if let What::Changed { codec, listening } = self.event().await.what {
                return (codec, listening);
            }
        }
    }

    async fn answered(&mut self) {
        while !matches!(self.event().await.what, What::Answered { .. }) {}
    }
}

async fn plays_through(transport: Transport, codec: Codec) {
    let mut set = phone(PhoneOptions::default()).await;
    let address = set.phone.address(transport).unwrap();
    let mut caller = match transport {
        Transport::Tcp => Caller::tcp(address, "whole").await,
        _ => Caller::udp(address, "whole").await,
    };
    let offer = caller.sdp(&format!("{} 101", codec.payload_type()), "sendrecv");
    caller.send_request("INVITE", &offer).await;
    assert_eq!(caller.next().await.kind(), "180");
    let answer = caller.next().await;
    assert_eq!((answer.kind(), answer.header("CSeq")), ("200", "1 INVITE"));
    caller.send_request("ACK", "").await;

    let (pacer, (clip, samples)) = (Pacer::start().unwrap(), message(codec));
    let (_playing, finished) = caller.play(&pacer, &clip, codec.payload_type(), answer.rtp_address());
    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
    caller.hang_up().await;

    let (mut told, mut first_sounds) = (Vec::new(), 0);
    let heard = loop {
        match set.event().await.what {
            What::Ended { why, heard } => {
                assert_eq!(why, Ending::CallerHungUp);
                assert_eq!(first_sounds, 1);
                break heard.unwrap();
            }
            What::Message(direction, line) => told.push((direction, line)),
            What::Invited {
                number, from, call_id, ..
            } => {
                assert_eq!((number.as_str(), call_id.as_str()), ("4711", "whole"));
                assert!(from.starts_with("sip:caller@127.0.0.1"), "{from}");
            }
            What::Answered { codec: agreed } => assert_eq!(agreed, Some(codec)),
            What::Heard => first_sounds += 1,
            What::Ringing | What::Acked => {}
            other @ What::Changed { .. } => panic!("{other:?}"),
        }
    };
    use Direction::{Received, Sent};
    let ladder: Vec<_> = told
        .iter()
        .map(|(way, line)| (*way, line.split(' ').next().unwrap()))
        .collect();
    let expected = [
        (Received, "INVITE"),
        (Sent, "180"),
        (Sent, "200"),
        (Received, "ACK"),
        (Received, "BYE"),
        (Sent, "200"),
    ];
    assert_eq!(ladder, expected);

    assert_eq!(heard.stats.packets, 100);
    let likeness = likeness(&samples, &heard.samples).unwrap();
    assert!(likeness.score > 0.95, "{likeness:?}");
    set.phone.hang_up().await;
}

#[tokio::test]
async fn a_call_is_heard_from_beginning_to_end_pcmu_over_udp() {
    plays_through(Transport::Udp, Codec::Pcmu).await;
}

#[tokio::test]
async fn a_call_is_heard_from_beginning_to_end_g722_over_tcp() {
    plays_through(Transport::Tcp, Codec::G722).await;
}

#[tokio::test]
async fn a_caller_who_gives_up_gets_487() {
    let mut set = phone(PhoneOptions {
        behaviour: Behaviour::NoAnswer,
        ..PhoneOptions::default()
    })
    .await;
    let mut caller = set.caller("cancelled").await;
    let offer = caller.sdp("0", "sendrecv");
    caller.send_request("INVITE", &offer).await;
    assert_eq!(caller.next().await.kind(), "180");
    caller.send_request("CANCEL", "").await;
    let (one, other) = (caller.next().await, caller.next().await);
    let mut kinds = [(one.header("CSeq"), one.kind()), (other.header("CSeq"), other.kind())];
    kinds.sort_unstable();
    assert_eq!(kinds, [("1 CANCEL", "200"), ("1 INVITE", "487")]);
    let (why, heard) = set.ended().await;
    assert_eq!((why, heard), (Ending::Cancelled, None));
}

#[tokio::test]
async fn busy_decline_and_no_common_codec_are_refused() {
    for (behaviour, formats, status) in [
        (Behaviour::Busy, "0", 486),
        (Behaviour::Decline, "0", 603),
        (Behaviour::Answer, "18", 488),
    ] {
        let mut set = phone(PhoneOptions {
            behaviour,
            ..PhoneOptions::default()
        })
        .await;
        let mut caller = set.caller("refused").await;
        let offer = caller.sdp(formats, "sendrecv");
        caller.send_request("INVITE", &offer).await;
        assert_eq!(caller.next().await.kind(), status.to_string());
        assert_eq!(set.ended().await, (Ending::Refused(status), None));
    }
}

#[tokio::test]
async fn switching_off_hangs_up_every_call() {
    let mut set = phone(PhoneOptions::default()).await;
    let mut callers = Vec::new();
    for call_id in ["one", "two", "three"] {
        let mut caller = set.caller(call_id).await;
        caller.call("0").await;
        callers.push(caller);
    }
    assert_eq!(set.phone.live_calls(), 3);
    let off = tokio::spawn(set.phone.hang_up());
    for caller in &mut callers {
        let bye = caller.until("BYE").await;
        assert!(bye.text.starts_with(&format!(
            "BYE sip:caller@{}",
            bye.header("To").split(['@', '>']).nth(1).unwrap()
        )));
        caller.accept(&bye).await;
    }
    timeout(PATIENCE, off).await.unwrap().unwrap();
    let mut ends = 0;
    while let Some(event) = set.events.recv().await {
        if let What::Ended { why, .. } = event.what {
            assert_eq!(why, Ending::HungUp(Some(200)));
            ends += 1;
        }
    }
    assert_eq!(ends, 3);
}

#[tokio::test]
async fn the_phone_hangs_up_when_it_has_heard_enough() {
    let options = PhoneOptions {
        hang_up_after: Some(Duration::from_millis(50)),
        ..PhoneOptions::default()
    };
    let mut set = phone(options).await;
    let mut caller = set.caller("enough").await;
    caller.call("0").await;
    let bye = caller.until("BYE").await;
    caller.accept(&bye).await;
    assert_eq!(set.ended().await.0, Ending::HungUp(Some(200)));
}

#[tokio::test]
async fn a_call_goes_on_hold_and_comes_back_in_another_codec() {
    let mut set = phone(PhoneOptions::default()).await;
    let mut caller = set.caller("held").await;
    caller.call("0 8 101").await;
    for (formats, direction, wanted, listening, codec) in [
        ("0 8", "inactive", "inactive", false, Codec::Pcmu),
        ("8", "sendonly", "recvonly", true, Codec::Pcma),
        ("9 8", "sendrecv", "sendrecv", true, Codec::Pcma),
    ] {
        let offer = caller.sdp(formats, direction);
        caller.send_request("INVITE", &offer).await;
        let answer = caller.until("200").await;
        assert!(answer.body().contains(&format!("a={wanted}\r\n")), "{}", answer.body());
        caller.send_request("ACK", "").await;
        assert_eq!(set.changed().await, (codec, listening));
    }
    // Nothing in common: the session stays as it was (RFC 3261 §14.1).
    let offer = caller.sdp("18", "sendrecv");
    caller.send_request("INVITE", &offer).await;
    assert_eq!(caller.until("488").await.header("CSeq"), "5 INVITE");
    caller.send_request("ACK", "").await;
    caller.hang_up().await;
    assert_eq!(set.ended().await.0, Ending::CallerHungUp);
}

#[tokio::test]
async fn an_invite_without_an_offer_gets_one() {
    let mut set = phone(PhoneOptions {
        codecs: vec![Codec::Pcma],
        ..PhoneOptions::default()
    })
    .await;
    let mut caller = set.caller("late").await;
    caller.send_request("INVITE", "").await;
    let offer = caller.until("200").await;
    assert!(offer.body().contains("RTP/AVP 8 101"), "{}", offer.body());
    let answer = caller.sdp("8 101", "sendrecv");
    caller.send_request("ACK", &answer).await;
    // The ear opens with the ACK, so the clip begins after it was taken.
    while !matches!(set.event().await.what, What::Acked) {}
    let (pacer, (clip, samples)) = (Pacer::start().unwrap(), message(Codec::Pcma));
    let (_playing, finished) = caller.play(&pacer, &clip, 8, offer.rtp_address());
    assert_eq!(timeout(PATIENCE, finished).await, Ok(PlayEnd::Played));
    caller.hang_up().await;
    let (why, heard) = set.ended().await;
    assert_eq!(why, Ending::CallerHungUp);
    assert!(likeness(&samples, &heard.unwrap().samples).unwrap().score > 0.95);
}

#[tokio::test]
async fn an_answer_never_acked_is_repeated_and_then_ended() {
    let t1 = Duration::from_millis(10);
    let timers = Timers {
        t1,
        t2: t1 * 8,
        t4: t1 * 10,
    };
    let mut set = phone(PhoneOptions {
        timers,
        ..PhoneOptions::default()
    })
    .await;
    let mut caller = set.caller("mute").await;
    let offer = caller.sdp("0", "sendrecv");
    caller.send_request("INVITE", &offer).await;
    caller.until("200").await;
    assert_eq!(caller.next().await.kind(), "200", "repeated");
    let bye = caller.until("BYE").await;
    caller.accept(&bye).await;
    assert_eq!(set.ended().await.0, Ending::NeverAcked);
}

#[tokio::test]
async fn what_belongs_to_no_call_is_answered_sensibly() {
    let mut set = phone(PhoneOptions::default()).await;
    let mut caller = set.caller("nothing").await;
    caller.send_request("OPTIONS", "").await;
    let answer = caller.next().await;
    assert_eq!(answer.kind(), "200");
    assert!(answer.header("Allow").contains("INVITE"));
    // The 200 left a To tag behind, of a dialog that does not exist.
    caller.send_request("BYE", "").await;
    assert_eq!(caller.next().await.kind(), "481");
    assert_eq!(set.phone.live_calls(), 0);
    // Calls go on being taken after that.
    let mut caller = set.caller("after").await;
    caller.call("0").await;
    set.answered().await;
    caller.hang_up().await;
    assert_eq!(set.ended().await.0, Ending::CallerHungUp);
}

#[tokio::test]
async fn more_calls_than_the_phone_holds_are_busy() {
    let mut set = phone(PhoneOptions {
        max_calls: 1,
        ..PhoneOptions::default()
    })
    .await;
    let mut first = set.caller("first").await;
    first.call("0").await;
    let mut second = set.caller("second").await;
    let offer = second.sdp("0", "sendrecv");
    second.send_request("INVITE", &offer).await;
    assert_eq!(second.next().await.kind(), "486");
    first.hang_up().await;
    assert_eq!(set.ended().await.0, Ending::CallerHungUp);
}
