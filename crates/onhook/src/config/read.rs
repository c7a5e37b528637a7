//! From text to a [`Config`]: every unknown key, missing key and bad value is found in one walk over the tables, each
//! with its place; then defaults are filled in and the structs are made.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::place::{Place, is_plain};
use super::section::{Key, Kind, Section, Shape};
use super::sections::Config;

/// A file whose every key has been read.
pub(super) struct Document<'t> {
    pub(super) config: Config,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Reads the whole file.
    ///
    /// # Errors
    /// All problems that can be found without looking at two keys at once.
    pub(super) fn read(text: &'t str) -> Result<Self, Vec<Problem>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors
                .into_iter()
                .map(|error| {
                    let place = error.span().map(|at| Place::broken(at, text, &Config::SHAPE));
                    Problem::new(place, error.message())
                })
                .collect());
        }
        let mut complete = root.clone();
        let mut problems = Vec::new();
        complete_table(
            complete.get_mut(),
            root.span(),
            &Config::SHAPE,
            &TableName::default(),
            &mut problems,
        );
        if !problems.is_empty() {
            return Err(problems);
        }
        // Every value has been read as its type already; what else could be said would be said in the words of its text.
        let config = Config::deserialize(complete.into_deserializer())
            .map_err(|error| vec![Problem::new(error.span().map(Place::unknown), "this cannot be read")])?;
        Ok(Self { config, root })
    }

    /// Where a key stands, given as `trunk.0.name`; where its nearest table stands, if it is left out.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        place_in(self.root.get_ref(), &Config::SHAPE, "", path)
    }
}

/// The place of `path` in a table that is called `name`.
fn place_in(table: &DeTable<'_>, shape: &Shape, name: &str, path: &str) -> Option<Place> {
    let (step, path) = path.split_once('.').unwrap_or((path, ""));
    let key = shape.keys.iter().find(|key| key.name == step)?;
    let value = table.get(step)?;
    let name = TableName::path_of(name, key);
    match (&key.kind, value.get_ref()) {
        (Kind::Table(shape), DeValue::Table(table)) => {
            place_in(table, shape, &name, path).or_else(|| Some(Place::table(value.span(), format!("[{name}]"))))
        }
        (Kind::Tables(shape), DeValue::Array(tables)) => {
            let (index, path) = path.split_once('.').unwrap_or((path, ""));
            let entry = tables.get(index.parse::<usize>().ok()?)?;
            let DeValue::Table(table) = entry.get_ref() else {
                return None;
            };
            place_in(table, shape, &name, path).or_else(|| Some(Place::table(entry.span(), format!("[[{name}]]"))))
        }
        (_, whole) => {
            let part = match whole {
                DeValue::Array(values) => path.parse().ok().and_then(|index: usize| values.get(index)),
                _ => None,
            };
            let at = part.unwrap_or(value).span();
            Some(Place::value(at, key, value))
        }
    }
}

/// How a table is called in the file: `[calls]`, `[[trunk]]`, or nothing at the top.
#[derive(Default)]
struct TableName<'p> {
    path: &'p str,
    is_list: bool,
}

impl TableName<'_> {
    fn path_of(path: &str, key: &Key) -> String {
        if path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{path}.{}", key.name)
        }
    }

    /// Its header; nothing at the top.
    fn header(&self) -> String {
        match (self.path, self.is_list) {
            ("", _) => String::new(),
            (path, false) => format!("[{path}]"),
            (path, true) => format!("[[{path}]]"),
        }
    }
}

impl fmt::Display for TableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path {
            "" => f.write_str("at the top of the file"),
            _ => write!(f, "in {}", self.header()),
        }
    }
}

fn complete_table<'t>(
    table: &mut DeTable<'t>,
    at: Range<usize>,
    shape: &Shape,
    name: &TableName<'_>,
    problems: &mut Vec<Problem>,
) {
    for key in table.keys() {
        if !shape.keys.iter().any(|known| known.name == key.get_ref()) {
            let allowed = shape.keys.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
            problems.push(
                Problem::new(Some(Place::unknown(key.span())), unknown(key.get_ref()))
                    .help(format!("allowed {name}: {allowed}")),
            );
        }
    }
    for key in shape.keys {
        let path = TableName::path_of(name.path, key);
        match table.get_mut(key.name) {
            Some(value) => complete_value(value, key, &path, problems),
            None => match key.kind {
                Kind::Default(value) => insert(table, key, DeValue::parse(value).map(Spanned::into_inner)),
                Kind::Optional(_) => {}
                Kind::Required(example) => problems.push(
                    Problem::new(
                        Some(Place::table(at.clone(), name.header())),
                        format!("`{}` is missing {name}", key.name),
                    )
                    .help(format!("for example: {} = {example}", key.name)),
                ),
                Kind::Table(shape) => {
                    let mut empty = DeTable::new();
                    let name = TableName {
                        path: &path,
                        is_list: false,
                    };
                    complete_table(&mut empty, at.clone(), shape, &name, problems);
                    insert(table, key, Ok(DeValue::Table(empty)));
                }
                Kind::Tables(_) => insert(table, key, DeValue::parse("[]").map(Spanned::into_inner)),
            },
        }
    }
}

fn complete_value<'t>(value: &mut Spanned<DeValue<'t>>, key: &Key, path: &str, problems: &mut Vec<Problem>) {
    let at = value.span();
    match (&key.kind, value.get_mut()) {
        (Kind::Table(shape), DeValue::Table(table)) => {
            complete_table(table, at, shape, &TableName { path, is_list: false }, problems);
        }
        (Kind::Tables(shape), DeValue::Array(tables)) if tables.iter().all(|table| table.get_ref().is_table()) => {
            for table in tables.iter_mut() {
                let at = table.span();
                if let DeValue::Table(table) = table.get_mut() {
                    complete_table(table, at, shape, &TableName { path, is_list: true }, problems);
                }
            }
        }
        (Kind::Table(_), _) => problems.push(Problem::new(
            Some(Place::key(at, key)),
            format!("`{path}` is a table: write [{path}]"),
        )),
        (Kind::Tables(_), _) => problems.push(Problem::new(
            Some(Place::key(at, key)),
            format!("`{path}` is a list of tables: write [[{path}]] for each"),
        )),
        (Kind::Default(example) | Kind::Optional(example) | Kind::Required(example), _) => {
            if let Err(error) = (key.check)(value.clone()) {
                let message = match (key.wanted_unseen)() {
                    Some(wanted) => format!("`{path}`: this is not {wanted}"),
                    None if is_plain(value) => format!("`{path}`: {}", error.message()),
                    None => format!("`{path}`: this is not what is wanted here"),
                };
                let place = Place::value(error.span().unwrap_or(at), key, value);
                problems
                    .push(Problem::new(Some(place), message).help(format!("for example: {} = {example}", key.name)));
            }
        }
    }
}

/// An unknown key in words. What had to be put into quotes is rather a value than a key.
fn unknown(key: &str) -> String {
    let is_bare = key.len() <= 64 && key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
    if is_bare {
        format!("unknown key `{key}`")
    } else {
        "unknown key".to_owned()
    }
}

fn insert<'t>(table: &mut DeTable<'t>, key: &Key, value: Result<DeValue<'t>, toml::de::Error>) {
    // A default that is no TOML would leave its key out, and the test that reads an empty file would say so.
    if let Ok(value) = value {
        table.insert(Spanned::new(0..0, Cow::Borrowed(key.name)), Spanned::new(0..0, value));
    }
}
