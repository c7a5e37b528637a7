//! What the world's numbering plans say about a number. The only file that names `rlibphonenumber`; see decision 14.
//!
//! Nothing here decides. A number that the data calls unassigned may ring tomorrow, so those who ask about dangers ask
//! [`danger`], which also looks at what a number begins with.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};
use thiserror::Error;

/// A country, by its two letters (ISO 3166): one that has a numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country(Region);

/// Not the code of a country with telephones.
#[derive(Debug, Error)]
#[error("{0:?} is not a country: two letters, like \"DE\"")]
pub struct NoCountry(String);

impl Country {
    /// The country calling code, without the plus.
    pub(crate) fn calling_code(self) -> String {
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

    /// What is dialled before a country calling code: `011` in North America, `00` in most others.
    pub(crate) fn international_prefix(self) -> &'static str {
        if self.calling_code() == "1" { "011" } else { "00" }
    }

    /// Whether these digits are an emergency number there. 112 and 911 are one everywhere.
    pub(crate) fn has_emergency_number(self, digits: &str) -> bool {
        let code = self.to_string();
        EMERGENCY
            .iter()
            .any(|(countries, numbers)| countries.contains(&code.as_str()) && numbers.contains(&digits))
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

/// Everywhere an emergency number.
pub(crate) const EMERGENCY_EVERYWHERE: [&str; 2] = ["112", "911"];

type EmergencyNumbers = Vec<(Vec<&'static str>, Vec<&'static str>)>;

static EMERGENCY: LazyLock<EmergencyNumbers> = LazyLock::new(|| {
    include_str!("numbering/emergency.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(countries, numbers)| {
            (
                countries.split_whitespace().collect(),
                numbers.split_whitespace().collect(),
            )
        })
        .collect()
});

/// What an assigned number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    FixedLine,
    Mobile,
    /// Some countries do not tell the two apart.
    FixedLineOrMobile,
    TollFree,
    Voip,
    /// Personal, pager, universal access and voice mail numbers: ringing one may cost anything.
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
            Self::Special => "special: a personal, pager, universal access or voice mail number",
        })
    }
}

/// Numbers that are never called, whatever a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Danger {
    Emergency,
    PremiumRate,
    SharedCost,
    /// Satellite phones, and the "international networks" whose prices nobody can foresee.
    Satellite,
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emergency => "an emergency number",
            Self::PremiumRate => "a premium-rate number",
            Self::SharedCost => "a shared-cost number",
            Self::Satellite => "a satellite or international network number",
        })
    }
}

/// A number that its country's numbering plan assigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// `+4930123456`
    pub(crate) e164: String,
    /// `None` for toll-free numbers that belong to no country (+800).
    pub(crate) country: Option<Country>,
    pub(crate) kind: Kind,
}

/// Looks up a number that begins with a `+`.
pub(crate) fn look_up(number: &str) -> Option<Assigned> {
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
        PhoneNumberType::PersonalNumber
        | PhoneNumberType::Pager
        | PhoneNumberType::UAN
        | PhoneNumberType::VoiceMail => Kind::Special,
        // The first two are told by `danger`, and whoever has not asked shall not call them.
        PhoneNumberType::PremiumRate | PhoneNumberType::SharedCost | PhoneNumberType::Unknown => return None,
    };
    let country = PHONE_NUMBER_UTIL.get_region_for_number(&parsed).map(Country);
    Some(Assigned {
        e164: PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned(),
        country: country.filter(|country| country.to_string() != "001"),
        kind,
    })
}

/// A `+` and the most digits that any country assigns.
const LONGEST: usize = 18;

/// Looks up what a number begins with: exchanges ignore what comes after a whole number.
pub(crate) fn look_up_beginning(number: &str) -> Option<Assigned> {
    let mut beginnings = (3..=number.len().min(LONGEST)).rev();
    beginnings.find_map(|length| look_up(number.get(..length)?))
}

/// Calling codes of satellite systems (870, 881), international networks (882, 883), and universal personal numbers (878).
const SATELLITE: [&str; 5] = ["+870", "+878", "+881", "+882", "+883"];
/// International premium rate and international shared cost.
const PREMIUM: [(&str, Danger); 2] = [("+979", Danger::PremiumRate), ("+808", Danger::SharedCost)];

/// Whether a number that begins with a `+` is dangerous, or would be if its last digits were not dialled: exchanges
/// ignore what comes after a whole number.
pub(crate) fn danger(number: &str) -> Option<Danger> {
    if SATELLITE.iter().any(|code| number.starts_with(code)) {
        return Some(Danger::Satellite);
    }
    if let Some((_, danger)) = PREMIUM.iter().find(|(code, _)| number.starts_with(code)) {
        return Some(*danger);
    }
    (3..=number.len().min(LONGEST)).rev().find_map(|length| {
        let parsed = PHONE_NUMBER_UTIL.parse(number.get(..length)?, None).ok()?;
        match PHONE_NUMBER_UTIL.get_number_type(&parsed) {
            PhoneNumberType::PremiumRate => Some(Danger::PremiumRate),
            PhoneNumberType::SharedCost => Some(Danger::SharedCost),
            _ => None,
        }
    })
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
            ("+447012345678", "+447012345678", "GB", Kind::Special),
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
            assert_eq!(danger(number), expected, "{number}");
        }
    }

    #[test]
    fn every_country_has_emergency_numbers() {
        assert!(country("DE").has_emergency_number("110"));
        assert!(country("GB").has_emergency_number("999"));
        assert!(!country("DE").has_emergency_number("999"));
        for (countries, numbers) in EMERGENCY.iter() {
            assert!(!countries.is_empty() && !numbers.is_empty());
            for code in countries {
                assert!(country(code).has_emergency_number(numbers[0]), "{code}");
            }
        }
    }
}
