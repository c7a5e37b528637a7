//! Nothing that the switch wants done is the wrong moment to die: the process is killed before and after each of its outputs, and the next process
//! at some of its own.

use sim::{Family, Kill, Lanes, Parts, Settings, Side, run};

/// Outputs of the next process: those of its start, and a few later ones.
const OF_THE_NEXT: [u64; 5] = [1, 2, 4, 7, 16];
/// Runs without a kill that are gone through.
const RUNS: u64 = 6;

/// One to three calls with the kinds of faults of this seed; but the disk refuses nothing, since a phone that is nowhere written down may stay up, and the
/// faults do not stop before the kill.
fn lanes(seed: u64) -> Lanes {
    let drawn = Lanes::of_seed(seed).parts().clone();
    let has = |family: &Family| {
        !matches!(
            family,
            Family::Refusals | Family::LockedDisk | Family::FailedFlush | Family::Calm
        )
    };
    let parts = Parts {
        calls: (1..=1 + seed as u32 % 3).collect(),
        families: drawn.families.into_iter().filter(has).collect(),
        crashes: Vec::new(),
        ..drawn
    };
    Lanes::with_parts(seed, parts)
}

/// How many outputs each process came to.
fn outputs(seed: u64, kills: [Option<Kill>; 2]) -> Vec<u64> {
    let settings = Settings {
        kills,
        ..Settings::default()
    };
    let outcome = run(lanes(seed), settings);
    assert_eq!(outcome.violation, None, "seed {seed}, {kills:?}");
    outcome.outputs
}

#[test]
fn killed_at_each_output() {
    let (mut kills, mut second_kills) = (0, 0);
    for seed in 1..=RUNS {
        for output in 1..=outputs(seed, [None, None])[0] {
            for side in [Side::Before, Side::After] {
                let first = Kill {
                    process: 0,
                    output,
                    side,
                };
                // The last one may be its leave of registrars: nobody comes after that.
                let processes = outputs(seed, [Some(first), None]);
                let Some(next) = processes.get(1).copied() else {
                    continue;
                };
                kills += 1;
                for output in OF_THE_NEXT.into_iter().filter(|output| *output <= next) {
                    let second = Kill {
                        process: 1,
                        output,
                        side,
                    };
                    second_kills += u64::from(outputs(seed, [Some(first), Some(second)]).len() == 3);
                }
            }
        }
    }
    assert!(kills > 400 && second_kills > 1500, "{kills}, {second_kills}");
}
