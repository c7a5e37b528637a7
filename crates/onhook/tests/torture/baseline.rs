//! What is recorded of each message, and the comparison with what was recorded before.

use std::{collections::BTreeMap, env, fs, path::Path};

use crate::{
    catalogue::{Case, Due},
    peer::Outcome,
};

/// One line of the record.
pub(crate) fn row(case: &Case, outcome: &Outcome) -> String {
    let seen = match outcome {
        Outcome::Answered(statuses) => statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" "),
        Outcome::Silence => "nothing".to_owned(),
        Outcome::Closed => "closed".to_owned(),
    };
    let (name, asks, verdict) = (case.name, case.asks, verdict(case.due, outcome));
    format!("{name:38} | {asks:58} | {seen:7} | {verdict}")
}

fn verdict(due: Due, outcome: &Outcome) -> &'static str {
    match (due, outcome) {
        (Due::Nothing, Outcome::Silence) => "as the RFC says",
        (Due::Nothing, Outcome::Closed) => "connection closed",
        (Due::Nothing, Outcome::Answered(_)) => "answered although nothing is due",
        (Due::Status(_), Outcome::Silence | Outcome::Closed) => "dropped although an answer is due",
        (Due::Status(right), Outcome::Answered(statuses)) => match statuses.as_slice() {
            [status] if right.contains(status) => "as the RFC says",
            [status] if *status >= 400 => "refused cleanly",
            _ => "taken although a refusal is due",
        },
    }
}

/// Holds the rows against the file, or writes it when `UPDATE_BASELINE` is set.
pub(crate) fn compare(file: &str, rows: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(file);
    let found = render(rows);
    if env::var_os("UPDATE_BASELINE").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    let differences: Vec<String> = recorded
        .lines()
        .filter(|line| !found.contains(line))
        .map(|line| format!("- {line}"))
        .chain(
            found
                .lines()
                .filter(|line| !recorded.contains(line))
                .map(|line| format!("+ {line}")),
        )
        .collect();
    assert!(
        recorded == found,
        "{file} records something else (UPDATE_BASELINE=1 rewrites it):\n{}",
        differences.join("\n")
    );
}

fn render(rows: &[String]) -> String {
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let verdict = row.rsplit(" | ").next().unwrap_or_default();
        *verdicts.entry(verdict).or_default() += 1;
    }
    let mut text = String::from("# message | what the RFC asks for | what comes back | verdict; see docs/torture.md\n");
    for row in rows {
        text += row;
        text += "\n";
    }
    text += "\n";
    for (verdict, count) in verdicts {
        text += &format!("{count:3} {verdict}\n");
    }
    text
}
