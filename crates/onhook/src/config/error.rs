//! What is wrong with a configuration file, told with the place it stands at.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::place::{Excerpt, Place};

/// Why there is no configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error(
        "cannot read {}: {source}\n  --config names another file; `onhook check-config --print-minimal` prints one to start from",
        path.display()
    )]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{0}")]
    Invalid(Findings),
}

/// Everything wrong in one file, in the order of its lines.
#[derive(Debug)]
pub struct Findings {
    path: PathBuf,
    found: Vec<Finding>,
}

/// One thing wrong, where it is, and what would be right. Neither it nor what is shown of its line holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From 1; `None` where no place in the file can be named.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
    excerpt: Option<Excerpt>,
}

/// A finding whose place is still a range of bytes.
#[derive(Debug)]
pub(super) struct Problem {
    place: Option<Place>,
    message: String,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            place,
            message: message.into(),
            help: None,
        }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    fn locate(self, text: &str) -> Finding {
        let position = self.place.as_ref().and_then(|place| place.position(text));
        Finding {
            line: position.map(|(line, _)| line),
            column: position.map_or(1, |(_, column)| column),
            message: self.message,
            help: self.help,
            excerpt: self.place.and_then(|place| place.excerpt(text)),
        }
    }
}

impl Findings {
    pub(super) fn new(path: &Path, text: &str, problems: Vec<Problem>) -> Self {
        let mut found: Vec<Finding> = problems.into_iter().map(|problem| problem.locate(text)).collect();
        found.sort_by_key(|finding| (finding.line, finding.column));
        Self {
            path: path.to_owned(),
            found,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.found.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{}", self.path.display())?;
            if let Some(line) = finding.line {
                write!(f, ":{line}:{}", finding.column)?;
            }
            write!(f, ": {}", finding.message)?;
            if let (Some(line), Some(excerpt)) = (finding.line, &finding.excerpt) {
                write!(f, "\n  {line} | {}", excerpt.text)?;
                if let Some((before, meant)) = excerpt.meant {
                    let margin = " ".repeat(line.to_string().len());
                    write!(f, "\n  {margin} | {}{}", " ".repeat(before), "^".repeat(meant))?;
                }
            }
            if let Some(help) = &finding.help {
                write!(f, "\n  {help}")?;
            }
        }
        Ok(())
    }
}
