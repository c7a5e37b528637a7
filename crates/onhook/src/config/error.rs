//! What is wrong with a configuration file, told with the line it stands on.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

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

/// One thing wrong, where it is, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From 1; `None` where no place in the file can be named.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
    /// The line as it stands in the file, and how many of its characters from `column` on are meant.
    excerpt: String,
    width: usize,
}

/// A finding whose place is still a range of bytes.
#[derive(Debug)]
pub(super) struct Problem {
    at: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Problem {
    pub(super) fn new(at: Option<Range<usize>>, message: impl Into<String>) -> Self {
        Self {
            at,
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
        let Some(at) = self.at.filter(|at| text.is_char_boundary(at.start)) else {
            return Finding {
                line: None,
                column: 1,
                message: self.message,
                help: self.help,
                excerpt: String::new(),
                width: 0,
            };
        };
        let line_start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let column = text[line_start..at.start].chars().count() + 1;
        let rest = line.chars().count().saturating_sub(column - 1);
        let width = text
            .get(at)
            .map_or(1, |marked| marked.lines().next().unwrap_or_default().chars().count());
        let key = line.split('=').next().unwrap_or_default().trim();
        let mut passwords = line.match_indices("password");
        let is_secret = passwords.any(|(at, word)| line[at + word.len()..].trim_start().starts_with('='));
        Finding {
            line: Some(text[..line_start].matches('\n').count() + 1),
            column,
            message: self.message,
            help: self.help,
            excerpt: if is_secret {
                format!("{key} = …")
            } else {
                line.to_owned()
            },
            width: if is_secret { 0 } else { width.clamp(1, rest.max(1)) },
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
            if let Some(line) = finding.line {
                let number = line.to_string();
                let margin = " ".repeat(number.len());
                write!(f, "\n  {number} | {}", finding.excerpt)?;
                if finding.width > 0 {
                    let indent = " ".repeat(finding.column - 1);
                    write!(f, "\n  {margin} | {indent}{}", "^".repeat(finding.width))?;
                }
            }
            if let Some(help) = &finding.help {
                write!(f, "\n  {help}")?;
            }
        }
        Ok(())
    }
}
