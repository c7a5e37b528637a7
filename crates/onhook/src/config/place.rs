//! Where something stands in the file, and what of its line may be shown.
//!
//! Any line of the file may hold a secret: a password whose quotes were forgotten, or one under a key that is misspelt. So no
//! line is shown as it stands. What is shown is written anew from what is known of it: the key's name, and the value where
//! nobody keeps a secret in one of its kind.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::section::{Key, Kind, Shape};

/// A place in the file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// In bytes.
    at: Range<usize>,
    shown: Shown,
}

/// What of a line may be shown.
#[derive(Clone, Debug)]
enum Shown {
    /// Nothing: its key is not known, or it is no TOML.
    Nothing,
    /// The header of a table, as `[http]`.
    Header(String),
    Key(&'static str),
    /// The key and its value, which stands in these bytes as a whole.
    Value(&'static str, Range<usize>),
}

/// What is shown of a line, and which of its characters are meant: after how many, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    pub(super) meant: Option<(usize, usize)>,
}

impl Place {
    /// A key that is not known.
    pub(super) fn unknown(at: Range<usize>) -> Self {
        Self {
            at,
            shown: Shown::Nothing,
        }
    }

    /// What is no TOML. If its line begins like one of a known key, that key is shown.
    pub(super) fn broken(at: Range<usize>, text: &str, shape: &Shape) -> Self {
        let before = text.get(..at.start).unwrap_or_default();
        let line = text.get(line_start(before)..).unwrap_or_default().trim_start();
        let word = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        let key = word.and_then(|word| key_named(shape, word));
        Self {
            at,
            shown: key.map_or(Shown::Nothing, Shown::Key),
        }
    }

    /// A table, named as its header is: `[http]` or `[[trunk]]`.
    pub(super) fn table(at: Range<usize>, header: String) -> Self {
        Self {
            at,
            shown: Shown::Header(header),
        }
    }

    /// A value, or the part `at` of it.
    pub(super) fn value(at: Range<usize>, key: &Key, value: &Spanned<DeValue<'_>>) -> Self {
        let shown = match (key.wanted_unseen)() {
            None if is_plain(value) => Shown::Value(key.name, value.span()),
            _ => Shown::Key(key.name),
        };
        Self { at, shown }
    }

    /// A key whose value is none of its kind.
    pub(super) fn key(at: Range<usize>, key: &Key) -> Self {
        Self {
            at,
            shown: Shown::Key(key.name),
        }
    }

    /// Line and column, both from 1, and the column in characters; `None` for a place that is not in this text.
    pub(super) fn position(&self, text: &str) -> Option<(usize, usize)> {
        let before = text.get(..self.at.start)?;
        let column = before[line_start(before)..].chars().count() + 1;
        Some((before.matches('\n').count() + 1, column))
    }

    pub(super) fn excerpt(&self, text: &str) -> Option<Excerpt> {
        match &self.shown {
            Shown::Nothing => None,
            Shown::Key(name) => Some(without_value(name)),
            Shown::Header(header) => {
                let before = text.get(..self.at.start)?;
                let is_header =
                    text[self.at.start..].starts_with('[') && before[line_start(before)..].trim().is_empty();
                is_header.then(|| Excerpt {
                    text: header.clone(),
                    meant: Some((0, header.chars().count())),
                })
            }
            Shown::Value(name, whole) => {
                let (value, meant) = (text.get(whole.clone())?, text.get(self.at.clone())?);
                let excerpt = if !value.contains('\n') {
                    let key = format!("{name} = ");
                    let indent = key.chars().count() + text.get(whole.start..self.at.start)?.chars().count();
                    Excerpt {
                        text: key + value,
                        meant: Some((indent, meant.chars().count().max(1))),
                    }
                } else if !meant.contains('\n') {
                    // One of a list: comments may stand between it and the others.
                    Excerpt {
                        text: meant.to_owned(),
                        meant: Some((0, meant.chars().count())),
                    }
                } else {
                    without_value(name)
                };
                Some(excerpt)
            }
        }
    }
}

fn without_value(name: &str) -> Excerpt {
    Excerpt {
        text: format!("{name} = …"),
        meant: None,
    }
}

fn line_start(before: &str) -> usize {
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Whether nothing in a value looks as if it were more than a value: keys of its own, further lines, escapes, an account.
pub(super) fn is_plain(value: &Spanned<DeValue<'_>>) -> bool {
    match value.get_ref() {
        DeValue::String(text) => value.span().len() == text.len() + "\"\"".len() && !text.contains('@'),
        DeValue::Array(values) => values.iter().all(is_plain),
        DeValue::Table(_) => false,
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => true,
    }
}

fn key_named(shape: &Shape, word: &str) -> Option<&'static str> {
    shape.keys.iter().find_map(|key| match key.kind {
        Kind::Table(shape) | Kind::Tables(shape) => key_named(shape, word),
        Kind::Default(_) | Kind::Optional(_) | Kind::Required(_) => (key.name == word).then_some(key.name),
    })
}
