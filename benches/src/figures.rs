//! What the rounds came to: medians, spreads, and ratios of pairs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::measures::{Bar, Measure};

/// A row and its values: of each program, one a round.
struct Row {
    measure: Measure,
    of_programs: Vec<BTreeMap<u16, f64>>,
}

pub(crate) struct Figures {
    programs: usize,
    /// Whether rows are held against their bars.
    has_bars: bool,
    round: u16,
    rows: Vec<Row>,
    /// What could not be measured, and why.
    failures: Vec<String>,
}

/// The least, the one in the middle, the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) greatest: f64,
}

impl Figures {
    pub(crate) const fn new(programs: usize, has_bars: bool) -> Self {
        Self {
            programs,
            has_bars,
            round: 0,
            rows: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// What is added belongs to this round from now on.
    pub(crate) const fn begin(&mut self, round: u16) {
        self.round = round;
    }

    /// What this round of a program came to.
    pub(crate) fn add(&mut self, program: usize, measure: Measure, value: f64) {
        let bar = if self.has_bars { measure.bar } else { Bar::None };
        let measure = Measure { bar, ..measure };
        let known = self.rows.iter().position(|row| row.measure.what == measure.what);
        let at = known.unwrap_or_else(|| {
            let of_programs = vec![BTreeMap::new(); self.programs];
            self.rows.push(Row { measure, of_programs });
            self.rows.len() - 1
        });
        self.rows[at].of_programs[program].insert(self.round, value);
    }

    /// A round of this could not be measured.
    pub(crate) fn failed(&mut self, what: String) {
        self.failures.push(what);
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = Summary> {
        self.rows.iter().filter_map(Row::summary)
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// All values, for whoever wants to count otherwise.
    pub(crate) fn json(&self) -> Value {
        self.rows.iter().map(Row::json).collect()
    }
}

impl Row {
    /// None when this program has no value.
    fn summary(&self) -> Option<Summary> {
        let own: Vec<f64> = self.of_programs[0].values().copied().collect();
        let base = self.of_programs.get(1);
        // Of rounds that both have.
        let pairs = self.of_programs[0]
            .iter()
            .filter_map(|(round, own)| Some((*own, *base?.get(round)?)));
        let ratios: Vec<f64> = pairs.map(|(own, base)| ratio(own, base)).collect();
        let base: Vec<f64> = base.into_iter().flat_map(BTreeMap::values).copied().collect();
        let of_any = |values: &[f64]| (!values.is_empty()).then(|| spread(values));
        let (own, ratio) = (of_any(&own)?, of_any(&ratios));
        Some(Summary {
            measure: self.measure,
            own,
            base: of_any(&base),
            ratio,
            is_reached: self.measure.bar.is_reached(own.median, ratio.map(|ratio| ratio.median)),
        })
    }

    fn json(&self) -> Value {
        let summary = self.summary();
        json!({
            "what": self.measure.what,
            "unit": self.measure.unit,
            "this": self.of_programs[0],
            "base": self.of_programs.get(1),
            "median": summary.as_ref().map(|summary| summary.own.median),
            "ratio": summary.as_ref().and_then(|summary| summary.ratio).map(|ratio| ratio.median),
            "bar": bar(self.measure.bar),
            "is_reached": summary.and_then(|summary| summary.is_reached),
        })
    }
}

fn bar(bar: Bar) -> Value {
    match bar {
        Bar::Higher { today, bar, stretch } => json!({ "d8f6852": today, "at_least": bar, "stretch": stretch }),
        Bar::Lower { today, bar, stretch } => json!({ "d8f6852": today, "at_most": bar, "stretch": stretch }),
        Bar::AtMost(bar) => json!({ "at_most": bar }),
        Bar::AtLeast(bar) => json!({ "at_least": bar }),
        Bar::None => Value::Null,
    }
}

/// What the values of a row come to.
pub(crate) struct Summary {
    pub(crate) measure: Measure,
    pub(crate) own: Spread,
    pub(crate) base: Option<Spread>,
    /// Of the pairs of rounds.
    pub(crate) ratio: Option<Spread>,
    pub(crate) is_reached: Option<bool>,
}

/// None of either is as many.
fn ratio(own: f64, base: f64) -> f64 {
    if own == base { 1.0 } else { own / base }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    spread(values).median
}

fn spread(values: &[f64]) -> Spread {
    let sorted = sorted(values);
    let at = |nth: usize| sorted.get(nth).copied().unwrap_or(f64::NAN);
    Spread {
        least: at(0),
        median: at(sorted.len() / 2),
        greatest: at(sorted.len().saturating_sub(1)),
    }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What so many of a hundred do not exceed.
pub(crate) fn percentile(values: &[f64], of_a_hundred: usize) -> f64 {
    let sorted = sorted(values);
    let nth = (sorted.len() * of_a_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(nth).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::{HANG_UPS_8, INVITES_TWICE};

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|nth| percentile(&values, nth)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }

    #[test]
    fn rounds_are_compared_in_pairs() {
        let mut figures = Figures::new(2, true);
        // The machine is ten times as slow in the second round: for both.
        for (program, values) in [[2.0, 20.0, 2.2, 9.0], [1.0, 10.0, 1.0, f64::NAN]]
            .into_iter()
            .enumerate()
        {
            for (round, value) in (0..).zip(values).filter(|(_, value)| !value.is_nan()) {
                figures.begin(round);
                figures.add(program, HANG_UPS_8, value);
            }
        }
        figures.add(0, INVITES_TWICE, 0.0);
        figures.add(1, INVITES_TWICE, 0.0);
        let summaries: Vec<Summary> = figures.summaries().collect();
        let ratio = summaries[0].ratio.unwrap();
        assert_eq!((ratio.least, ratio.median, ratio.greatest), (2.0, 2.0, 2.2));
        // The fourth is no pair.
        assert_eq!(
            (
                summaries[0].own.greatest,
                summaries[0].base.unwrap().greatest,
                summaries[0].is_reached
            ),
            (20.0, 10.0, Some(true))
        );
        assert_eq!(
            (summaries[1].ratio.unwrap().median, summaries[1].is_reached),
            (1.0, Some(true))
        );
    }
}
