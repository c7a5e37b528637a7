//! What is printed, and what is written as JSON.

use std::{fmt::Write as _, fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    figures::{Spread, Summary},
    lab::Program,
    measures::Bar,
    run::Run,
};

pub(crate) fn table(run: &Run<'_>, programs: &[Program], rounds: u16, took: Duration) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "medians of {rounds} rounds, the least and the greatest; {}; {:.0} minutes",
        machine(),
        took.as_secs_f64() / 60.0
    );
    let base = programs.get(1).map_or("", |program| program.name.as_str());
    let _ = writeln!(
        text,
        "{:<46} {:>28} {base:>28} {:>20} {:>10}",
        "", "this", "ratio", "bar"
    );
    for summary in run.figures.summaries() {
        let mark = match summary.is_reached {
            None => ' ',
            Some(true) => '✓',
            Some(false) => '✗',
        };
        let unit = summary.measure.unit;
        let what = if unit.is_empty() {
            summary.measure.what.to_owned()
        } else {
            format!("{}, {unit}", summary.measure.what)
        };
        let _ = writeln!(
            text,
            "{what:<46} {:>28} {:>28} {:>20} {:>10} {mark}",
            with_spread(summary.own),
            summary.base.map(with_spread).unwrap_or_default(),
            summary.ratio.map(ratio).unwrap_or_default(),
            bar(&summary),
        );
    }
    for failure in run.figures.failures() {
        let _ = writeln!(text, "not measured: {failure}");
    }
    text
}

pub(crate) fn json(run: &Run<'_>, programs: &[Program], rounds: u16) -> Value {
    let costs: Vec<Vec<Value>> = run
        .costs
        .iter()
        .map(|round| {
            let round = round.iter().map(|costs| {
                json!({
                    "up": costs.up,
                    "hang_ups_a_second": costs.hang_ups,
                    "to_bye_p99_ms": costs.bye_p99,
                    "cpu_ms_a_call": costs.cpu,
                    "memory_kib_a_call": costs.memory,
                    "holding_percent_of_a_core": costs.holding,
                })
            });
            round.collect()
        })
        .collect();
    json!({
        "machine": machine(),
        "rounds": rounds,
        "programs": programs.iter().map(|program| &program.name).collect::<Vec<_>>(),
        "rows": run.figures.json(),
        "growth": costs,
        "not_measured": run.figures.failures(),
    })
}

/// Cores, and how busy they are with all that runs.
fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim()))
        .unwrap_or("unknown");
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!("{cores} cores ({model}), load {load} at the end")
}

fn with_spread(spread: Spread) -> String {
    let Spread {
        least,
        median,
        greatest,
    } = spread;
    format!("{} ({}–{})", number(median), number(least), number(greatest))
}

fn ratio(spread: Spread) -> String {
    let Spread {
        least,
        median,
        greatest,
    } = spread;
    format!("{median:.2} ({least:.2}–{greatest:.2})")
}

/// What is to be reached, in the terms in which it is compared.
fn bar(summary: &Summary) -> String {
    match summary.measure.bar {
        Bar::Higher { today, bar, .. } => format!("≥ {:.2}", bar / today),
        Bar::Lower { today, bar, .. } => format!("≤ {:.2}", bar / today),
        Bar::AtMost(bar) => format!("≤ {}", number(bar)),
        Bar::AtLeast(bar) => format!("≥ {}", number(bar)),
        Bar::None => String::new(),
    }
}

/// Three digits are enough.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
