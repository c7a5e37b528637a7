//! The promises 2 to 6 hold whatever the network, the phones, the journal and the crashes do.

use sim::{Settings, SplitMix64, Tally, Tape, run};

#[test]
fn whatever_happens() {
    let mut tally = Tally::default();
    for seed in 0..5000 {
        let outcome = run(Tape::of_seed(seed), Settings::default());
        if let Some(violation) = outcome.violation {
            panic!("make sim SEED={seed} RUNS=1: {violation}");
        }
        tally.add(&outcome.tally);
    }
    // The runs reach what they are about.
    assert!(
        tally.hung_up > 1000 && tally.crashes > 1000 && tally.answers > 1000,
        "{tally:?}"
    );
    assert!(tally.strays > 0 && tally.unconfirmed > 0, "{tally:?}");
}

#[test]
fn a_seed_repeats_a_run() {
    for seed in 0..200 {
        let (first, second) = (
            run(Tape::of_seed(seed), Settings::default()),
            run(Tape::of_seed(seed), Settings::default()),
        );
        assert_eq!((&first.tape, &first.tally), (&second.tape, &second.tally));
        let replayed = run(Tape::replay(first.tape), Settings::default());
        assert_eq!(replayed.tally, second.tally);
    }
}

/// On every machine: the first numbers of SplitMix64 with the seed 1234567, as published with it.
#[test]
fn the_numbers_are_those_of_the_paper() {
    let mut numbers = SplitMix64::new(1_234_567);
    assert_eq!(numbers.next_number(), 6_457_827_717_110_365_317);
    assert_eq!(numbers.next_number(), 3_203_168_211_198_807_973);
}
