//! Calls to the caller's own phone: no person meets a cap on their starts, and nobody else's phone rings more often for them.

use super::*;

/// Caps on starts that any second call would meet, if they were for one's own phone.
fn strict() -> CapsSettings {
    CapsSettings {
        starts_per_minute_per_mailbox: 1,
        starts_per_hour_per_mailbox: 1,
        starts_per_minute_per_address: 1,
        starts_per_ten_minutes_per_number: 1,
        ..plenty()
    }
}

/// A phone that is up for three seconds.
fn listen(caps: &mut Caps, permit: Permit, seconds: f64) -> Result<(), Capped> {
    let grant = caps.grant(permit, &["a"], LONG, at(seconds))?;
    caps.give_back(grant.into_hold(), at(seconds + 3.0));
    Ok(())
}

#[test]
fn messages_one_after_the_other_meet_no_cap_on_starts() {
    let mut caps = caps_of(strict());
    for turn in 0..200 {
        // Three users behind one address.
        for mailbox in [1, 2, 3] {
            let permit = own(mailbox, &format!("471{mailbox}"), 1);
            listen(&mut caps, permit, f64::from(turn) * 3.0).unwrap();
        }
    }
}

#[test]
fn they_take_nothing_from_calls_to_others_and_nothing_from_those_who_call_the_phone() {
    let mut caps = caps_of(strict());
    for turn in 0..20 {
        listen(&mut caps, own(1, "4711", 1), f64::from(turn) * 3.0).unwrap();
    }
    listen(&mut caps, permit(1, "4799", 1), 60.0).unwrap();
    assert_eq!(
        refused_by(caps.grant(permit(1, "4799", 1), &["a"], LONG, at(61.0))).0,
        "starts_per_minute_per_mailbox"
    );
    // Somebody else rings it as often as ever.
    listen(&mut caps, permit(2, "4711", 2), 62.0).unwrap();
    assert_eq!(
        refused_by(caps.grant(permit(3, "4711", 3), &["a"], LONG, at(63.0))).0,
        "starts_per_ten_minutes_per_number"
    );
    listen(&mut caps, own(1, "4711", 1), 64.0).unwrap();
}

#[test]
fn a_client_that_has_gone_wild_is_slowed_down() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_to_own_phone: 3,
        ..plenty()
    });
    for seconds in [0.0, 0.5, 1.0] {
        listen(&mut caps, own(1, "4711", 1), seconds).unwrap();
    }
    let refused = caps.grant(own(1, "+491712345678", 2), &["a"], LONG, at(2.0));
    assert_eq!(
        refused_by(refused),
        ("starts_per_minute_to_own_phone", Duration::from_secs(58))
    );
    listen(&mut caps, own(2, "4712", 1), 2.0).unwrap();
    listen(&mut caps, permit(1, "4799", 1), 2.0).unwrap();
    listen(&mut caps, own(1, "4711", 1), 60.0).unwrap();
}

#[test]
fn live_calls_and_the_pace_of_a_trunk_count_all_alike() {
    for (settings, key) in [
        (CapsSettings { live: 1, ..plenty() }, "max_live"),
        (
            CapsSettings {
                live_per_mailbox: 1,
                ..plenty()
            },
            "max_live_per_mailbox",
        ),
        (
            CapsSettings {
                live_per_trunk: 1,
                ..plenty()
            },
            "max_live_per_trunk",
        ),
        (
            CapsSettings {
                starts_per_second_per_trunk: 1,
                ..plenty()
            },
            "starts_per_second_per_trunk",
        ),
    ] {
        for [first, second] in [[own(1, "1", 1), permit(1, "2", 1)], [permit(1, "2", 1), own(1, "1", 1)]] {
            let mut caps = caps_of(settings);
            let _up = caps.grant(first, &["a"], LONG, at(0.0)).unwrap();
            assert_eq!(refused_by(caps.grant(second, &["a"], LONG, at(0.5))).0, key);
        }
    }
}

#[test]
fn each_kind_of_phone_has_minutes_of_its_own() {
    let settings = CapsSettings {
        time_per_day_per_mailbox: MINUTE * 10,
        time_per_day_to_own_phone: MINUTE * 40,
        ..plenty()
    };
    let mut caps = caps_of(settings);
    let first = caps.grant(own(1, "4711", 1), &["a"], LONG, at(0.0)).unwrap();
    assert_eq!(first.longest(), LONG);
    let second = caps.grant(own(1, "4711", 1), &["a"], LONG, at(1.0)).unwrap();
    assert_eq!(second.longest(), MINUTE * 10, "what the first has left");
    let other = caps.grant(permit(1, "4799", 1), &["a"], LONG, at(2.0)).unwrap();
    assert_eq!(other.longest(), MINUTE * 10);
    for grant in [first, second, other] {
        caps.give_back(grant.into_hold(), at(1202.0));
    }
    let spent = [own(1, "4711", 1), permit(1, "4799", 1)].map(|permit| {
        let refused = caps.grant(permit, &["a"], LONG, at(1203.0));
        assert!(refused.as_ref().is_err_and(Capped::is_quota));
        refused_by(refused).0
    });
    assert_eq!(spent, ["minutes_per_day_to_own_phone", "minutes_per_day_per_mailbox"]);
}

#[test]
fn a_restart_knows_which_calls_were_to_an_own_phone() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_to_own_phone: 3,
        time_per_day_to_own_phone: MINUTE * 40,
        ..strict()
    });
    let now = at(100.0);
    for began in [60.0, 70.0] {
        let call = PastCall {
            mailbox: [1; 32],
            started: at(began),
            ended: Some(at(began + 5.0)),
            own_phone: true,
            start: Some(counted_start("sip:4711@pbx")),
        };
        caps.remember(call, now);
    }
    let leftover = caps.hold([1; 32], "a", at(80.0), LONG, true);
    let grant = caps.grant(own(1, "4711", 1), &["a"], MINUTE * 60, now).unwrap();
    assert_eq!(grant.longest(), MINUTE * 40 - Duration::from_secs(10));
    let refused = caps.grant(own(1, "4711", 1), &["a"], LONG, now);
    assert_eq!(refused_by(refused).0, "starts_per_minute_to_own_phone");
    listen(&mut caps, permit(1, "4799", 1), 100.0).unwrap();
    caps.give_back(leftover, now);
    caps.give_back(grant.into_hold(), now);
    assert_eq!(caps.live(), 0);
}

/// Between calls of a mailbox to its own phone there may lie a minute and a half.
#[test]
fn a_start_is_remembered_as_long_as_it_counts() {
    let mut caps = caps_of(CapsSettings {
        starts_per_minute_to_own_phone: 1,
        ..plenty()
    });
    for (seconds, is_granted) in [(0.0, true), (59.0, false), (61.0, true), (120.5, false), (122.0, true)] {
        let granted = caps.grant(own(1, "4711", 1), &["a"], LONG, at(seconds));
        assert_eq!(granted.is_ok(), is_granted, "{seconds}");
        if let Ok(grant) = granted {
            // No time at all: nothing else is remembered of the mailbox.
            caps.give_back(grant.into_hold(), at(seconds));
        }
    }
}

proptest! {
    /// Other people's phones are protected as if nobody ever called an own one.
    #[test]
    fn what_others_are_spared_does_not_depend_on_calls_to_own_phones(
        steps in prop::collection::vec((any::<bool>(), 0_u8..3, 0_u8..3, 0_u8..2, 0_u32..40), 1..200)
    ) {
        let settings = CapsSettings {
            starts_per_minute_per_mailbox: 5,
            starts_per_hour_per_mailbox: 30,
            time_per_day_per_mailbox: MINUTE * 60,
            starts_per_minute_per_address: 6,
            starts_per_ten_minutes_per_number: 3,
            starts_per_minute_to_own_phone: 4,
            time_per_day_to_own_phone: MINUTE * 90,
            ..plenty()
        };
        let (mut with, mut without) = (caps_of(settings), caps_of(settings));
        let mut now = at(0.0);
        let call = |caps: &mut Caps, permit: Permit, now| {
            let granted = caps.grant(permit, &["a"], LONG, now);
            granted.map(|grant| {
                let longest = grant.longest();
                caps.give_back(grant.into_hold(), now + Duration::from_secs(90));
                longest
            })
        };
        for (is_own, mailbox, number, address, pause) in steps {
            now = now + Duration::from_millis(u64::from(pause).pow(2) * 50);
            let number = number.to_string();
            if is_own {
                let _ = call(&mut with, own(mailbox, &number, address), now);
            } else {
                let [with, without] = [&mut with, &mut without].map(|caps| {
                    call(caps, permit(mailbox, &number, address), now)
                });
                prop_assert_eq!(with, without);
            }
        }
    }
}
