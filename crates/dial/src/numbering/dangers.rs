//! What is never called, by number: what numbering plans say, in `patterns.txt` and `emergency.txt` as a library
//! knows them and in `dangers.txt` what it does not.

#![expect(
    clippy::disallowed_types,
    reason = "constant tables, read when they are first asked for: the same for everybody, whoever asks first"
)]

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;

use super::prefixes::Prefix;
use super::{Country, Danger, LONGEST, is_assigned, is_possible};

/// A short number of the network, as it is dialled, and what it is.
pub(crate) type ShortNumber = (&'static str, Danger);

/// Everywhere emergency numbers.
pub(crate) const SHORT_EVERYWHERE: [ShortNumber; 2] = [("112", Danger::Emergency), ("911", Danger::Emergency)];

/// Help lines of social value, the same in most of Europe; none begins like a number anywhere else.
const HELP_IN_EUROPE: [ShortNumber; 6] = [
    ("116000", Danger::Emergency),
    ("116006", Danger::Emergency),
    ("116016", Danger::Emergency),
    ("116111", Danger::Emergency),
    ("116117", Danger::Emergency),
    ("116123", Danger::Emergency),
];

/// Lines of a table: what stands before the colon, and the words behind it.
fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, std::str::Split<'static, char>)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(head, words)| (head, words.split(' ')))
}

static SHORT: LazyLock<BTreeMap<Country, Vec<ShortNumber>>> = LazyLock::new(|| {
    let mut known: BTreeMap<Country, Vec<ShortNumber>> = BTreeMap::new();
    let emergency = lines(include_str!("emergency.txt"));
    let emergency = emergency.map(|(countries, numbers)| (Danger::Emergency, countries, numbers));
    let by_hand = lines(include_str!("dangers.txt")).filter(|(head, _)| !head.contains('+'));
    let by_hand = by_hand.filter_map(|(head, numbers)| {
        let (name, countries) = head.split_once(' ')?;
        Some((danger_named(name), countries, numbers))
    });
    for (danger, countries, numbers) in emergency.chain(by_hand) {
        for country in countries.split(' ').filter_map(|country| country.parse().ok()) {
            let numbers = numbers.clone().map(|number| (number, danger));
            known.entry(country).or_default().extend(numbers);
        }
    }
    known
});

/// Calling codes, and beginnings of national numbers there.
static BEGINNINGS: LazyLock<Vec<(&'static str, Prefix, Danger)>> = LazyLock::new(|| {
    let mut known = Vec::new();
    for (head, beginnings) in lines(include_str!("dangers.txt")) {
        let Some((name, code)) = head.split_once(" +") else {
            continue;
        };
        known.extend(beginnings.map(|beginning| (code, Prefix::new(beginning), danger_named(name))));
    }
    known
});

/// The danger that a table names.
fn danger_named(name: &str) -> Danger {
    match name {
        "emergency" => Danger::Emergency,
        "premium-rate" => Danger::PremiumRate,
        "shared-cost" => Danger::SharedCost,
        "satellite" => Danger::Satellite,
        "personal" => Danger::Personal,
        _ => Danger::ShortNumber,
    }
}

impl Country {
    /// The short numbers there that are known; [`SHORT_EVERYWHERE`] besides.
    pub(crate) fn short_numbers(self) -> impl Iterator<Item = &'static ShortNumber> {
        SHORT.get(&self).into_iter().flatten().chain(&HELP_IN_EUROPE)
    }
}

/// Ships and satellite systems (870 to 877, 881), universal personal numbers (878), international networks (882, 883, 991) and
/// disaster relief (888).
const SATELLITE: [&str; 6] = ["87", "881", "882", "883", "888", "991"];
/// International premium rate and international shared cost.
const PREMIUM: [(&str, Danger); 2] = [("979", Danger::PremiumRate), ("808", Danger::SharedCost)];
/// The fewest digits of a whole number under the codes above, with the code.
const SHORTEST_OF_NO_COUNTRY: usize = 11;

/// The fewest digits that are taken for such a number where it is not sure.
const SHORTEST_WITH_CODE: usize = 8;
/// Digits too many, where another reading is an ordinary number.
const FEW: usize = 3;

fn danger_of_code(digits: &str) -> Option<Danger> {
    if SATELLITE.iter().any(|code| digits.starts_with(code)) {
        return Some(Danger::Satellite);
    }
    PREMIUM
        .iter()
        .find(|(code, _)| digits.starts_with(code))
        .map(|(_, danger)| *danger)
}

fn danger_of_whole_code(digits: &str) -> Option<Danger> {
    danger_of_code(digits).filter(|_| digits.len() >= SHORTEST_OF_NO_COUNTRY)
}

fn danger_by_hand(digits: &str) -> Option<Danger> {
    let begins = |(code, beginning, _): &&(&str, Prefix, Danger)| {
        digits
            .strip_prefix(code)
            .is_some_and(|national| beginning.begins(national))
    };
    BEGINNINGS.iter().find(begins).map(|(_, _, danger)| *danger)
}

/// How much of a number has to be what a numbering plan describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Beginning,
}

/// What `patterns.txt` says of the national numbers of one calling code. They are compiled when a number of theirs is first asked for.
struct Patterns {
    code: &'static str,
    danger: Danger,
    text: &'static str,
    whole: LazyPattern,
    beginning: LazyPattern,
}

type LazyPattern = OnceLock<Option<Regex>>;

static PATTERNS: LazyLock<Vec<Patterns>> = LazyLock::new(|| {
    let lines = include_str!("patterns.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let lines = lines.filter_map(|line| line.split_once(": "));
    let lines = lines.filter_map(|(head, text)| head.trim_start_matches('+').split_once(' ').map(|head| (head, text)));
    let patterns = lines.map(|((code, name), text)| Patterns {
        code,
        danger: danger_named(name),
        text,
        whole: LazyPattern::new(),
        beginning: LazyPattern::new(),
    });
    patterns.collect()
});

impl Patterns {
    fn describe(&self, national: &str, extent: Extent) -> bool {
        let text = self.text;
        let pattern = match extent {
            Extent::Whole => self.whole.get_or_init(|| Regex::new(&format!("^(?:{text})$")).ok()),
            Extent::Beginning => self.beginning.get_or_init(|| Regex::new(&format!("^(?:{text})")).ok()),
        };
        // A trunk prefix is dropped where it does not belong, as in +49 (0)30.
        let mut written = [Some(national), national.strip_prefix('0')].into_iter().flatten();
        pattern
            .as_ref()
            .is_some_and(|pattern| written.any(|digits| pattern.is_match(digits)))
    }
}

fn danger_of_type(digits: &str, extent: Extent) -> Option<Danger> {
    let describes = |patterns: &&Patterns| {
        let national = digits.strip_prefix(patterns.code);
        national.is_some_and(|national| patterns.describe(national, extent))
    };
    PATTERNS.iter().find(describes).map(|patterns| patterns.danger)
}

/// Whether a number that begins with a `+` is dangerous as a whole.
pub fn danger(number: &str) -> Option<Danger> {
    let digits = number.strip_prefix('+')?;
    let by_hand = || danger_by_hand(digits).filter(|_| is_possible(number) || is_assigned(number));
    danger_of_whole_code(digits)
        .or_else(by_hand)
        .or_else(|| danger_of_type(digits, Extent::Whole))
}

/// The same with a few digits too many, and under the codes of no country however long.
pub(crate) fn danger_with_digits_behind(number: &str) -> Option<Danger> {
    let of_code = danger_of_code(number.strip_prefix('+')?).filter(|_| number.len() > SHORTEST_WITH_CODE);
    let lengths = number.len().saturating_sub(FEW)..=number.len();
    of_code.or_else(|| lengths.rev().filter_map(|length| number.get(..length)).find_map(danger))
}

/// The same where the numbering plan says how many digits there are, and no number looks like another: enough to refuse digits
/// that could as well be an ordinary number.
pub(crate) fn danger_beyond_doubt(number: &str) -> Option<Danger> {
    let digits = number.strip_prefix('+')?;
    let of_type = || danger_of_type(digits, Extent::Whole).filter(|danger| *danger != Danger::Personal);
    danger_of_whole_code(digits).or_else(of_type)
}

/// Whether a number that begins with a `+` is dangerous, or would be if its last digits were not dialled: exchanges
/// ignore what comes after a whole number.
pub(crate) fn danger_of_beginning(number: &str) -> Option<Danger> {
    let digits = number.strip_prefix('+')?;
    let by_hand = || {
        let mut beginnings = (3..=digits.len().min(LONGEST)).filter_map(|length| digits.get(..length));
        beginnings.find_map(danger_by_hand)
    };
    danger_of_code(digits)
        .or_else(by_hand)
        .or_else(|| danger_of_type(digits, Extent::Beginning))
}
