//! Makes a failing run simpler, as long as the same rule breaks: calls, trunks, families and crashes are taken out first; then lanes
//! become shorter, values zero, and what is left smaller.

use std::collections::BTreeSet;

use crate::{Decisions, Lanes, Settings, run};

/// Runs that shrinking may take.
const ATTEMPTS: u32 = 20_000;

/// A simpler run that breaks the same rule as this one does.
#[must_use]
pub fn shrink(decisions: Decisions, settings: Settings) -> Decisions {
    let Some(violation) = run(Lanes::replay(decisions.clone()), settings).violation else {
        return decisions;
    };
    let mut shrinker = Shrinker {
        best: decisions,
        rule: violation.rule,
        settings,
        attempts: 0,
    };
    shrinker.take_parts_out();
    while shrinker.pass() && shrinker.attempts < ATTEMPTS {
        shrinker.take_parts_out();
    }
    shrinker.best
}

struct Shrinker {
    best: Decisions,
    rule: &'static str,
    settings: Settings,
    attempts: u32,
}

impl Shrinker {
    fn take_parts_out(&mut self) {
        self.take_out(
            |best| best.parts.calls.clone(),
            |best, calls| best.parts.calls = calls,
            1,
        );
        self.take_out(
            |best| best.parts.trunks.clone(),
            |best, trunks| best.parts.trunks = trunks,
            1,
        );
        self.take_out(
            |best| best.parts.families.iter().copied().collect(),
            |best, families| best.parts.families = BTreeSet::from_iter(families),
            0,
        );
        self.take_out(
            |best| best.parts.crashes.clone(),
            |best, crashes| best.parts.crashes = crashes,
            0,
        );
        self.take_out(
            |best| best.lanes.keys().cloned().collect(),
            |best, names| best.lanes.retain(|name, _| names.contains(name)),
            0,
        );
    }

    /// Half of these, a quarter, one; `least` of them stay.
    fn take_out<T: Clone>(
        &mut self,
        of: impl Fn(&Decisions) -> Vec<T>,
        put: impl Fn(&mut Decisions, Vec<T>),
        least: usize,
    ) {
        let mut block = of(&self.best).len().div_ceil(2);
        while block > 0 {
            let mut start = 0;
            loop {
                let mut these = of(&self.best);
                let end = (start + block).min(these.len());
                if start >= end || self.attempts >= ATTEMPTS {
                    break;
                }
                these.drain(start..end);
                let mut without = self.best.clone();
                let is_enough = these.len() >= least;
                put(&mut without, these);
                if !(is_enough && self.accept(without)) {
                    start += block;
                }
            }
            block /= 2;
        }
    }

    /// Every change of every lane once. False when none was of use.
    fn pass(&mut self) -> bool {
        let before = self.best.clone();
        for name in before.lanes.keys() {
            self.simplify(name);
        }
        self.best != before
    }

    fn simplify(&mut self, name: &str) {
        let mut block = self.lane(name).len();
        while block > 0 {
            let mut start = 0;
            while start < self.lane(name).len() {
                let end = (start + block).min(self.lane(name).len());
                let without = self.changed(name, |values| {
                    values.drain(start..end);
                });
                let zeroed = self.changed(name, |values| values[start..end].fill(0));
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
        for at in 0..self.lane(name).len() {
            while let Some(value) = self.lane(name).get(at).copied().filter(|value| *value > 0) {
                let smaller = self.changed(name, |values| values[at] = value - value.div_ceil(4));
                if !self.accept(smaller) {
                    break;
                }
            }
        }
    }

    fn lane(&self, name: &str) -> &[u32] {
        self.best.lanes.get(name).map_or(&[], Vec::as_slice)
    }

    fn changed(&self, name: &str, change: impl FnOnce(&mut Vec<u32>)) -> Decisions {
        let mut changed = self.best.clone();
        if let Some(lane) = changed.lanes.get_mut(name) {
            change(lane);
        }
        changed
    }

    fn accept(&mut self, candidate: Decisions) -> bool {
        self.attempts += 1;
        if candidate == self.best {
            return false;
        }
        let outcome = run(Lanes::replay(candidate), self.settings);
        let same = outcome.violation.is_some_and(|violation| violation.rule == self.rule);
        // As it was read: shorter when the run did not need all of it.
        let simpler = same && weight(&outcome.decisions) < weight(&self.best);
        if simpler {
            self.best = outcome.decisions;
        }
        simpler
    }
}

/// What makes a run hard to read: its parts, then decisions that are not zero, then their number, then their size.
fn weight(decisions: &Decisions) -> [u64; 7] {
    let parts = &decisions.parts;
    let values = || decisions.lanes.values().flatten();
    [
        parts.calls.len() as u64,
        parts.trunks.len() as u64,
        parts.families.len() as u64,
        parts.crashes.len() as u64,
        values().filter(|value| **value > 0).count() as u64,
        values().count() as u64,
        values().map(|value| u64::from(*value)).sum(),
    ]
}
