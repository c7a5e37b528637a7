//! What the world's numbering plans say about a number. The only file that names `rlibphonenumber`; see decision 14.
//!
//! Nothing here decides. A number that the data calls unassigned may ring tomorrow, so those who ask about dangers also ask
//! [`danger_of_beginning`], which looks at what a number begins with.

mod dangers;
mod prefixes;

pub use dangers::danger;
pub(crate) use dangers::{SHORT_EVERYWHERE, danger_beyond_doubt, danger_of_beginning, danger_with_digits_behind};
pub(crate) use prefixes::{Prefixes, anywhere};

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};
use thiserror::Error;

use crate::from_text::from_text;

from_text!(Country);

/// A country, by its two letters (ISO 3166): one that has a numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(Region);

/// Not the code of a country with telephones.
#[derive(Debug, Error)]
#[error("{0:?} is not a country: two letters, like \"DE\"")]
pub struct NoCountry(String);

impl Country {
    /// The country calling code, without the plus.
    pub fn calling_code(self) -> String {
        let code = PHONE_NUMBER_UTIL.get_country_code_for_region(self.0);
        code.map(|code| code.to_string()).unwrap_or_default()
    }

    /// What is dialled before a national number: `0` in most of Europe, nothing in Spain. In North America, where the `1`
    /// is mostly left out, nothing.
    pub(crate) fn national_prefix(self) -> String {
        self.prefix_of_example().unwrap_or_default()
    }

    /// The library does not tell the prefix itself, but prints numbers with it.
    fn prefix_of_example(self) -> Option<String> {
        let example = PHONE_NUMBER_UTIL.get_example_number(self.0).ok()?;
        let e164 = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::E164);
        let significant = e164.strip_prefix('+')?.strip_prefix(self.calling_code().as_str())?;
        let national = PHONE_NUMBER_UTIL.format(&example, PhoneNumberFormat::National);
        let dialled: String = national.chars().filter(char::is_ascii_digit).collect();
        dialled.strip_suffix(significant).map(str::to_owned)
    }

    /// What is dialled before a country calling code: `011` in North America, `00` in most others, and nothing in Brazil,
    /// where the caller chooses a carrier by it.
    pub(crate) fn international_prefix(self) -> &'static str {
        self.prefixes().usual_abroad().unwrap_or_default()
    }

    /// Whether these digits are a national number that is dialled without a national prefix where others have one, as
    /// Australian 1800 numbers and Chinese mobiles.
    pub(crate) fn dials_bare(self, digits: &str) -> bool {
        let number = format!("+{}{digits}", self.calling_code());
        let Ok(parsed) = PHONE_NUMBER_UTIL.parse(&number, None) else {
            return false;
        };
        let format = PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::National);
        is_assigned(&number) && format.bytes().filter(u8::is_ascii_digit).eq(digits.bytes())
    }

    /// Whether these digits are a national number that may be dialled without a national prefix, as Indian mobiles.
    pub(crate) fn may_dial_bare(self, digits: &str) -> bool {
        let needs_none = self.prefixes().national.iter().any(|prefix| prefix.is_nothing());
        match needs_none {
            true => is_assigned(&format!("+{}{digits}", self.calling_code())),
            false => self.dials_bare(digits),
        }
    }
}

impl Ord for Country {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_region_str().as_str().cmp(other.0.as_region_str().as_str())
    }
}

impl PartialOrd for Country {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Country {
    type Err = NoCountry;

    fn from_str(text: &str) -> Result<Self, NoCountry> {
        let region = Region::from_str(text).map(Self);
        region
            .ok()
            .filter(|country| text.bytes().all(|c| c.is_ascii_uppercase()) && !country.calling_code().is_empty())
            .ok_or_else(|| NoCountry(text.to_owned()))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_region_str().as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// What an assigned number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    FixedLine,
    Mobile,
    /// Some countries do not tell the two apart.
    FixedLineOrMobile,
    TollFree,
    Voip,
    /// Universal access and voice mail numbers: ringing one may cost anything.
    Special,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FixedLine => "fixed line",
            Self::Mobile => "mobile",
            Self::FixedLineOrMobile => "fixed line or mobile",
            Self::TollFree => "toll-free",
            Self::Voip => "VoIP",
            Self::Special => "special: a universal access or voice mail number",
        })
    }
}

/// Numbers that are never called, whatever a rule says; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Danger {
    Emergency,
    PremiumRate,
    SharedCost,
    /// Satellite phones, and the "international networks" whose prices nobody can foresee.
    Satellite,
    /// Numbers that follow a person around, and pagers: they look like mobiles and cost what their owner chooses.
    Personal,
    /// The network's own short numbers: help lines, information, operators. No telephone has one.
    ShortNumber,
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emergency => "an emergency number",
            Self::PremiumRate => "a premium-rate number",
            Self::SharedCost => "a shared-cost number",
            Self::Satellite => "a satellite or international network number",
            Self::Personal => "a personal or pager number",
            Self::ShortNumber => "a short number of the network",
        })
    }
}

/// A number that its country's numbering plan assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// `+4930123456`
    pub e164: String,
    /// `None` for toll-free numbers that belong to no country (+800).
    pub country: Option<Country>,
    pub kind: Kind,
}

/// Looks up a number that begins with a `+`.
pub fn look_up(number: &str) -> Option<Assigned> {
    let parsed = PHONE_NUMBER_UTIL.parse(number, None).ok()?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&parsed) {
        return None;
    }
    let kind = match PHONE_NUMBER_UTIL.get_number_type(&parsed) {
        PhoneNumberType::FixedLine => Kind::FixedLine,
        PhoneNumberType::Mobile => Kind::Mobile,
        PhoneNumberType::FixedLineOrMobile => Kind::FixedLineOrMobile,
        PhoneNumberType::TollFree => Kind::TollFree,
        PhoneNumberType::VoIP => Kind::Voip,
        PhoneNumberType::UAN | PhoneNumberType::VoiceMail => Kind::Special,
        // All but the last are told by `danger`, and whoever has not asked shall not call them.
        PhoneNumberType::PremiumRate
        | PhoneNumberType::SharedCost
        | PhoneNumberType::PersonalNumber
        | PhoneNumberType::Pager
        | PhoneNumberType::Unknown => return None,
    };
    let country = PHONE_NUMBER_UTIL.get_region_for_number(&parsed).map(Country);
    Some(Assigned {
        e164: PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned(),
        country: country.filter(|country| country.to_string() != "001"),
        kind,
    })
}

/// Whether a number that begins with a `+` is assigned just as it stands, with no digit more or less.
pub fn is_assigned(number: &str) -> bool {
    look_up(number).is_some_and(|found| found.e164 == number)
}

/// A `+` and the most digits that any country assigns.
const LONGEST: usize = 18;

/// Looks up what a number begins with: exchanges ignore what comes after a whole number.
pub(crate) fn look_up_beginning(number: &str) -> Option<Assigned> {
    let mut beginnings = (3..=number.len().min(LONGEST)).rev();
    beginnings.find_map(|length| look_up(number.get(..length)?))
}

/// Countries whose national numbers begin with 0.
const BEGIN_WITH_0: [&str; 5] = ["39", "378", "225", "241", "242"];

/// What the library does not look at in a number that is not assigned: no area code of North America begins with 0 or 1, no national number
/// of most others with 0, and Russian ones have ten digits.
fn begins_like_a_number(number: &str) -> bool {
    let digits = &number[1..];
    let is_russian_length = !digits.starts_with('7') || digits.len() == 11;
    let begins_with_0 = (1..=3).any(|length| {
        let (code, national) = digits.split_at(length.min(digits.len()));
        let is_code = || {
            code.parse()
                .is_ok_and(|code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some())
        };
        national.starts_with('0') && !BEGIN_WITH_0.contains(&code) && is_code()
    });
    is_russian_length && !begins_with_0 && !digits.starts_with("11")
}

/// Whether a number that begins with a `+` is as long as numbers of its country are, assigned or not.
pub(crate) fn is_possible(number: &str) -> bool {
    is_as_long_as(number, |parsed| {
        PHONE_NUMBER_UTIL.is_possible_number_with_reason(parsed) == Ok(NumberLengthType::IsPossible)
    })
}

/// The same of its fixed lines and mobiles.
pub(crate) fn is_possible_phone(number: &str) -> bool {
    is_as_long_as(number, |parsed| {
        [PhoneNumberType::FixedLine, PhoneNumberType::Mobile]
            .into_iter()
            .any(|kind| {
                let length = PHONE_NUMBER_UTIL.is_possible_number_for_type_with_reason(parsed, kind);
                length == Ok(NumberLengthType::IsPossible)
            })
    })
}

fn is_as_long_as(number: &str, is_possible: impl Fn(&PhoneNumber) -> bool) -> bool {
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(number, None) else {
        return false;
    };
    // The library drops prefixes that do not belong there.
    let is_same = || PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164) == number;
    is_possible(&parsed) && begins_like_a_number(number) && is_same()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn country(text: &str) -> Country {
        text.parse().unwrap()
    }

    #[test]
    fn countries_know_how_they_dial() {
        for (code, calling, national, international) in [
            ("DE", "49", "0", "00"),
            ("US", "1", "", "011"),
            ("ES", "34", "", "00"),
            ("IT", "39", "", "00"),
            ("GB", "44", "0", "00"),
        ] {
            let country = country(code);
            assert_eq!(country.calling_code(), calling);
            assert_eq!(country.national_prefix(), national, "{code}");
            assert_eq!(country.international_prefix(), international, "{code}");
        }
        for text in ["", "de", "D", "DEU", "XX", "001", "Germany", "ZZ"] {
            assert!(text.parse::<Country>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn numbers_are_looked_up() {
        for (number, e164, home, kind) in [
            ("+4930123456", "+4930123456", "DE", Kind::FixedLine),
            ("+49030123456", "+4930123456", "DE", Kind::FixedLine),
            ("+491712345678", "+491712345678", "DE", Kind::Mobile),
            ("+390612345678", "+390612345678", "IT", Kind::FixedLine),
            ("+443001234567", "+443001234567", "GB", Kind::Special),
            ("+18765551234", "+18765551234", "JM", Kind::FixedLineOrMobile),
        ] {
            let found = look_up(number).unwrap_or_else(|| panic!("{number}"));
            assert_eq!(found.e164, e164);
            assert_eq!(found.country, Some(country(home)), "{number}");
            if kind != Kind::FixedLineOrMobile {
                assert_eq!(found.kind, kind, "{number}");
            }
        }
        for number in ["+", "+49", "+4930", "+499001234567", "+999123456", "030123456", "1", ""] {
            assert_eq!(look_up(number), None, "{number}");
        }
    }

    #[test]
    fn dangers_are_seen_also_behind_too_many_digits() {
        for (number, expected) in [
            ("+499001234567", Some(Danger::PremiumRate)),
            ("+4990012345678901", Some(Danger::PremiumRate)),
            ("+491803123456", Some(Danger::SharedCost)),
            ("+4918031234567890", Some(Danger::SharedCost)),
            ("+19005551234", Some(Danger::PremiumRate)),
            ("+979123456789", Some(Danger::PremiumRate)),
            ("+80812345678", Some(Danger::SharedCost)),
            ("+870773111632", Some(Danger::Satellite)),
            ("+8816123", Some(Danger::Satellite)),
            ("+8835100123456", Some(Danger::Satellite)),
            ("+4930123456", None),
            ("+491712345678", None),
            ("4711", None),
            ("", None),
            ("+", None),
        ] {
            assert_eq!(danger_of_beginning(number), expected, "{number}");
        }
    }

    #[test]
    fn countries_have_emergency_numbers() {
        let known = |code: &str, number: &str| {
            country(code)
                .short_numbers()
                .any(|known| *known == (number, Danger::Emergency))
        };
        assert!(known("DE", "110") && !known("DE", "999") && known("GB", "999") && known("US", "*77"));
        let lines = include_str!("numbering/emergency.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        for (countries, numbers) in lines.filter_map(|line| line.split_once(": ")) {
            for code in countries.split(' ') {
                assert!(numbers.split(' ').all(|number| known(code, number)), "{code}");
            }
        }
    }

    #[test]
    fn the_tables_are_well_formed() {
        let names = [
            "emergency",
            "premium-rate",
            "shared-cost",
            "satellite",
            "personal",
            "short-number",
        ];
        let lines = |table: &'static str| table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        for line in lines(include_str!("numbering/patterns.txt")) {
            let (head, pattern) = line.split_once(": ").unwrap();
            let (code, name) = head.strip_prefix('+').unwrap().split_once(' ').unwrap();
            assert!(code.parse::<u16>().is_ok() && names.contains(&name), "{line}");
            assert!(regex::Regex::new(&format!("^(?:{pattern})$")).is_ok(), "{line}");
        }
        for line in lines(include_str!("numbering/dangers.txt")) {
            let (head, beginnings) = line.split_once(": ").unwrap();
            let (name, places) = head.split_once(' ').unwrap();
            assert!(names.contains(&name), "{line}");
            match places.strip_prefix('+') {
                Some(code) => assert!(code.parse::<u16>().is_ok(), "{line}"),
                None => assert!(
                    places.split(' ').all(|place| place.parse::<Country>().is_ok()),
                    "{line}"
                ),
            }
            let is_beginning = |text: &str| !text.is_empty() && text.bytes().all(|c| b"0123456789x*#.".contains(&c));
            assert!(beginnings.split(' ').all(is_beginning), "{line}");
        }
        let roles = [
            "abroad",
            "national",
            "national-old",
            "carrier",
            "carrier-national",
            "code",
            "short",
        ];
        for line in lines(include_str!("numbering/prefixes.txt")) {
            let (head, prefixes) = line.split_once(": ").unwrap();
            let (role, places) = head.split_once(' ').unwrap();
            let is_place = |place: &str| {
                ["most", "+1", "everywhere", "anywhere"].contains(&place) || place.parse::<Country>().is_ok()
            };
            assert!(roles.contains(&role) && places.split(' ').all(is_place), "{line}");
            let is_prefix =
                |text: &str| text == "-" || text.bytes().all(|c| b"0123456789x*.".contains(&c)) && !text.is_empty();
            assert!(prefixes.split(' ').all(is_prefix), "{line}");
        }
    }
}
