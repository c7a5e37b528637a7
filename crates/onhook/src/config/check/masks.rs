//! Masks that can match nothing: a rule that refuses would refuse nobody, and nobody would notice.

use dial::numbering::{self, Country};
use dial::{Mask, Plan, RuleAction};

use crate::config::dialling::{Dial, DialRule, RuleKind};
use crate::config::error::Problem;
use crate::config::read::Document;

/// The most digits of a number, with the country calling code.
const LONGEST_NUMBER: usize = 15;
/// The longest extension that is looked for.
const LONGEST_EXTENSION: usize = 8;
/// With so many open digits all are tried; with more, some.
const ALL_ARE_TRIED: usize = 4;
const SOME: u64 = 2_000;

/// Says of each mask that matches nothing, and of one that would.
pub(super) fn check(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Dial { plan, rule, .. } = &document.config.dial;
    let plan = Plan::from(plan);
    for (index, rule) in rule.iter().enumerate() {
        for (at, mask) in rule.masks.iter().enumerate() {
            let Some((message, would)) = problem(&plan, rule, mask) else {
                continue;
            };
            let problem = Problem::new(document.place(&format!("dial.rule.{index}.masks.{at}")), message);
            problems.push(match would {
                Some(would) => problem.help(format!("perhaps \"{would}\"")),
                None => problem,
            });
        }
    }
}

fn problem(plan: &Plan, rule: &DialRule, mask: &Mask) -> Option<(String, Option<Mask>)> {
    let mut others = other_spellings(plan, mask).into_iter();
    match (rule.kind, plan.home(), plan.extensions()) {
        (RuleKind::National, Some(country), _) => {
            let mask_of_e164 = plan.international(mask);
            let is_never_called = || rule.action == RuleAction::Refuse && is_all_danger(&mask_of_e164, country);
            if has_number(&mask_of_e164, country) || is_never_called() {
                return None;
            }
            let message =
                format!("the mask \"{mask}\" matches nothing: it fits no number of {country} that can be called");
            Some((
                message,
                others.find(|other| has_number(&plan.international(other), country)),
            ))
        }
        (RuleKind::Extensions, _, Some(extensions)) if !mask.plus => {
            let matches = |mask: &Mask| completions(mask, LONGEST_EXTENSION).any(|digits| extensions.matches(&digits));
            // With too many to try, it may match one that was not tried.
            if open_digits(mask, LONGEST_EXTENSION) > ALL_ARE_TRIED || matches(mask) {
                return None;
            }
            let message =
                format!("the mask \"{mask}\" matches nothing: it fits no extension of [dial.plan] extensions");
            Some((message, others.find(matches)))
        }
        // What is wrong here is told elsewhere.
        _ => None,
    }
}

/// Whether an E.164 mask fits a number that a rule for this country can cover.
fn has_number(mask: &Mask, country: Country) -> bool {
    completions(mask, LONGEST_NUMBER).any(|digits| {
        let number = format!("+{digits}");
        numbering::look_up(&number).is_some_and(|found| found.e164 == number && found.country == Some(country))
    })
}

/// Whether all that it fits is never called: a rule that refuses may name it all the same.
fn is_all_danger(mask: &Mask, country: Country) -> bool {
    let code = country.calling_code();
    let numbers = || {
        let completions = completions(mask, LONGEST_NUMBER).filter(|digits| digits.starts_with(&code));
        completions.map(|digits| format!("+{digits}"))
    };
    numbers().any(|number| numbering::danger(&number).is_some())
        && !numbers().any(|number| numbering::is_assigned(&number))
}

/// Other ways to write a mask, of which the first that matches something is shown.
fn other_spellings(plan: &Plan, mask: &Mask) -> Vec<Mask> {
    let with = |plus: bool, digits: String, open: bool| Mask { plus, digits, open };
    let digits = mask.digits.as_str();
    let mut bases = vec![digits.to_owned(), format!("{}{digits}", plan.national_prefix())];
    bases.extend(digits.strip_prefix(plan.outside_line()).map(str::to_owned));
    let behind = digits.trim_start_matches('0');
    bases.extend([behind.to_owned(), format!("{}{behind}", plan.national_prefix())]);
    let mut others = Vec::new();
    for open in [mask.open, true] {
        others.extend(
            bases
                .iter()
                .filter(|base| !base.is_empty())
                .map(|base| with(false, base.clone(), open)),
        );
        others.push(with(true, digits.to_owned(), open));
    }
    others.retain(|other| other != mask && other.digits.bytes().any(|c| c.is_ascii_digit()));
    others
}

/// Digits that are not fixed, when the whole is as long as can be.
fn open_digits(mask: &Mask, longest: usize) -> usize {
    let rest = if mask.open {
        longest.saturating_sub(mask.digits.len())
    } else {
        0
    };
    mask.digits.matches('?').count() + rest
}

/// Digits that fit a mask, of every length: all there are, or some that are the same every time.
fn completions(mask: &Mask, longest: usize) -> impl Iterator<Item = String> {
    let rest = if mask.open {
        0..=longest.saturating_sub(mask.digits.len())
    } else {
        0..=0
    };
    rest.flat_map(move |rest| {
        let open = mask.digits.matches('?').count() + rest;
        let (how_many, is_all) = match u32::try_from(open) {
            Ok(open) if (open as usize) <= ALL_ARE_TRIED => (10_u64.pow(open), true),
            _ => (SOME, false),
        };
        (0..how_many).map(move |turn| {
            // Any odd factor spreads the turns; the digits are taken from its upper half.
            let mut source = if is_all {
                turn
            } else {
                (turn + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 8
            };
            let mut next = || {
                let digit = source % 10;
                source /= 10;
                char::from(b'0' + u8::try_from(digit).unwrap_or_default())
            };
            let mut digits: String = mask.digits.chars().map(|c| if c == '?' { next() } else { c }).collect();
            digits.extend((0..rest).map(|_| next()));
            digits
        })
    })
}
