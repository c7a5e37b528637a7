//! Names as a directory may compare them.
//!
//! To a directory `carol`, `CAROL`, and `carol` in full-width letters or with a soft hyphen in it are one name (string preparation,
//! RFC 4518); to some `càrol` is, too, and no rule says what else. Whoever guesses must not have as many tries as there are
//! spellings, so a name counts as its letters and digits alone. Two people may count as one over it, which does no more than
//! failing in the other's name would.

use std::sync::Arc;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

/// A name that is counted, or the name of a directory's entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Prepared(Arc<str>);

impl Prepared {
    pub(super) fn of(name: &str) -> Self {
        let decomposed = |text: &str| DecomposingNormalizerBorrowed::new_nfkd().normalize(text).into_owned();
        let marks = CanonicalCombiningClassMapBorrowed::new();
        // Upper case first: `ß` and `ss`, `ς` and `σ`, `ı` and `i` meet there. What it makes may be composed again.
        let folded: String = decomposed(name)
            .chars()
            .filter(|c| marks.get_u8(*c) == 0)
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect();
        let folded: String = decomposed(&folded)
            .chars()
            .filter(|c| marks.get_u8(*c) == 0 && c.is_alphanumeric())
            .collect();
        // Of a name without any, what there is.
        Self(if folded.is_empty() { name.into() } else { folded.into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What RFC 4518 §2.2 maps to nothing, its spaces, and hyphens (§2.6.3), which telephone numbers are compared without.
    const NOTHING: [char; 22] = [
        '\u{AD}',
        '\u{1806}',
        '\u{34F}',
        '\u{180B}',
        '\u{FE00}',
        '\u{FE0F}',
        '\u{FFFC}',
        '\u{0}',
        '\u{8}',
        '\u{E}',
        '\u{1F}',
        '\u{7F}',
        '\u{84}',
        '\u{6DD}',
        '\u{70F}',
        '\u{200B}',
        '\u{200F}',
        '\u{2060}',
        '\u{FEFF}',
        '\u{E0001}',
        ' ',
        '-',
    ];

    /// Ways to write an ASCII letter or digit that are the same by NFKC and case, or but for an accent.
    fn written(c: char, way: u8) -> String {
        let at = |first: u32, from: char| char::from_u32(first + c as u32 - from as u32).unwrap().to_string();
        match (way, c) {
            (1, _) => c.to_uppercase().to_string(),
            (2, '!'..='~') => at(0xFF01, '!'),
            (3, 'a'..='z') => at(0x24D0, 'a'),
            (4, 'a'..='z') => at(0x1D5BA, 'a'),
            (5, 'a'..='z') => format!("{c}\u{301}"),
            (6, 's') => "\u{17F}".to_owned(),
            (6, 'i') => "\u{131}".to_owned(),
            (6, 'k') => "\u{212A}".to_owned(),
            (6, 'e') => "\u{C9}".to_owned(),
            (7, '0'..='9') => at(0x1D7EC, '0'),
            _ => c.to_string(),
        }
    }

    proptest! {
        #[test]
        fn however_it_is_spelled_a_name_counts_as_one(
            name in "[a-z0-9]{1,20}",
            ways in prop::collection::vec((0_u8..8, prop::option::of(prop::sample::select(&NOTHING[..]))), 20),
        ) {
            let spelled: String = name
                .chars()
                .zip(ways)
                .map(|(c, (way, nothing))| written(c, way) + &nothing.map(String::from).unwrap_or_default())
                .collect();
            prop_assert_eq!(Prepared::of(&spelled), Prepared::of(&name), "{:?}", spelled);
        }

        #[test]
        fn what_is_prepared_stays_as_it_is(name in "\\PC{0,30}") {
            let prepared = Prepared::of(&name);
            prop_assert_eq!(Prepared::of(&prepared.0), prepared);
        }
    }

    #[test]
    fn other_letters_and_digits_are_other_names() {
        let names = ["carol", "caro1", "carl", "carrol", "кэрол", "卡羅爾", "!", "?", ""];
        let prepared: std::collections::HashSet<_> = names.into_iter().map(Prepared::of).collect();
        assert_eq!(prepared.len(), names.len());
        for (one, other) in [
            ("straße", "STRASSE"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("ﬁsh", "fish"),
            ("İ", "i"),
        ] {
            assert_eq!(Prepared::of(one), Prepared::of(other), "{one}");
        }
    }
}
