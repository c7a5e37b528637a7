//! The numbers of the network itself: emergency numbers, help lines and other short numbers, which no telephone has.

use super::plan::Plan;
use crate::numbering::{self, Country, Danger, EMERGENCY_EVERYWHERE};

/// An area code and an emergency number, at most.
const LONGEST_LOCAL_EMERGENCY: usize = 6;

/// Digits of area codes, without the national prefix.
const AREA_CODE_LENGTHS: std::ops::RangeInclusive<usize> = 1..=4;

impl Plan {
    /// Whether digits are an emergency number as they stand.
    pub(super) fn is_emergency(&self, digits: &str) -> bool {
        self.emergency_numbers().any(|number| number == digits)
    }

    /// Whether an emergency number is all that a network would wait for.
    pub(super) fn begins_with_emergency(&self, digits: &str) -> bool {
        self.emergency_numbers().any(|number| digits.starts_with(number))
    }

    /// The danger of a number of the world; at home, it may be an emergency number behind an area code.
    pub(super) fn danger_of_number(&self, e164: &str) -> Option<Danger> {
        let national = e164[1..].strip_prefix(self.home_code()).filter(|_| self.home.is_some());
        let is_emergency =
            |national| self.is_local_emergency(national) || self.is_long_emergency_with_digit_behind(national);
        let is_emergency = national.is_some_and(is_emergency);
        is_emergency
            .then_some(Danger::Emergency)
            .or_else(|| numbering::danger(e164))
    }

    /// Whether a national number is a help line's short number, which is long as such, with a digit behind.
    fn is_long_emergency_with_digit_behind(&self, national: &str) -> bool {
        let is_long = |number: &&str| number.len() == LONGEST_LOCAL_EMERGENCY && national.len() == number.len() + 1;
        self.emergency_numbers()
            .filter(is_long)
            .any(|number| national.starts_with(number))
    }

    /// Whether a national number is an area code and an emergency number, and no more.
    pub(super) fn is_local_emergency(&self, national: &str) -> bool {
        national.len() <= LONGEST_LOCAL_EMERGENCY && self.has_emergency_behind_area_code(national)
    }

    /// Whether an emergency number with a `*` or `#` stands anywhere in a dial string: `*77` calls the highway patrol.
    pub(super) fn has_emergency_code(&self, digits: &str) -> bool {
        digits.contains(['*', '#'])
            && self
                .emergency_numbers()
                .any(|number| number.contains(['*', '#']) && digits.contains(number))
    }

    /// Whether an emergency number stands behind an area code, where the country has those.
    pub(super) fn has_emergency_behind_area_code(&self, national: &str) -> bool {
        let mut local = AREA_CODE_LENGTHS.filter_map(|length| national.get(length..));
        let is_emergency = |local: &str| {
            self.emergency_numbers()
                .any(|number| number.len() > 2 && local.starts_with(number))
        };
        !self.national_prefix().is_empty() && local.any(is_emergency)
    }

    fn emergency_numbers(&self) -> impl Iterator<Item = &'static str> {
        let at_home = self.home.map(Country::emergency_numbers);
        EMERGENCY_EVERYWHERE
            .iter()
            .chain(at_home.into_iter().flatten())
            .copied()
    }

    /// Whether digits begin like the short numbers of the country's network.
    pub(super) fn begins_with_short(&self, digits: &str) -> bool {
        self.home.is_some() && self.prefixes().short.iter().any(|short| short.begins(digits))
    }

    /// The same of those that are long enough to be told from the beginning of any number.
    pub(super) fn begins_with_distinct_short(&self, digits: &str) -> bool {
        let short = self.prefixes().short.iter().filter(|short| short.is_distinct_short());
        self.home.is_some() && short.into_iter().any(|short| short.begins(digits))
    }
}
