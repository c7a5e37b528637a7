//! What has happened to a call is seen outside at once: what can be asked about it, what is logged, and what it holds of the caps.

use std::time::Duration;

use call::{End, EndCause};
use sip::digest::Credentials;
use switch::{Event, Settings, State, TrunkSettings};

use crate::rig::{Rig, answer, answer_with, from_phone, id, settings, trunk};

const OTHER_PHONE: [&str; 1] = ["Contact: <sip:other@192.0.2.5>"];

impl Rig {
    fn state(&self) -> State {
        self.known[&id(1)].information.state
    }

    fn end(&self) -> Option<End> {
        self.known[&id(1)].information.end.clone()
    }
}

#[test]
fn a_phone_that_rang_rings_no_longer_once_its_invite_is_refused_for_want_of_a_password() {
    let credentials = Credentials {
        username: "onhook".to_owned(),
        password: "secret".to_owned(),
    };
    let mut rig = Rig::with(Settings {
        trunks: vec![TrunkSettings {
            credentials: Some(credentials),
            ..trunk("pbx", "sip:192.0.2.5:5060")
        }],
        ..settings()
    });
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 180));
    assert_eq!(rig.state(), State::Alerted);
    let challenge = ["WWW-Authenticate: Digest realm=\"pbx\", nonce=\"1\""];
    assert_eq!(
        rig.trunk_says(&answer_with(&invite, 401, "phone", &challenge)),
        ["Connecting", "ACK", "journal intent"]
    );
    assert_eq!(rig.state(), State::Connecting);
}

#[test]
fn an_end_is_no_longer_confirmed_once_the_phone_of_another_fork_was_given_up() {
    let mut rig = Rig::with(Settings {
        ended_retention: Duration::from_secs(600),
        ..settings()
    });
    let invite = rig.up(1);
    rig.trunk_says(&answer_with(&invite, 200, "other", &OTHER_PHONE));
    rig.durable();
    rig.trunk_says(&from_phone(&invite, "BYE", 1));
    let end = |confirmed| {
        Some(End {
            cause: EndCause::RemoteHangup,
            confirmed,
        })
    };
    assert_eq!(rig.end(), end(true));
    rig.durable();
    rig.pass(Duration::from_secs(150));
    assert_eq!(rig.end(), end(false), "nobody has answered the BYE to the other phone");
}

#[test]
fn an_answer_that_cannot_be_used_is_told_with_its_trunk() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    let text = answer(&invite, 200).replace("m=audio 4000 RTP/AVP 8", "m=audio 4000 RTP/AVP 99");
    rig.hear(invite.path, &text);
    assert_eq!(rig.durable(), ["ACK", "BYE", "journal wish"]);
    assert!(rig.has(|event| matches!(event, Event::UnusableAnswer { trunk, .. } if trunk == "pbx")));
}

#[test]
fn a_call_holds_its_place_again_when_a_phone_answers_after_its_end() {
    let mut rig = Rig::new();
    let invite = rig.invited(1);
    rig.trunk_says(&answer(&invite, 486));
    rig.durable();
    assert_eq!(rig.switch.live(), 0);
    rig.trunk_says(&answer_with(&invite, 200, "other", &OTHER_PHONE));
    assert_eq!(rig.switch.live(), 1);
    rig.durable();
    let bye = rig.last("BYE");
    rig.trunk_says(&answer(&bye, 200));
    assert_eq!(rig.switch.live(), 0);
}
