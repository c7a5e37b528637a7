//! Makes a failing run simpler: fewer calls first, then shorter lanes, more zeros, smaller numbers, as long as the same rule breaks.

use crate::{Settings, Tape, Values, run};

/// Runs that shrinking may take.
const ATTEMPTS: u32 = 20_000;

/// A simpler tape that breaks the same rule as `tape` does.
#[must_use]
pub fn shrink(tape: Values, settings: Settings) -> Values {
    let Some(violation) = run(Tape::replay(tape.clone()), settings).violation else {
        return tape;
    };
    let mut shrinker = Shrinker {
        best: tape,
        rule: violation.rule,
        settings,
        attempts: 0,
    };
    shrinker.take_calls_out();
    while shrinker.pass() && shrinker.attempts < ATTEMPTS {
        shrinker.take_calls_out();
    }
    shrinker.best
}

struct Shrinker {
    best: Values,
    rule: &'static str,
    settings: Settings,
    attempts: u32,
}

impl Shrinker {
    /// Half of them, a quarter, one.
    fn take_calls_out(&mut self) {
        let mut block = self.best.calls.len() / 2;
        while block > 0 {
            let mut start = 0;
            while start < self.best.calls.len() && self.best.calls.len() > 1 {
                let end = (start + block).min(self.best.calls.len());
                let mut without = self.best.clone();
                without.calls.drain(start..end);
                if !self.accept(without) {
                    start += block;
                }
            }
            block /= 2;
        }
    }

    /// Every change of every lane once. False when none was of use.
    fn pass(&mut self) -> bool {
        let before = self.best.clone();
        for lane in 0..=self.best.calls.len() {
            self.simplify(lane);
        }
        self.best != before
    }

    fn simplify(&mut self, lane: usize) {
        let mut block = self.lane(lane).len().max(1);
        while block > 0 {
            let mut start = 0;
            while start < self.lane(lane).len() {
                let end = (start + block).min(self.lane(lane).len());
                let without = self.changed(lane, |values| {
                    values.drain(start..end);
                });
                let zeroed = self.changed(lane, |values| values[start..end].fill(0));
                // What was cut out is not skipped: something else stands there now.
                if !self.accept(without) {
                    self.accept(zeroed);
                    start += block;
                }
                if self.attempts >= ATTEMPTS {
                    return;
                }
            }
            block /= 2;
        }
        for at in 0..self.lane(lane).len() {
            while let Some(value) = self.lane(lane).get(at).copied().filter(|value| *value > 0) {
                let smaller = self.changed(lane, |values| values[at] = value - value.div_ceil(4));
                if !self.accept(smaller) {
                    break;
                }
            }
        }
    }

    /// The lane of all, then those of the calls.
    fn lane(&self, lane: usize) -> &[u32] {
        match lane {
            0 => &self.best.run,
            call => &self.best.calls[call - 1].1,
        }
    }

    fn changed(&self, lane: usize, change: impl FnOnce(&mut Vec<u32>)) -> Values {
        let mut changed = self.best.clone();
        change(match lane {
            0 => &mut changed.run,
            call => &mut changed.calls[call - 1].1,
        });
        changed
    }

    fn accept(&mut self, candidate: Values) -> bool {
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

/// What makes a tape hard to read: calls, then decisions that are not zero, then their number, then their size.
fn weight(tape: &Values) -> (usize, usize, usize, u64) {
    let lanes = || tape.calls.iter().map(|(_, lane)| lane).chain([&tape.run]);
    let decided = lanes().flatten().filter(|value| **value > 0).count();
    let length = lanes().map(Vec::len).sum();
    (
        tape.calls.len(),
        decided,
        length,
        lanes().flatten().map(|value| u64::from(*value)).sum(),
    )
}
