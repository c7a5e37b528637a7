//! What must have happened, and whether it did.

use std::fmt;

/// How alike the heard sound must be to the stored one; noise is below 0.1.
pub(super) const ALIKE: f64 = 0.9;

/// One thing that must have happened.
#[derive(Debug)]
pub(super) struct Check {
    what: &'static str,
    holds: bool,
    /// What was seen.
    seen: String,
}

/// All of them, in the order they were checked.
#[derive(Debug, Default)]
pub(super) struct Verdict(Vec<Check>);

impl Verdict {
    pub(super) fn check(&mut self, what: &'static str, holds: bool, seen: impl fmt::Display) {
        self.0.push(Check {
            what,
            holds,
            seen: seen.to_string(),
        });
    }

    pub(super) fn holds(&self) -> bool {
        self.0.iter().all(|check| check.holds)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { what, holds, seen } in &self.0 {
            writeln!(f, "  {} {what:<54} {seen}", if *holds { "✓" } else { "✗" })?;
        }
        Ok(())
    }
}
