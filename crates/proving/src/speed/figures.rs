//! What the programs came to, round by round.

use crate::report::Report;

/// One column for each program, one value a round in each.
pub(super) struct Figures {
    programs: usize,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    unit: &'static str,
    of_programs: Vec<Vec<f64>>,
}

impl Figures {
    pub(super) fn new(programs: usize) -> Self {
        Self {
            programs,
            rows: Vec::new(),
        }
    }

    /// What this round of a program came to. Each program says it once a round.
    pub(super) fn add(&mut self, program: usize, what: impl Into<String>, unit: &'static str, value: f64) {
        let what = what.into();
        let known = self.rows.iter().position(|row| row.what == what);
        let at = known.unwrap_or_else(|| {
            self.rows.push(Row {
                what,
                unit,
                of_programs: vec![Vec::new(); self.programs],
            });
            self.rows.len() - 1
        });
        self.rows[at].of_programs[program].push(value);
    }

    /// Medians; of two programs also the ratio of each pair of rounds: its median, the least and the greatest.
    pub(super) fn tell(self, report: &mut Report) {
        for Row {
            what,
            unit,
            of_programs,
        } in self.rows
        {
            let told = match &of_programs[..] {
                [own, other] => {
                    let ratios: Vec<f64> = own.iter().zip(other).map(|(own, other)| ratio(*own, *other)).collect();
                    let (least, middle, greatest) = spread(&ratios);
                    let (own, other) = (median(own), median(other));
                    format!("{own:.3} {unit}; {other:.3}; ratio {middle:.2} ({least:.2} to {greatest:.2})")
                }
                all => {
                    let (least, middle, greatest) = spread(&all[0]);
                    format!("{middle:.3} {unit} ({least:.3} to {greatest:.3})")
                }
            };
            report.tell(&what, told);
        }
    }
}

/// None of either is as many.
fn ratio(own: f64, other: f64) -> f64 {
    if own == other { 1.0 } else { own / other }
}

pub(super) fn median(values: &[f64]) -> f64 {
    spread(values).1
}

/// The least, the one in the middle, the greatest.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let sorted = sorted(values);
    let at = |nth: usize| sorted.get(nth).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What so many of a hundred do not exceed.
pub(super) fn percentile(values: &[f64], of_a_hundred: usize) -> f64 {
    let sorted = sorted(values);
    let nth = (sorted.len() * of_a_hundred).div_ceil(100).saturating_sub(1);
    sorted.get(nth).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([50, 99, 100].map(|nth| percentile(&values, nth)), [100.0, 198.0, 200.0]);
        assert_eq!(percentile(&[7.0], 99), 7.0);
    }

    #[test]
    fn rounds_are_compared_in_pairs() {
        let mut figures = Figures::new(2);
        // The machine is ten times as slow in the second round: for both.
        for (program, values) in [[2.0, 20.0, 2.2], [1.0, 10.0, 1.0]].into_iter().enumerate() {
            for value in values {
                figures.add(program, "a hang-up", "ms", value);
            }
        }
        for program in 0..2 {
            figures.add(program, "INVITEs sent twice", "of a hundred", 0.0);
        }
        let mut report = Report::new("as a test");
        figures.tell(&mut report);
        let told = report.to_string();
        assert!(told.contains("0.000; ratio 1.00"), "{told}");
        assert!(told.contains("2.200 ms; 1.000; ratio 2.00 (2.00 to 2.20)"), "{told}");
    }
}
