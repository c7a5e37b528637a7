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
                .map(|error| Problem::new(error.span(), error.message()))
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
        let config = Config::deserialize(complete.into_deserializer())
            .map_err(|error| vec![Problem::new(error.span(), error.message())])?;
        Ok(Self { config, root })
    }

    /// Where a key stands, given as `trunk.0.name`; where its nearest table stands, if it is left out.
    pub(super) fn place(&self, path: &str) -> Option<Range<usize>> {
        let mut steps = path.split('.');
        let mut value = self.root.get_ref().get(steps.next()?)?;
        for step in steps {
            let next = match value.get_ref() {
                DeValue::Array(values) => step.parse().ok().and_then(|index: usize| values.get(index)),
                DeValue::Table(table) => table.get(step),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_) => None,
            };
            match next {
                Some(next) => value = next,
                None => break,
            }
        }
        Some(value.span())
    }
}

/// How a table is called in the file: `[calls]`, `[[trunk]]`, or nothing at the top.
#[derive(Default)]
struct TableName<'p> {
    path: &'p str,
    is_list: bool,
}

impl TableName<'_> {
    fn path_of(&self, key: &Key) -> String {
        if self.path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{}.{}", self.path, key.name)
        }
    }
}

impl fmt::Display for TableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path, self.is_list) {
            ("", _) => f.write_str("at the top of the file"),
            (path, false) => write!(f, "in [{path}]"),
            (path, true) => write!(f, "in [[{path}]]"),
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
                Problem::new(Some(key.span()), format!("unknown key `{}`", key.get_ref()))
                    .help(format!("allowed {name}: {allowed}")),
            );
        }
    }
    for key in shape.keys {
        let path = name.path_of(key);
        match table.get_mut(key.name) {
            Some(value) => complete_value(value, key, &path, problems),
            None => match key.kind {
                Kind::Default(value) => insert(table, key, DeValue::parse(value).map(Spanned::into_inner)),
                Kind::Optional(_) => {}
                Kind::Required(example) => problems.push(
                    Problem::new(Some(at.clone()), format!("`{}` is missing {name}", key.name))
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
        (Kind::Table(_), _) => problems.push(Problem::new(Some(at), format!("`{path}` is a table: write [{path}]"))),
        (Kind::Tables(_), _) => problems.push(Problem::new(
            Some(at),
            format!("`{path}` is a list of tables: write [[{path}]] for each"),
        )),
        (Kind::Default(example) | Kind::Optional(example) | Kind::Required(example), _) => {
            if let Err(error) = (key.check)(value.clone()) {
                problems.push(
                    Problem::new(error.span().or(Some(at)), format!("`{path}`: {}", error.message()))
                        .help(format!("for example: {} = {example}", key.name)),
                );
            }
        }
    }
}

fn insert<'t>(table: &mut DeTable<'t>, key: &Key, value: Result<DeValue<'t>, toml::de::Error>) {
    // A default that is no TOML would leave its key out, and the test that reads an empty file would say so.
    if let Ok(value) = value {
        table.insert(Spanned::new(0..0, Cow::Borrowed(key.name)), Spanned::new(0..0, value));
    }
}
