//! A seed repeats a run to the byte: in this process and in another, on one thread and on two, and from what is written down of it.

use std::process::Command;

use sim::{Lanes, Sabotage, Settings, ShellFault, SplitMix64, Tally, WrittenRun, run};

const RUNS: u64 = 60;

#[test]
fn on_every_thread_and_in_every_process() {
    let mut tally = Tally::default();
    for seed in 1..=RUNS {
        tally.add(&run(Lanes::of_seed(seed), Settings::default()).tally);
    }
    let digest = format!("digest {:016x}", tally.digest);
    for threads in ["1", "2"] {
        let mut sim = Command::new(env!("CARGO_BIN_EXE_sim"));
        let runs = RUNS.to_string();
        let out = sim
            .args(["--seed", "1", "--runs", &runs, "--threads", threads])
            .output()
            .unwrap();
        let said = String::from_utf8(out.stdout).unwrap();
        assert!(
            out.status.success() && said.trim().ends_with(&digest),
            "{threads} threads: {said}"
        );
    }
}

#[test]
fn and_as_it_is_written_down() {
    for seed in 0..RUNS {
        let first = run(Lanes::of_seed(seed), Settings::default());
        let kept = WrittenRun {
            rule: "none".to_owned(),
            sabotage: Sabotage::InShell(ShellFault::CutShort),
            decisions: first.decisions,
        };
        let read: WrittenRun = kept.to_string().parse().unwrap();
        assert_eq!(read, kept);
        let replayed = run(Lanes::replay(read.decisions), Settings::default());
        assert_eq!(
            (replayed.tally, replayed.digest),
            (first.tally, first.digest),
            "seed {seed}"
        );
        assert_eq!(replayed.decisions, kept.decisions, "seed {seed}");
    }
}

/// What a fuzzer finds can be kept: any bytes are a run, which is written down as any other; and a decision that is changed in them is the one
/// that is another.
#[test]
fn and_so_are_any_bytes() {
    let mut numbers = SplitMix64::new(1);
    let mut heard = 0;
    for length in 0..RUNS as usize {
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.next_number() as u8).collect();
        let first = run(Lanes::of_bytes(&bytes), Settings::default());
        assert_eq!(first.violation, None, "{bytes:?}");
        let replayed = run(Lanes::replay(first.decisions.clone()), Settings::default());
        assert_eq!(
            (replayed.tally, replayed.digest),
            (first.tally.clone(), first.digest),
            "{bytes:?}"
        );
        heard += first.tally.answers;

        let Some(value) = bytes.get_mut(15) else { continue };
        *value ^= 0x80;
        let other = run(Lanes::of_bytes(&bytes), Settings::default()).decisions;
        assert_eq!(other.parts, first.decisions.parts, "{bytes:?}");
        let zero = vec![];
        for (name, values) in &first.decisions.lanes {
            let others = other.lanes.get(name).unwrap_or(&zero);
            let changed = values.iter().zip(others).filter(|(one, other)| one != other).count();
            assert!(changed <= 1, "{name} of {bytes:?}");
        }
    }
    assert!(heard > 20, "{heard}");
}

/// What a call meets is its own: its datagrams are lost alike, whoever else is there.
#[test]
fn and_a_call_taken_out_leaves_the_others_alone() {
    let settings = Settings {
        share_nothing: true,
        ..Settings::default()
    };
    let mut compared = 0;
    for seed in 0..20 {
        let lanes = Lanes::of_seed(seed);
        let mut fewer = lanes.parts().clone();
        if !(2..=20).contains(&fewer.calls.len()) {
            continue;
        }
        fewer.calls.remove(0);
        let (all, others) = (run(lanes, settings), run(Lanes::with_parts(seed, fewer), settings));
        assert_eq!(all.sent[1..], others.sent, "seed {seed}");
        compared += others.sent.len();
    }
    assert!(compared > 20, "{compared}");
}

/// On every machine: the first numbers of SplitMix64 with the seed 1234567, as published with it.
#[test]
fn the_numbers_are_those_of_the_paper() {
    let mut numbers = SplitMix64::new(1_234_567);
    assert_eq!(numbers.next_number(), 6_457_827_717_110_365_317);
    assert_eq!(numbers.next_number(), 3_203_168_211_198_807_973);
}
