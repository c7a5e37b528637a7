//! A run that is written down: the rule that it breaks, the sabotage that brings the fault back, and everything that was decided.
//!
//! ```text
//! # Words for whoever reads it.
//! rule every 2xx is ACKed
//! sabotage no-ack
//! calls 3
//! trunks 1
//! families loss forks
//! crashes
//! lane call 3: 0 0 1200000000
//! ```

use std::{fmt, str::FromStr};

use crate::{Decisions, Family, Parts, Sabotage};

/// A run as it is written down, with the rule that it breaks under its sabotage; `kept/` holds those of faults that were found once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenRun {
    pub rule: String,
    pub sabotage: Sabotage,
    pub decisions: Decisions,
}

/// Which line of a written run cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a line of a run: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

impl FromStr for WrittenRun {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut kept = Self {
            rule: String::new(),
            sabotage: Sabotage::Nothing,
            decisions: Decisions::default(),
        };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            kept.read(line).ok_or_else(|| Unreadable(line.to_owned()))?;
        }
        Ok(kept)
    }
}

impl WrittenRun {
    fn read(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let Parts {
            calls,
            trunks,
            families,
            crashes,
        } = &mut self.decisions.parts;
        match word {
            "rule" => self.rule = rest.to_owned(),
            "sabotage" => self.sabotage = rest.parse().ok()?,
            "calls" => *calls = numbers(rest)?,
            "trunks" => *trunks = numbers(rest)?,
            "crashes" => *crashes = numbers(rest)?,
            "families" => {
                let words = rest.split_ascii_whitespace().map(str::parse::<Family>);
                *families = words.collect::<Result<_, _>>().ok()?;
            }
            "lane" => {
                let (name, values) = rest.split_once(':')?;
                self.decisions.lanes.insert(name.to_owned(), numbers(values)?);
            }
            _ => return None,
        }
        Some(())
    }
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    let numbers = text.split_ascii_whitespace().map(str::parse);
    numbers.collect::<Result<_, _>>().ok()
}

impl fmt::Display for WrittenRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |words: &mut dyn Iterator<Item = String>| words.map(|word| format!(" {word}")).collect::<String>();
        let Decisions { parts, lanes } = &self.decisions;
        writeln!(f, "rule {}", self.rule)?;
        writeln!(f, "sabotage {}", self.sabotage)?;
        writeln!(f, "calls{}", words(&mut parts.calls.iter().map(u32::to_string)))?;
        writeln!(f, "trunks{}", words(&mut parts.trunks.iter().map(u32::to_string)))?;
        writeln!(
            f,
            "families{}",
            words(&mut parts.families.iter().map(Family::to_string))
        )?;
        writeln!(f, "crashes{}", words(&mut parts.crashes.iter().map(u32::to_string)))?;
        for (name, values) in lanes {
            writeln!(f, "lane {name}:{}", words(&mut values.iter().map(u32::to_string)))?;
        }
        Ok(())
    }
}
