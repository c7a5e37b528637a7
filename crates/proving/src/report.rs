//! What a run has found, as a table: facts, and figures with a bar.

use std::fmt;

#[derive(Debug)]
pub struct Report {
    title: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    found: String,
    /// `None` for what is only told.
    holds: Option<bool>,
}

impl Report {
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn tell(&mut self, what: &str, found: impl fmt::Display) {
        self.row(what, found.to_string(), None);
    }

    /// A figure and whether it reaches its bar, which `what` names.
    pub(crate) fn hold(&mut self, what: &str, found: impl fmt::Display, holds: bool) {
        self.row(what, found.to_string(), Some(holds));
    }

    pub(crate) fn none(&mut self, what: &str, found: u64) {
        self.hold(what, found, found == 0);
    }

    fn row(&mut self, what: &str, found: String, holds: Option<bool>) {
        self.rows.push(Row {
            what: what.to_owned(),
            found,
            holds,
        });
    }

    /// Whether every figure reached its bar.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds != Some(false))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for Row { what, found, holds } in &self.rows {
            let mark = match holds {
                None => ' ',
                Some(true) => '✓',
                Some(false) => '✗',
            };
            writeln!(f, "  {mark} {what:<58} {found:>12}")?;
        }
        Ok(())
    }
}
