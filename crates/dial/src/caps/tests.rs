//! Each cap alone, all together, and over a restart.

mod own_phone;

use proptest::prelude::*;

use super::*;
use crate::{Number, permit::Caller, site::plan};

const PLENTY: u32 = 1_000_000;
const LONG: Duration = Duration::from_secs(1800);

fn plenty() -> CapsSettings {
    CapsSettings {
        live: PLENTY,
        live_per_mailbox: PLENTY,
        live_per_trunk: PLENTY,
        starts_per_second_per_trunk: PLENTY,
        starts_per_minute_per_mailbox: PLENTY,
        starts_per_hour_per_mailbox: PLENTY,
        time_per_day_per_mailbox: MINUTE * PLENTY,
        starts_per_minute_per_address: PLENTY,
        starts_per_ten_minutes_per_number: PLENTY,
        starts_per_minute_to_own_phone: PLENTY,
        time_per_day_to_own_phone: MINUTE * PLENTY,
    }
}

fn at(seconds: f64) -> WallTime {
    WallTime::after_epoch(Duration::from_secs(1_800_000_000)) + Duration::from_secs_f64(seconds)
}

fn caps_of(settings: CapsSettings) -> Caps {
    let plan = plan("country = \"DE\"\nextensions = \"[1-9][0-9]{3}\"");
    Caps::new(settings, CountedNumbers::new(plan))
}

fn permit(mailbox: u8, number: &str, address: u8) -> Permit {
    Permit {
        number: Number {
            text: number.to_owned(),
            is_uri: false,
        },
        caller: Caller {
            address: Some([127, 0, 0, address].into()),
            key: [mailbox; 32],
            name: None,
        },
        own_phone: false,
    }
}

/// To a phone of the mailbox's own.
fn own(mailbox: u8, number: &str, address: u8) -> Permit {
    Permit {
        own_phone: true,
        ..permit(mailbox, number, address)
    }
}

/// A call of mailbox 1 from address 1 to a number that is not called again.
fn start(caps: &mut Caps, seconds: f64) -> Result<Grant, Capped> {
    caps.grant(permit(1, &format!("{seconds}"), 1), &["a"], LONG, at(seconds))
}

fn counted_start(request_uri: &str) -> CountedStart<'_> {
    CountedStart {
        request_uri,
        trunk: "a",
        address: Some([127, 0, 0, 1].into()),
    }
}

fn refused_by(granted: Result<Grant, Capped>) -> (&'static str, Duration) {
    match granted {
        Ok(grant) => panic!("{grant:?}"),
        Err(capped) => (capped.key(), capped.wait),
    }
}

#[test]
fn live_calls_are_counted_for_the_server_the_mailbox_and_the_trunk() {
    for (settings, key) in [
        (CapsSettings { live: 2, ..plenty() }, "max_live"),
        (
            CapsSettings {
                live_per_mailbox: 2,
                ..plenty()
            },
            "max_live_per_mailbox",
        ),
        (
            CapsSettings {
                live_per_trunk: 2,
                ..plenty()
            },
            "max_live_per_trunk",
        ),
    ] {
        let mut caps = caps_of(settings);
        let first = start(&mut caps, 0.0).unwrap();
        let second = start(&mut caps, 1.0).unwrap();
        assert_eq!(refused_by(start(&mut caps, 2.0)), (key, SOME_END));
        assert_eq!(caps.live(), 2, "a refusal takes nothing");
        caps.give_back(first.into_hold(), at(3.0));
        let third = start(&mut caps, 4.0).unwrap();
        assert_eq!(refused_by(start(&mut caps, 5.0)).0, key);
        for grant in [second, third] {
            caps.give_back(grant.into_hold(), at(6.0));
        }
        assert_eq!(caps.live(), 0);
    }
}

#[test]
fn starts_of_a_mailbox_are_counted_by_the_minute_and_the_hour() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_per_mailbox: 2,
        starts_per_hour_per_mailbox: 3,
        ..plenty()
    });
    let _holds = [start(&mut caps, 0.0).unwrap(), start(&mut caps, 20.0).unwrap()];
    let minute = "starts_per_minute_per_mailbox";
    assert_eq!(refused_by(start(&mut caps, 30.0)), (minute, Duration::from_secs(30)));
    assert_eq!(refused_by(start(&mut caps, 59.0)), (minute, Duration::from_secs(1)));
    let _other_mailbox = caps.grant(permit(2, "1", 1), &["a"], LONG, at(59.0)).unwrap();
    let _third = start(&mut caps, 60.0).unwrap();
    assert_eq!(
        refused_by(start(&mut caps, 600.0)),
        ("starts_per_hour_per_mailbox", Duration::from_secs(3000))
    );
    let _fourth = start(&mut caps, 3600.0).unwrap();
}

#[test]
fn a_trunk_starts_so_many_a_second_and_the_next_one_helps_out() {
    let mut caps = caps_of(CapsSettings {
        starts_per_second_per_trunk: 2,
        live_per_trunk: 3,
        ..plenty()
    });
    let mut try_both = |seconds| {
        let granted = caps.grant(permit(1, "1", 1), &["a", "b"], LONG, at(seconds));
        granted
            .map(|grant| grant.trunk().to_owned())
            .map_err(|capped| capped.key())
    };
    let trunks: Vec<_> = [0.0, 0.1, 0.2, 0.3, 0.4, 1.05, 1.06, 1.25]
        .into_iter()
        .map(&mut try_both)
        .collect();
    let ok = |trunk: &str| Ok(trunk.to_owned());
    assert_eq!(
        trunks,
        [
            ok("a"),
            ok("a"),
            ok("b"),
            ok("b"),
            Err("starts_per_second_per_trunk"),
            ok("a"),
            Err("starts_per_second_per_trunk"),
            ok("b"),
        ]
    );
    assert_eq!(try_both(60.0), Err("max_live_per_trunk"));
}

#[test]
fn an_address_and_a_number_have_their_caps_whoever_asks() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_per_address: 2,
        starts_per_ten_minutes_per_number: 3,
        ..plenty()
    });
    let mut grants = Vec::new();
    for mailbox in [1, 2] {
        grants.push(caps.grant(permit(mailbox, "4711", 1), &["a"], LONG, at(0.0)).unwrap());
    }
    let refused = caps.grant(permit(3, "4711", 1), &["a"], LONG, at(1.0));
    assert_eq!(
        refused_by(refused),
        ("starts_per_minute_per_address", Duration::from_secs(59))
    );
    grants.push(caps.grant(permit(3, "4711", 2), &["a"], LONG, at(1.0)).unwrap());
    let refused = caps.grant(permit(4, "4711", 3), &["a"], LONG, at(2.0));
    assert_eq!(
        refused_by(refused),
        ("starts_per_ten_minutes_per_number", Duration::from_secs(598))
    );
    grants.push(caps.grant(permit(4, "4712", 3), &["a"], LONG, at(2.0)).unwrap());
    grants.push(caps.grant(permit(4, "4711", 3), &["a"], LONG, at(600.0)).unwrap());
}

#[test]
fn the_minutes_of_a_day_bound_the_length_of_the_last_calls() {
    let mut caps = caps_of(CapsSettings {
        time_per_day_per_mailbox: MINUTE * 60,
        ..plenty()
    });
    let first = start(&mut caps, 0.0).unwrap();
    assert_eq!(first.longest(), LONG);
    caps.give_back(first.into_hold(), at(600.0));
    let second = start(&mut caps, 700.0).unwrap();
    let third = start(&mut caps, 701.0).unwrap();
    assert_eq!(
        (second.longest(), third.longest()),
        (LONG, MINUTE * 20),
        "ten of sixty are spent"
    );
    let refused = start(&mut caps, 702.0);
    assert!(refused.as_ref().is_err_and(Capped::is_quota));
    assert_eq!(refused_by(refused).0, "minutes_per_day_per_mailbox");
    // What was set aside and not used is free again.
    caps.give_back(third.into_hold(), at(761.0));
    let fourth = start(&mut caps, 800.0).unwrap();
    assert_eq!(fourth.longest(), MINUTE * 19);
    caps.give_back(second.into_hold(), at(2500.0));
    caps.give_back(fourth.into_hold(), at(1940.0));
    assert!(start(&mut caps, 3000.0).is_err());
    let day = 24.0 * 3600.0;
    assert_eq!(start(&mut caps, day + 2500.0 + 3600.0).unwrap().longest(), LONG);
}

#[test]
fn no_cap_means_none() {
    let settings = CapsSettings {
        starts_per_minute_per_mailbox: 0,
        ..plenty()
    };
    let refused = start(&mut caps_of(settings), 0.0);
    assert_eq!(refused_by(refused), ("starts_per_minute_per_mailbox", MINUTE));
}

#[test]
fn a_restart_forgets_no_hour_and_no_day() {
    let settings = CapsSettings {
        starts_per_hour_per_mailbox: 3,
        starts_per_ten_minutes_per_number: 2,
        time_per_day_per_mailbox: MINUTE * 60,
        ..plenty()
    };
    let mut caps = caps_of(settings);
    let now = at(100_000.0);
    let ago = |seconds| WallTime::after_epoch(now.since_epoch() - Duration::from_secs(seconds));
    for (began, ended) in [(80_000, Some(78_200)), (3000, Some(2400)), (500, None)] {
        let call = PastCall {
            mailbox: [1; 32],
            started: ago(began),
            ended: ended.map(ago),
            own_phone: false,
            start: Some(counted_start("sip:4711@pbx")),
        };
        caps.remember(call, now);
    }
    let leftover = caps.hold([1; 32], "a", ago(500), LONG, false);
    assert_eq!(caps.live(), 1);
    let grant = caps.grant(permit(1, "4711", 1), &["a"], LONG, now).unwrap();
    assert_eq!(grant.longest(), MINUTE * 20, "thirty and ten are spent");
    let other = caps.grant(permit(2, "4711", 2), &["a"], LONG, now);
    assert_eq!(refused_by(other).0, "starts_per_ten_minutes_per_number");
    assert_eq!(
        refused_by(caps.grant(permit(1, "1", 1), &["a"], LONG, now)).0,
        "starts_per_hour_per_mailbox"
    );
    caps.give_back(leftover, now);
    caps.give_back(grant.into_hold(), now);
    assert_eq!(caps.live(), 0);
}

/// A restart may take less than a second.
#[test]
fn a_restart_forgets_no_minute_and_no_second() {
    let caps = |settings| {
        let mut caps = caps_of(settings);
        let call = PastCall {
            mailbox: [1; 32],
            started: at(0.0),
            ended: Some(at(0.1)),
            own_phone: false,
            start: Some(counted_start("sip:4711@pbx")),
        };
        caps.remember(call, at(0.2));
        caps
    };
    for (settings, key, mailbox, address, wait) in [
        (
            CapsSettings {
                starts_per_minute_per_mailbox: 1,
                ..plenty()
            },
            "starts_per_minute_per_mailbox",
            1,
            2,
            59.5,
        ),
        (
            CapsSettings {
                starts_per_minute_per_address: 1,
                ..plenty()
            },
            "starts_per_minute_per_address",
            2,
            1,
            59.5,
        ),
        (
            CapsSettings {
                starts_per_second_per_trunk: 1,
                ..plenty()
            },
            "starts_per_second_per_trunk",
            2,
            2,
            0.5,
        ),
    ] {
        let refused = caps(settings).grant(permit(mailbox, "1", address), &["a"], LONG, at(0.5));
        assert_eq!(refused_by(refused), (key, Duration::from_secs_f64(wait)));
    }
}

/// What one phone can be called by at a gateway, and whoever has one IPv6 address.
#[test]
fn another_spelling_is_the_same_number_and_another_address_of_a_subscriber_the_same_client() {
    let mut caps = caps_of(CapsSettings {
        starts_per_ten_minutes_per_number: 1,
        ..plenty()
    });
    for (first, second, is_same) in [
        ("sip:03012@gw", "sip:0-30.12@gw", true),
        ("sip:Anna.B@gw", "sip:anna.b@gw", true),
        ("sip:+4930@gw", "sip:+49.30@other", true),
        ("sip:anna.b@gw", "sip:annab@gw", false),
        ("sip:*97@gw", "sip:97@gw", false),
        ("sip:+4930123456@gw", "sip:030123456@gw", true),
        ("sip:+4930123456@gw", "sip:01033030123456@gw", true),
        ("sip:+4930123456@gw", "sip:*31*030123456@gw", true),
        ("sip:+4312345678901@gw", "sip:+43123456789019@gw", false),
        ("sip:+12125550123@gw", "sip:+121255501239@gw", true),
        ("sip:+12125550123@gw", "sip:00121255501239@gw", true),
        ("sip:4711@gw", "sip:47110@gw", true),
        ("sip:4711@gw", "sip:471@gw", false),
    ] {
        let mut caps = caps_of(caps.settings);
        let mut call = |uri: &str| {
            let mut permit = permit(1, uri, 1);
            permit.number.is_uri = true;
            caps.grant(permit, &["a"], LONG, at(0.0)).is_ok()
        };
        assert!(call(first));
        assert_eq!(call(second), !is_same, "{first} {second}");
    }

    caps.settings.starts_per_minute_per_address = 1;
    for (address, is_granted) in [
        ("2001:db8::1", true),
        ("2001:db8::ffff:2", false),
        ("2001:db8:0:1::1", true),
    ] {
        let mut permit = permit(1, address, 1);
        permit.caller.address = address.parse().ok();
        let granted = caps.grant(permit, &["a"], LONG, at(0.0));
        assert_eq!(granted.is_ok(), is_granted, "{address}");
    }
}

#[test]
fn a_clock_that_was_set_back_shuts_nobody_out() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_per_mailbox: 1,
        ..plenty()
    });
    let call = PastCall {
        mailbox: [1; 32],
        started: at(1_000_000.0),
        ended: Some(at(1_000_060.0)),
        own_phone: false,
        start: None,
    };
    caps.remember(call, at(0.0));
    assert_eq!(refused_by(start(&mut caps, 1.0)).1, Duration::from_secs(59));
    let _grant = start(&mut caps, 60.0).unwrap();
}

/// Records are read from a disk, and clocks can be set to anything.
#[test]
fn no_time_is_too_long() {
    let mut caps = caps_of(plenty());
    let [first, last] = [Duration::ZERO, Duration::MAX].map(WallTime::after_epoch);
    for ended in [last, last, first] {
        let call = PastCall {
            mailbox: [1; 32],
            started: first,
            ended: Some(ended),
            own_phone: false,
            start: None,
        };
        caps.remember(call, last);
    }
    let hold = caps.hold([1; 32], "a", first, Duration::MAX, false);
    caps.give_back(hold, last);
    assert_eq!(
        refused_by(caps.grant(permit(1, "1", 1), &["a"], LONG, last)),
        ("minutes_per_day_per_mailbox", SOME_END)
    );
}

#[test]
fn what_is_over_is_forgotten() {
    let mut caps = caps_of(plenty());
    for turn in 0..5_000 {
        let seconds = f64::from(turn) * 60.0;
        let grant = caps
            .grant(
                permit((turn % 250) as u8, &turn.to_string(), (turn % 250) as u8),
                &["a"],
                LONG,
                at(seconds),
            )
            .unwrap();
        caps.give_back(grant.into_hold(), at(seconds + 1.0));
    }
    assert!(caps.numbers.len() < 15, "{}", caps.numbers.len());
    assert!(caps.addresses.len() < 5, "{}", caps.addresses.len());
    assert_eq!(caps.mailboxes.len(), 250, "a day is remembered");
    let grant = start(&mut caps, 5_000.0 * 60.0 + 30.0 * 3600.0).unwrap();
    assert_eq!((caps.mailboxes.len(), caps.live()), (1, 1));
    caps.give_back(grant.into_hold(), at(0.0));
}

/// When, for which mailbox, to which number, from which address.
type Start = (WallTime, u8, u8, u8);

proptest! {
    /// Against a plain list of everything that happened.
    #[test]
    fn no_order_of_starts_and_ends_passes_a_cap(
        steps in prop::collection::vec((0_u8..3, 0_u8..3, 0_u8..2, 0_u32..40, any::<bool>()), 1..200)
    ) {
        let settings = CapsSettings {
            live: 5,
            live_per_mailbox: 2,
            live_per_trunk: 4,
            starts_per_second_per_trunk: 2,
            starts_per_minute_per_mailbox: 5,
            starts_per_hour_per_mailbox: 30,
            time_per_day_per_mailbox: MINUTE * 60,
            starts_per_minute_per_address: 6,
            starts_per_ten_minutes_per_number: 3,
            ..plenty()
        };
        let mut caps = caps_of(settings);
        let mut now = at(0.0);
        let mut live: Vec<(u8, Grant)> = Vec::new();
        let mut starts: Vec<Start> = Vec::new();
        for (mailbox, number, address, pause, ends) in steps {
            now = now + Duration::from_millis(u64::from(pause).pow(2) * 50);
            if ends && !live.is_empty() {
                let (_, grant) = live.remove(usize::from(number) % live.len());
                caps.give_back(grant.into_hold(), now);
            } else if let Ok(grant) = caps.grant(permit(mailbox, &number.to_string(), address), &["a"], LONG, now) {
                live.push((mailbox, grant));
                starts.push((now, mailbox, number, address));
            }
            prop_assert_eq!(caps.live(), live.len());
            prop_assert!(live.len() <= 4);
            let within = |span: Duration, of: &dyn Fn(&Start) -> bool| {
                let late = |start: &&Start| now.since(start.0) < span;
                starts.iter().filter(late).filter(|start| of(start)).count()
            };
            for one in 0..3 {
                prop_assert!(live.iter().filter(|(mailbox, _)| *mailbox == one).count() <= 2);
                prop_assert!(within(MINUTE, &|start| start.1 == one) <= 5);
                prop_assert!(within(TEN_MINUTES, &|start| start.2 == one) <= 3);
                prop_assert!(within(MINUTE, &|start| start.3 == one) <= 6);
            }
            prop_assert!(within(SECOND, &|_| true) <= 2);
        }
        for (_, grant) in live {
            caps.give_back(grant.into_hold(), now);
        }
        prop_assert_eq!(caps.live(), 0);
        prop_assert!(caps.mailboxes.values().all(|owner| owner.live == 0 && owner.time.aside.is_zero()));
    }
}
