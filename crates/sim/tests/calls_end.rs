//! The promises 2 to 6 hold whatever the network, the phones, the journal and the crashes do, on the switch that ships (promise 12).

use sim::{MOST_CALLS, Settings, SplitMix64, Tally, Tape, run};

#[test]
fn whatever_happens() {
    let mut tally = Tally::default();
    for seed in 0..800 {
        let outcome = run(Tape::of_seed(seed), Settings::default());
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
    assert!(
        tally.strays > 5 && tally.unconfirmed > 100 && tally.left > 250 && tally.refused > 250,
        "{tally:?}"
    );
}

#[test]
fn a_seed_repeats_a_run() {
    for seed in 0..60 {
        let (first, second) = (
            run(Tape::of_seed(seed), Settings::default()),
            run(Tape::of_seed(seed), Settings::default()),
        );
        assert_eq!(
            (&first.tape, &first.tally, first.digest),
            (&second.tape, &second.tally, second.digest)
        );
        let replayed = run(Tape::replay(first.tape), Settings::default());
        assert_eq!((replayed.tally, replayed.digest), (second.tally, second.digest));
    }
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
        let tape = Tape::with_calls(seed, MOST_CALLS);
        let together = run(tape.clone(), settings);
        assert_eq!(together.violation, None, "seed {seed}");
        for call in 0..MOST_CALLS as usize {
            let alone = run(tape.clone().alone(call), settings);
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
            run(Tape::of_seed(seed), Settings::default()),
            run(Tape::of_seed(seed), looking_in),
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
            run(Tape::of_seed(seed), gathering(Some(0))),
            run(Tape::of_seed(seed), gathering(None)),
        );
        assert_eq!((&one.violation, &many.violation), (&None, &None), "seed {seed}");
        assert_eq!(one.ends, many.ends, "seed {seed}");
    }
}

/// On every machine: the first numbers of SplitMix64 with the seed 1234567, as published with it.
#[test]
fn the_numbers_are_those_of_the_paper() {
    let mut numbers = SplitMix64::new(1_234_567);
    assert_eq!(numbers.next_number(), 6_457_827_717_110_365_317);
    assert_eq!(numbers.next_number(), 3_203_168_211_198_807_973);
}
