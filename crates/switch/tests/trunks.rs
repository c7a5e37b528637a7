//! Trunks that are asked whether they are there: by whatever name, and whom to believe that they are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use call::Limits;
use dial::{CapsSettings, CountedNumbers, Plan, PlanSettings, WallTime};
use sip::{BranchKey, Destination, Moment, Timers, Transport, sdp::Codec};
use switch::{
    Event, Found, Identity, Listener, Output, Reach, Settings, Srtp, Switch, TrunkSettings, journal::CallKey,
};

const DAY: Duration = Duration::from_secs(86_400);

fn settings() -> Settings {
    let timers = Timers::default();
    Settings {
        identity: Identity {
            branch_key: BranchKey::new([7; 32]),
            before: CallKey(0),
            secret: [8; 32],
        },
        limits: Limits {
            ring: DAY,
            max_duration: DAY,
            session_expires: None,
            t1: timers.t1,
        },
        timers,
        ended_retention: DAY,
        caps: CapsSettings {
            live: 1,
            live_per_mailbox: 1,
            live_per_trunk: 1,
            starts_per_second_per_trunk: 1,
            starts_per_minute_per_mailbox: 1,
            starts_per_hour_per_mailbox: 1,
            time_per_day_per_mailbox: DAY,
            starts_per_minute_per_address: 1,
            starts_per_ten_minutes_per_number: 1,
            starts_per_minute_to_own_phone: 1,
            time_per_day_to_own_phone: DAY,
        },
        counted: CountedNumbers::new(Plan::new(PlanSettings::default())),
        trunks: vec![TrunkSettings {
            name: "pbx".to_owned(),
            next_hop: "sip:192.0.2.1:5060".to_owned(),
            first_hop: Destination::parse("sip:192.0.2.1:5060").unwrap(),
            domain: "192.0.2.1".to_owned(),
            from: "<sip:onhook@192.0.2.9>".to_owned(),
            outbound_proxy: None,
            credentials: None,
            codecs: vec![Codec::Pcma],
            srtp: Srtp::Off,
            keepalive: Some(Duration::from_secs(30)),
            register: None,
            reach: Reach::new(None),
        }],
        listeners: vec![Listener {
            transport: Transport::Udp,
            address: "192.0.2.9:5060".parse().unwrap(),
        }],
        external_address: None,
        peers: Vec::new(),
        requests_per_second: None,
        user_agent: "onhook".to_owned(),
        connect_limit: Duration::from_secs(4),
    }
}

/// One turn: the OPTIONS that left, and whether the trunk was given up.
fn turn(switch: &mut Switch, now: Moment, refusal: Option<&[u8]>) -> (Vec<Vec<u8>>, bool) {
    switch.begin_turn(now, WallTime::default());
    if let Some(quoted) = refusal {
        switch.handle_refusal(quoted);
    }
    switch.end_turn();
    let (mut asked, mut is_down) = (Vec::new(), false);
    while let Some(output) = switch.poll_output() {
        match output {
            Output::Transmit(transmit) => asked.push(transmit.bytes.to_vec()),
            Output::Event(Event::TrunkDown { .. }) => is_down = true,
            _ => {}
        }
    }
    (asked, is_down)
}

/// Runs until the next OPTIONS leaves.
fn next_question(switch: &mut Switch) -> (Moment, Vec<u8>) {
    for _ in 0..10 {
        let (now, _) = switch.poll_timeout().unwrap();
        let (mut asked, is_down) = turn(switch, now, None);
        assert!(!is_down);
        if let Some(question) = asked.pop() {
            assert!(question.starts_with(b"OPTIONS "));
            return (now, question);
        }
    }
    panic!("nothing was asked");
}

#[test]
fn who_quotes_two_questions_is_believed_and_who_guesses_is_not() {
    let mut switch = Switch::new(settings(), Moment::default(), WallTime::default());
    let (now, first) = next_question(&mut switch);

    let guess = String::from_utf8(first.clone())
        .unwrap()
        .replace("z9hG4bK", "z9hG4bKguess");
    for quoted in [guess.as_bytes(), b"", &first[..40]] {
        for _ in 0..3 {
            assert_eq!(turn(&mut switch, now, Some(quoted)), (vec![], false));
        }
    }
    // The rest of it is more than ICMP quotes.
    let quoted = &first[..first.len().min(500)];
    assert_eq!(
        turn(&mut switch, now, Some(quoted)),
        (vec![], false),
        "it may have been restarted just now"
    );

    let (again, second) = next_question(&mut switch);
    assert!(again.since(now) <= Duration::from_secs(1));
    assert!(!turn(&mut switch, again, Some(quoted)).1, "that was the one before");
    assert!(turn(&mut switch, again, Some(&second[..second.len().min(500)])).1);
}

#[test]
fn a_host_is_the_same_in_capitals() {
    let mut settings = settings();
    settings.trunks[0].first_hop = Destination::parse("sip:PBX.example").unwrap();
    let mut switch = Switch::new(settings, Moment::default(), WallTime::default());
    switch.begin_turn(Moment::default(), WallTime::default());
    switch.end_turn();
    let mut wanted = Vec::new();
    while let Some(output) = switch.poll_output() {
        if let Output::Resolve(host) = output {
            wanted.push(host);
        }
    }
    assert_eq!(wanted, ["pbx.example"]);

    switch.begin_turn(Moment::default(), WallTime::default());
    let found = Found {
        remote: "192.0.2.1".parse().unwrap(),
        local: None,
    };
    switch.found("pbx.example", &[found]);
    switch.end_turn();
    let is_question = |output: Output| matches!(output, Output::Transmit(sent) if sent.bytes.starts_with(b"OPTIONS "));
    assert!(std::iter::from_fn(|| switch.poll_output()).any(is_question));
}
