//! The promises 2 to 6 hold whatever the network, the phones, the journal and the crashes do, on the switch that ships (promise 12).

use sim::{Excuse, Family, Lanes, Parts, Settings, Situation, Tally, run};

/// Calls that may not notice one another: fewer than there are places in a window.
const SIDE_BY_SIDE: u32 = 20;

/// Kinds of faults that are counted where they happen.
const COUNTED: [Family; 15] = [
    Family::Clocks,
    Family::FailedFlush,
    Family::Stalls,
    Family::FullDisk,
    Family::LockedDisk,
    Family::Mismatches,
    Family::Junk,
    Family::Floods,
    Family::EndlessDigest,
    Family::SessionQuarrels,
    Family::DeepForks,
    Family::FickleRegistrars,
    Family::Elsewhere,
    Family::Liberties,
    Family::GarbledStreams,
];

#[test]
fn whatever_happens() {
    let mut tally = Tally::default();
    let unmet = |tally: &Tally| {
        let mut situations = Situation::ALL.into_iter();
        situations.find(|(situation, _)| !tally.met.contains_key(situation))
    };
    for seed in 0.. {
        let unmet = unmet(&tally);
        if seed >= 800 && unmet.is_none() {
            break;
        }
        assert!(seed < 20_000, "in none of {seed} runs {unmet:?}");
        let outcome = run(Lanes::of_seed(seed), Settings::default());
        if let Some(violation) = outcome.violation {
            panic!("make sim SEED={seed} RUNS=1: {violation}");
        }
        tally.add(&outcome.tally);
    }
    // The runs reach what they are about.
    assert!(
        tally.calls > 4500 && tally.hung_up > 400 && tally.crashes > 400 && tally.answers > 1500,
        "{tally:?}"
    );
    let of = |excuse| tally.excused.get(&excuse).copied().unwrap_or(0);
    assert!(
        tally.broken_ways > 200 && tally.trunks_down > 50 && tally.registered > 50,
        "{tally:?}"
    );
    assert!(tally.calmed > 50, "{tally:?}");
    // A kind of fault that no run meets is none.
    for family in COUNTED {
        assert!(tally.faults.contains_key(&family), "{family}: {tally:?}");
    }
    assert!(tally.strangers_answered > 100, "{tally:?}");
    // A phone is late for a reason, and seldom.
    assert!(of(Excuse::BrokenWay) * 20 < tally.hung_up, "{tally:?}");
    assert!(
        tally.strays > 5 && tally.unconfirmed > 100 && tally.left > 250 && tally.refused > 250,
        "{tally:?}"
    );
}

/// Nothing of a call depends on another: what is sent for it, byte for byte and to the millisecond, is the same when it is alone.
#[test]
fn a_call_alone_and_beside_others_sends_the_same() {
    let settings = Settings {
        share_nothing: true,
        ..Settings::default()
    };
    let mut sent = 0;
    for seed in 0..6 {
        let lanes = Lanes::with_parts(seed, Parts::of_calls(SIDE_BY_SIDE));
        let together = run(lanes.clone(), settings);
        assert_eq!(together.violation, None, "seed {seed}");
        for call in 0..SIDE_BY_SIDE as usize {
            let alone = run(lanes.clone().alone(call), settings);
            assert_eq!(alone.sent[0], together.sent[call], "call {call} of seed {seed}");
        }
        sent += together.tally.answers;
    }
    assert!(sent > 20, "{sent}");
}

#[test]
fn a_turn_before_anything_is_due_changes_nothing() {
    let looking_in = Settings {
        looks_in_early: true,
        ..Settings::default()
    };
    for seed in 0..100 {
        let (plain, early) = (
            run(Lanes::of_seed(seed), Settings::default()),
            run(Lanes::of_seed(seed), looking_in),
        );
        assert_eq!(early.violation, None, "seed {seed}");
        assert_eq!(plain.digest, early.digest, "seed {seed}");
    }
}

/// What comes in at the same millisecond may be handed over together or one by one: the calls end the same.
#[test]
fn in_one_turn_or_in_many_the_end_is_the_same() {
    let gathering = |gathers| Settings {
        share_nothing: true,
        gathers: Some(gathers),
        ..Settings::default()
    };
    for seed in 0..100 {
        let (one, many) = (
            run(Lanes::of_seed(seed), gathering(Some(0))),
            run(Lanes::of_seed(seed), gathering(None)),
        );
        assert_eq!((&one.violation, &many.violation), (&None, &None), "seed {seed}");
        assert_eq!(one.ends, many.ends, "seed {seed}");
    }
}
