//! The numbers of the network itself: emergency numbers, help lines and other short numbers, which no telephone has. Some are known one
//! by one, with what each is; of others it is known what they begin with.

use crate::numbering::{self, Country, Danger, SHORT_EVERYWHERE};
use crate::plan::Plan;

/// An area code and a short number, at most.
const LONGEST_LOCAL: usize = 6;

/// Digits of area codes, without the national prefix.
const AREA_CODE_LENGTHS: std::ops::RangeInclusive<usize> = 1..=4;

impl Plan {
    /// What digits are that are a known short number as they stand.
    pub(crate) fn known_short(&self, digits: &str) -> Option<Danger> {
        self.gravest_known(|number| number == digits)
    }

    /// The same of digits that begin with one, which is all that a network would wait for.
    pub(crate) fn beginning_known_short(&self, digits: &str) -> Option<Danger> {
        self.gravest_known(|number| digits.starts_with(number))
    }

    /// The danger of a number of the world; at home, it may be a known short number behind an area code.
    pub(crate) fn danger_of_number(&self, e164: &str) -> Option<Danger> {
        let national = e164[1..].strip_prefix(self.home_code()).filter(|_| self.home.is_some());
        let short = |national| {
            self.local_known_short(national)
                .or(self.long_known_short_with_digit_behind(national))
        };
        national.and_then(short).or_else(|| numbering::danger(e164))
    }

    /// What a national number is that is a help line's short number, which is long as such, with a digit behind.
    fn long_known_short_with_digit_behind(&self, national: &str) -> Option<Danger> {
        self.gravest_known(|number| {
            let is_long = number.len() == LONGEST_LOCAL && national.len() == number.len() + 1;
            is_long && national.starts_with(number)
        })
    }

    /// What a national number is that is an area code and a known short number, and no more.
    pub(crate) fn local_known_short(&self, national: &str) -> Option<Danger> {
        let is_short = national.len() <= LONGEST_LOCAL;
        is_short.then(|| self.known_short_behind_area_code(national)).flatten()
    }

    /// What a known short number with a `*` or `#` is that stands anywhere in a dial string: `*77` calls the highway patrol.
    pub(crate) fn known_code(&self, digits: &str) -> Option<Danger> {
        let is_code = |text: &str| text.contains(['*', '#']);
        self.gravest_known(|number| is_code(digits) && is_code(number) && digits.contains(number))
    }

    /// What a known short number is that stands behind an area code, where the country has those.
    pub(crate) fn known_short_behind_area_code(&self, national: &str) -> Option<Danger> {
        let has_area_codes = !self.national_prefix().is_empty();
        let local = AREA_CODE_LENGTHS.filter_map(|length| national.get(length..));
        let known = |local: &str| self.gravest_known(|number| number.len() > 2 && local.starts_with(number));
        local.filter(|_| has_area_codes).filter_map(known).min()
    }

    fn gravest_known(&self, is_it: impl Fn(&str) -> bool) -> Option<Danger> {
        let at_home = self.home.map(Country::short_numbers);
        let known = SHORT_EVERYWHERE.iter().chain(at_home.into_iter().flatten());
        known
            .filter(|(number, _)| is_it(number))
            .map(|(_, danger)| *danger)
            .min()
    }

    /// Whether digits begin like the short numbers of the country's network.
    pub(crate) fn begins_with_short(&self, digits: &str) -> bool {
        self.home.is_some() && self.prefixes().short.iter().any(|short| short.begins(digits))
    }

    /// The same of those that are long enough to be told from the beginning of any number.
    pub(crate) fn begins_with_distinct_short(&self, digits: &str) -> bool {
        let short = self.prefixes().short.iter().filter(|short| short.is_distinct_short());
        self.home.is_some() && short.into_iter().any(|short| short.begins(digits))
    }
}
