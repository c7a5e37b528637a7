//! Makes a failing run simpler: shorter tapes, more zeros, smaller numbers, as long as the same rule breaks.

use crate::{Settings, Tape, run};

/// Runs that shrinking may take.
const ATTEMPTS: u32 = 20_000;

/// A simpler tape that breaks the same rule as `tape` does.
#[must_use]
pub fn shrink(tape: Vec<u32>, settings: Settings) -> Vec<u32> {
    let Some(violation) = run(Tape::replay(tape.clone()), settings).violation else {
        return tape;
    };
    let mut shrinker = Shrinker {
        best: tape,
        rule: violation.rule,
        settings,
        attempts: 0,
    };
    while shrinker.pass() && shrinker.attempts < ATTEMPTS {}
    shrinker.best
}

struct Shrinker {
    best: Vec<u32>,
    rule: &'static str,
    settings: Settings,
    attempts: u32,
}

impl Shrinker {
    /// Every change once. False when none was of use.
    fn pass(&mut self) -> bool {
        let before = self.best.clone();
        let mut block = self.best.len().max(1);
        while block > 0 {
            let mut start = 0;
            while start < self.best.len() {
                let end = (start + block).min(self.best.len());
                let mut without = self.best.clone();
                without.drain(start..end);
                let mut zeroed = self.best.clone();
                zeroed[start..end].fill(0);
                // What was cut out is not skipped: something else stands there now.
                if !self.accept(without) {
                    self.accept(zeroed);
                    start += block;
                }
                if self.attempts >= ATTEMPTS {
                    return false;
                }
            }
            block /= 2;
        }
        for at in 0..self.best.len() {
            while let Some(value) = self.best.get(at).copied().filter(|value| *value > 0) {
                let mut smaller = self.best.clone();
                smaller[at] = value - value.div_ceil(4);
                if !self.accept(smaller) {
                    break;
                }
            }
        }
        self.best != before
    }

    fn accept(&mut self, candidate: Vec<u32>) -> bool {
        self.attempts += 1;
        if candidate == self.best {
            return false;
        }
        let outcome = run(Tape::replay(candidate), self.settings);
        let same = outcome.violation.is_some_and(|violation| violation.rule == self.rule);
        // The tape as it was read: shorter when the run did not need all of it.
        let simpler = same && weight(&outcome.tape) < weight(&self.best);
        if simpler {
            self.best = outcome.tape;
        }
        simpler
    }
}

/// What makes a tape hard to read: decisions that are not zero, then their number, then their size.
fn weight(tape: &[u32]) -> (usize, usize, u64) {
    let decided = tape.iter().filter(|value| **value > 0).count();
    (decided, tape.len(), tape.iter().map(|value| u64::from(*value)).sum())
}
