//! The phone's turn to refresh the session, and a phone that asks for another one (RFC 4028 §9, §10).

mod rig;

use std::time::Duration;

use call::{EndCause, Timer, Wish};
use rig::{ANSWER, MAX_DURATION, Rig, SESSION_EXPIRES, session};
use sip::{Method, Reply, SessionHeaders};

fn said<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let header = reply.headers.iter().find(|(header, _)| *header == name);
    header.map(|(_, value)| value.as_str())
}

/// A request of the phone with these headers, which is answered with this status.
#[track_caller]
#[expect(clippy::expect_used, reason = "a test that cannot go on fails")]
fn asks(rig: &mut Rig, method: Method, session: SessionHeaders, status: u16) -> Reply {
    let mut request = rig.peer_request(method, "");
    request.session = session;
    rig.receive(&request);
    assert_eq!(rig.drain(), [format!("reply {status}")]);
    rig.replies.last().expect("a reply").clone()
}

#[test]
fn a_phone_that_does_not_refresh_is_byed_before_the_interval_is_over() {
    for (interval, lead) in [(90, 30), (96, 32), (300, 32), (1800, 32)] {
        let mut rig = Rig::in_session(&format!("{interval};refresher=uas"), true);
        let wait = Duration::from_secs(interval - lead);
        if wait > MAX_DURATION {
            continue;
        }
        assert_eq!(rig.call.poll_timeout(), Some((rig.now + wait, Timer::SessionExpires)));
        rig.pass(wait).gives(["media stop", "BYE 2 phone", "save Wish"]);
        rig.response_to("BYE", 481).gives(["save End"]);
        rig.ends(EndCause::Wished(Wish::SessionExpired), true);
    }
}

#[test]
fn a_phone_that_refreshes_stays_connected() {
    for method in [Method::Update, Method::Invite] {
        let mut rig = Rig::in_session("300;refresher=uas", true);
        for _ in 0..5 {
            rig.pass(SESSION_EXPIRES / 2).gives([]);
            let mut request = rig.peer_request(method.clone(), ANSWER);
            request.session = session("300;refresher=uac");
            rig.receive(&request).gives(["reply 200"]);
            let reply = rig.replies.last().unwrap();
            assert_eq!(said(reply, "Session-Expires"), Some("300;refresher=uac"));
            assert_eq!(said(reply, "Require"), Some("timer"));
        }
        rig.pass(Duration::from_secs(268))
            .gives(["media stop", "BYE 2 phone", "save Wish"]);
    }
}

/// RFC 4028 §9, table 2.
#[test]
fn who_refreshes_next() {
    let unaware = SessionHeaders {
        timer: false,
        ..session("300")
    };
    for (asked, told, next) in [
        (session("300;refresher=uac"), "300;refresher=uac", Timer::SessionExpires),
        (session("300;refresher=uas"), "300;refresher=uas", Timer::Refresh),
        // What held before goes on.
        (session("300"), "300;refresher=uac", Timer::SessionExpires),
        // It cannot refresh what it does not know of; a proxy on the way has asked.
        (unaware, "300;refresher=uas", Timer::Refresh),
    ] {
        let mut rig = Rig::in_session("300;refresher=uas", true);
        let reply = asks(&mut rig, Method::Update, asked, 200);
        assert_eq!(said(&reply, "Session-Expires"), Some(told));
        assert_eq!(said(&reply, "Require").is_some(), told.ends_with("uac"));
        assert_eq!(rig.call.poll_timeout().map(|(_, timer)| timer), Some(next));
    }
}

#[test]
fn an_interval_too_short_gets_422_and_changes_nothing() {
    let mut rig = Rig::in_session("300;refresher=uas", true);
    let before = rig.call.poll_timeout();
    let reply = asks(&mut rig, Method::Update, session("89;refresher=uac"), 422);
    assert_eq!(said(&reply, "Min-SE"), Some("90"));
    assert_eq!(rig.call.poll_timeout(), before);
    asks(&mut rig, Method::Update, session("90;refresher=uac"), 200);
}

#[test]
fn an_offer_that_cannot_be_accepted_refreshes_nothing() {
    let mut rig = Rig::in_session("300;refresher=uas", true);
    let before = rig.call.poll_timeout();
    rig.pass(Duration::from_secs(10));
    let mut request = rig.peer_request(Method::Invite, "nonsense");
    request.session = session("300;refresher=uac");
    rig.receive(&request).gives(["reply 488"]);
    assert_eq!(said(rig.replies.last().unwrap(), "Session-Expires"), None);
    assert_eq!(rig.call.poll_timeout(), before);
}

/// A phone puts the call on hold and says nothing of session timers: they go on, and its request counts as a refresh.
#[test]
fn a_request_that_is_silent_about_them_keeps_them() {
    let mut rig = Rig::in_session("300;refresher=uas", true);
    rig.pass(Duration::from_secs(100)).gives([]);
    let knows = SessionHeaders {
        timer: true,
        min_se: Some(600),
        ..SessionHeaders::default()
    };
    let reply = asks(&mut rig, Method::Update, knows, 200);
    assert_eq!(said(&reply, "Session-Expires"), Some("600;refresher=uac"));
    // One that does not even know them leaves the refreshing to us.
    let reply = asks(&mut rig, Method::Update, SessionHeaders::default(), 200);
    assert_eq!(said(&reply, "Session-Expires"), Some("600;refresher=uas"));
    rig.pass(Duration::from_secs(300))
        .gives(["UPDATE 2 phone", "save Answer"]);
}

#[test]
fn a_phone_may_begin_with_them_later() {
    let mut rig = Rig::confirmed();
    let reply = asks(&mut rig, Method::Update, SessionHeaders::default(), 200);
    assert_eq!(said(&reply, "Session-Expires"), None);
    let reply = asks(&mut rig, Method::Update, session("120"), 200);
    assert_eq!(said(&reply, "Session-Expires"), Some("120;refresher=uac"));
    assert_eq!(
        rig.call.poll_timeout().map(|(_, timer)| timer),
        Some(Timer::SessionExpires)
    );
}

#[test]
fn a_refresh_after_the_wish_to_end_changes_nothing() {
    let mut rig = Rig::in_session("300;refresher=uas", true);
    rig.disconnect().gives(["media stop", "BYE 2 phone", "save Wish"]);
    asks(&mut rig, Method::Update, session("300;refresher=uac"), 481);
    assert_eq!(rig.call.poll_timeout().map(|(_, timer)| timer), Some(Timer::AnotherBye));
}
