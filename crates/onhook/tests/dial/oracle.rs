//! A second opinion on who may call what: regular expressions over what is sent, written by hand for each site, and what
//! the country's vectors make of the dial string. It shares no code, no data and no way of thinking with the policy.

use regex::Regex;

use crate::readings::{Place, Reading};
use crate::vectors::{Class, bare};

/// How a site's trunk wants numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Send {
    E164,
    Digits,
    OutsideLine,
}

/// What the oracle has against a number that was let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Objection {
    /// Too long, or with bytes that no dial string has.
    Junk,
    /// What was sent is not what was dialled.
    Another,
    /// No rule allows it, or one refuses it.
    NoRule,
    /// What was dialled may never be called.
    Never(Class),
    /// What is sent may not, which has another form.
    NeverSent(Class),
}

/// One user at one site.
pub(crate) struct Opinion {
    place: Place,
    /// What the trunk's exchange reads: it has taken the line off.
    exchange: Place,
    send: Send,
    /// The site's own numbers: digits behind a short number do not make it that number.
    extensions: Option<Regex>,
    allowed: Vec<Regex>,
    refused: Vec<Regex>,
}

impl Opinion {
    /// `rules` are about what is sent; exceptions begin with `!`.
    pub(crate) fn new(place: Place, exchange: Place, send: Send, extensions: &str, rules: &[&str]) -> Self {
        let (refused, allowed): (Vec<&str>, Vec<&str>) = rules.iter().partition(|rule| rule.starts_with('!'));
        let whole = |pattern: &str| Regex::new(pattern).unwrap();
        Self {
            place,
            exchange,
            send,
            extensions: Some(extensions).filter(|pattern| !pattern.is_empty()).map(whole),
            allowed: allowed.into_iter().map(whole).collect(),
            refused: refused.into_iter().map(|rule| whole(&rule[1..])).collect(),
        }
    }

    /// What is wrong with having let `dialled` through as `sent`.
    pub(crate) fn objection(&self, dialled: &str, sent: &str) -> Option<Objection> {
        if dialled.len() > 64 || !dialled.is_ascii() || dialled.bytes().any(|c| c < b' ' || c == 0x7f) {
            return Some(Objection::Junk);
        }
        let text = dialled.trim_matches(' ');
        let scheme = |name: &str| {
            text.get(..4)
                .filter(|start| start.eq_ignore_ascii_case(name))
                .map(|_| &text[4..])
        };
        let (digits, is_it) = match (scheme("sip:"), scheme("tel:")) {
            (Some(address), _) => {
                let user = address.split('@').next().unwrap_or_default();
                let host = address[user.len()..].to_ascii_lowercase();
                (bare(user), sent == format!("sip:{user}{host}"))
            }
            (None, number) => {
                let digits = bare(number.unwrap_or(text));
                let is_it = self.could_be_sent(&digits).iter().any(|could| is_one(could, sent));
                (digits, is_it)
            }
        };
        if !is_it {
            return Some(Objection::Another);
        }
        let allows = self.allowed.iter().any(|pattern| pattern.is_match(sent));
        if !allows || self.refused.iter().any(|pattern| pattern.is_match(sent)) {
            return Some(Objection::NoRule);
        }
        self.never(&digits, sent)
    }

    fn never(&self, digits: &str, sent: &str) -> Option<Objection> {
        // A name at a gateway is no number.
        if !digits.bytes().all(|c| c.is_ascii_digit() || b"+*#".contains(&c)) {
            return None;
        }
        // A site's own number may be one of help or information elsewhere; that of an emergency nobody has.
        if digits == sent && self.extensions.as_ref().is_some_and(|own| own.is_match(digits)) {
            let class = self.place.danger_without_surplus(digits);
            let may_be_own = |class: &Class| matches!(class, Class::Helpline | Class::Information);
            return class.filter(|class| !may_be_own(class)).map(Objection::Never);
        }
        // An exchange takes its line off first.
        let inside = match self.send {
            Send::OutsideLine => sent.strip_prefix(self.place.outside_line()).unwrap_or(sent),
            Send::E164 | Send::Digits => sent,
        };
        // What was dialled counts where it is what is sent, or the part of an address that a gateway dials; of a number that is
        // sent in another form, only that can ring.
        if sent.starts_with("sip:") || digits == sent && inside == sent {
            return self.place.danger(digits).map(Objection::Never);
        }
        let danger = match self.send {
            Send::Digits => self.place.danger_of_digits(sent),
            Send::OutsideLine if inside != sent => self.exchange.danger(inside),
            Send::E164 | Send::OutsideLine => self.place.danger(sent),
        };
        danger.map(Objection::NeverSent)
    }

    /// Every way in which a number may arrive at the trunk.
    fn could_be_sent(&self, digits: &str) -> Vec<String> {
        let country = self.place.country();
        let mut could = vec![digits.to_owned()];
        for reading in self.place.readings(digits) {
            if let Reading::Home(text) | Reading::Carried(text) | Reading::Misplaced(text) = reading {
                could.push(text.to_owned());
            }
            let at_home = || match reading {
                Reading::Home(text) | Reading::Carried(text) => Some(format!("{}{text}", country.calling_code)),
                _ => None,
            };
            let Some(e164) = self.place.e164(reading).or_else(at_home) else {
                continue;
            };
            could.push(format!("+{e164}"));
            match self.send {
                Send::E164 => {}
                Send::Digits => could.push(e164),
                Send::OutsideLine => could.extend(self.as_a_desk_phone_would(&e164)),
            }
        }
        could
    }

    fn as_a_desk_phone_would(&self, e164: &str) -> Vec<String> {
        let country = self.place.country();
        let line = self.place.outside_line();
        let before = |prefixes: &[String], rest: &str| -> Vec<String> {
            let prefixes = prefixes
                .iter()
                .map(String::as_str)
                .chain(prefixes.is_empty().then_some(""));
            prefixes.map(|prefix| format!("{line}{prefix}{rest}")).collect()
        };
        let mut ways = before(&country.prefixes.abroad, e164);
        if let Some(national) = e164.strip_prefix(country.calling_code.as_str()) {
            ways.extend(before(&country.prefixes.national, national));
            // North America dials with and without its 1.
            ways.extend(
                country
                    .is_as_long_as_a_local(national)
                    .then(|| format!("{line}{national}")),
            );
        }
        ways
    }
}

/// Whether they are one number, perhaps but for up to four digits in one place: what its country writes between calling code
/// and number (a trunk prefix, a carrier's code), or puts there (Argentina's 9).
fn is_one(could: &str, sent: &str) -> bool {
    let same = |one: &mut dyn Iterator<Item = (u8, u8)>| one.take_while(|(one, other)| one == other).count();
    let before = same(&mut could.bytes().zip(sent.bytes()));
    let behind = same(&mut could.bytes().rev().zip(sent.bytes().rev()));
    let (shorter, longer) = (could.len().min(sent.len()), could.len().max(sent.len()));
    could == sent || shorter > 6 && longer - shorter <= 4 && before >= 1 && before + behind >= shorter
}
