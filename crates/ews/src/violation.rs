//! What is wrong with a document, and where.

/// The longest text, in characters: it quotes the document, which may hold names of any length.
const MAX_TEXT: usize = 1000;

/// One violation of XML or of the schema, at its true place.
///
/// `t:LineNumber`, `t:LinePosition` and `t:Violation` of an `ErrorSchemaValidation` fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, position {position}: {text}")]
pub struct Violation {
    /// The finding, in the words of a schema validator.
    pub text: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Character in the line, counted from 1. A tag is placed at its name, as .NET validators do.
    pub position: u32,
}

impl Violation {
    /// Places `text` at a byte offset of `document`. Whatever the text quotes, it stays short and on one line.
    pub(crate) fn at(document: &str, offset: usize, text: &str) -> Self {
        let before = document.get(..offset).unwrap_or(document);
        let mut line = 1;
        let mut position = 1;
        let mut previous = ' ';
        for character in before.chars() {
            match character {
                '\n' if previous == '\r' => {}
                '\n' | '\r' => {
                    line += 1;
                    position = 1;
                }
                _ => position += 1,
            }
            previous = character;
        }
        let printable = |character: char| if character.is_control() { ' ' } else { character };
        Self {
            text: text.chars().take(MAX_TEXT).map(printable).collect(),
            line,
            position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(document: &str, offset: usize) -> (u32, u32) {
        let violation = Violation::at(document, offset, "");
        (violation.line, violation.position)
    }

    #[test]
    fn every_line_ending_counts_once() {
        assert_eq!(place("a\nb", 2), (2, 1));
        assert_eq!(place("a\r\nb", 3), (2, 1));
        assert_eq!(place("a\rb", 2), (2, 1));
        assert_eq!(place("\n\n\r\r\n", 5), (5, 1));
    }

    #[test]
    fn texts_stay_short_and_on_one_line() {
        let violation = Violation::at("", 0, &format!("a\nb\u{1b}{}", "x".repeat(5000)));
        assert!(violation.text.starts_with("a b x"));
        assert_eq!(violation.text.chars().count(), MAX_TEXT);
    }

    #[test]
    fn positions_count_characters_not_bytes() {
        assert_eq!(place("<é>x", 4), (1, 4));
    }
}
