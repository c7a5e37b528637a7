//! Masks: which numbers a rule covers.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::{from_text::from_text, numbering::Country, plan::Plan};

from_text!(Mask);

/// Which numbers a rule covers: digits, perhaps after a `+`, with `?` for any one digit and `*` at the end for any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    pub plus: bool,
    /// Digits and `?`.
    pub digits: String,
    pub open: bool,
}

/// Why a text is no mask.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a mask of digits and ?, perhaps with + before and * behind them, like \"030*\"")]
pub struct NoMask(String);

impl FromStr for Mask {
    type Err = NoMask;

    fn from_str(text: &str) -> Result<Self, NoMask> {
        let (plus, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let (open, digits) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        let is_mask = text.len() <= 32 && digits.bytes().all(|c| c.is_ascii_digit() || c == b'?');
        if !is_mask || (digits.is_empty() && !open) {
            return Err(NoMask(text.to_owned()));
        }
        Ok(Self {
            plus,
            digits: digits.to_owned(),
            open,
        })
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.plus { "+" } else { "" };
        write!(f, "{plus}{}{}", self.digits, if self.open { "*" } else { "" })
    }
}

impl Mask {
    /// Whether digits, perhaps after a `+`, are what the mask describes.
    pub fn fits(&self, number: &str) -> bool {
        let (plus, digits) = number
            .strip_prefix('+')
            .map_or((false, number), |digits| (true, digits));
        let long_enough = if self.open {
            digits.len() >= self.digits.len()
        } else {
            digits.len() == self.digits.len()
        };
        let mut pairs = self.digits.bytes().zip(digits.bytes());
        self.plus == plus && long_enough && pairs.all(|(wanted, digit)| wanted == b'?' || wanted == digit)
    }

    /// The same with other digits, behind a `+`.
    fn international(&self, digits: String) -> Self {
        Self {
            plus: true,
            digits,
            open: self.open,
        }
    }
}

impl Plan {
    /// The E.164 numbers that a mask for national numbers means, however it is written: as people dial at home, with the way
    /// abroad and the country calling code, with `+`, or with no prefix at all. Without a country, the mask itself.
    pub fn international(&self, mask: &Mask) -> Mask {
        let Some(country) = self.home else {
            return mask.clone();
        };
        let code = self.home_code();
        let abroad = (!mask.plus)
            .then(|| self.behind_abroad_prefix(country, &mask.digits))
            .flatten();
        if let Some(behind) = abroad.or(mask.plus.then_some(mask.digits.as_str())) {
            // As in +49 (0)30.
            let national = behind
                .strip_prefix(code)
                .and_then(|rest| rest.strip_prefix(self.national_prefix()));
            return mask.international(national.map_or_else(|| behind.to_owned(), |rest| format!("{code}{rest}")));
        }
        let national = Some(self.national_prefix()).filter(|prefix| !prefix.is_empty());
        let national = national.and_then(|prefix| mask.digits.strip_prefix(prefix));
        let others = country.prefixes().national.iter();
        let national = national.or_else(|| {
            others
                .filter_map(|prefix| prefix.digits())
                .find_map(|prefix| mask.digits.strip_prefix(prefix))
        });
        mask.international(format!("{code}{}", national.unwrap_or(&mask.digits)))
    }

    /// A calling code of the country and what is behind it, when digits begin with a way abroad.
    fn behind_abroad_prefix<'d>(&self, country: Country, digits: &'d str) -> Option<&'d str> {
        let others = country.prefixes().abroad.iter().filter_map(|prefix| prefix.digits());
        let ways = [self.international_prefix()].into_iter().chain(others);
        let mut behind = ways
            .filter(|way| !way.is_empty())
            .filter_map(|way| digits.strip_prefix(way));
        behind.find(|rest| rest.starts_with(self.home_code()))
    }
}
