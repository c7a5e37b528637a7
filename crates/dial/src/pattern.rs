//! Regular expressions that an operator writes.

use std::{fmt, str::FromStr};

use regex::Regex;

use crate::from_text::from_text;

from_text!(Pattern);

/// A regular expression that a text must match as a whole, whether its writer anchored it or not.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    whole: Regex,
}

impl Pattern {
    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl FromStr for Pattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, regex::Error> {
        // First as it stands: the wrapping must not make sense of what makes none, as of "1)|(2".
        Regex::new(text)?;
        Ok(Self {
            written: text.to_owned(),
            whole: Regex::new(&format!("^(?:{text})$"))?,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
