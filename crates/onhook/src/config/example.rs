//! `onhook.example.toml`, written from the comments and defaults of [`super::sections`].

use super::section::{Key, Kind, Section, Shape};
use super::sections::Config;

/// `onhook.minimal.toml`: what an operator with a PBX has to say, and nothing else.
pub const MINIMAL: &str = include_str!("../../../../onhook.minimal.toml");

/// The whole example file. It reads as the defaults; every `#key` line in it can be uncommented.
pub fn example() -> String {
    let mut text = String::new();
    comment(&mut text, Config::SHAPE.docs);
    for key in Config::SHAPE.keys {
        table(&mut text, key, key.name, false);
    }
    text
}

fn table(text: &mut String, key: &Key, path: &str, commented_out: bool) {
    let (shape, header, commented_out): (&Shape, _, _) = match key.kind {
        Kind::Table(shape) => (shape, format!("[{path}]"), commented_out),
        // A list is empty by default, so its example stays a comment.
        Kind::Tables(shape) => (shape, format!("[[{path}]]"), true),
        Kind::Default(_) | Kind::Optional(_) | Kind::Required(_) => return,
    };
    text.push('\n');
    comment(text, key.docs);
    line(text, &header, commented_out);
    for key in shape.keys {
        let (value, is_default) = match key.kind {
            Kind::Default(value) => (value, true),
            Kind::Optional(value) | Kind::Required(value) => (value, false),
            Kind::Table(_) | Kind::Tables(_) => continue,
        };
        comment(text, key.docs);
        line(text, &format!("{} = {value}", key.name), commented_out || !is_default);
    }
    for key in shape.keys {
        table(text, key, &format!("{path}.{}", key.name), commented_out);
    }
}

fn comment(text: &mut String, docs: &[&str]) {
    for doc in docs {
        text.push('#');
        text.push_str(doc.trim_end());
        text.push('\n');
    }
}

fn line(text: &mut String, content: &str, commented_out: bool) {
    if commented_out {
        text.push('#');
    }
    text.push_str(content);
    text.push('\n');
}
