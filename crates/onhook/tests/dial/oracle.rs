//! A second opinion on who may call what: regular expressions over what was sent, written by hand for each site. It shares
//! no code, no data and no way of thinking with the policy, which works with masks, a numbering library and its own parser.

use regex::Regex;

/// How a site dials, in the oracle's own words.
pub(crate) struct Dialling {
    /// What an outside line, an international and a national number begin with, and what the latter stands for.
    pub(crate) outside: &'static str,
    pub(crate) abroad: &'static str,
    pub(crate) inland: &'static str,
    pub(crate) home: &'static str,
    /// Whether numbers of any country may be called, and so in any country's way of writing them.
    pub(crate) all_the_world: bool,
}

/// Whether a number was sent without what its country writes between calling code and number (a trunk prefix, a carrier's
/// code), or with what it puts there (Argentina's 9).
fn is_tidied(meaning: &str, sent: &str) -> bool {
    let (Some(meaning), Some(sent)) = (meaning.strip_prefix('+'), sent.strip_prefix('+')) else {
        return false;
    };
    let tail = &sent[sent.len().saturating_sub(5)..];
    meaning.get(..1) == sent.get(..1) && meaning.ends_with(tail) && meaning.len().abs_diff(sent.len()) <= 4
}

/// One user at one site.
pub(crate) struct Opinion {
    dialling: Dialling,
    allowed: Vec<Regex>,
    refused: Vec<Regex>,
    never: Vec<Regex>,
}

impl Opinion {
    /// `rules` are about what is sent; exceptions begin with `!`; `never` is about everything it could mean.
    pub(crate) fn new(dialling: Dialling, rules: &[&str], never: &[&str]) -> Self {
        let (refused, allowed): (Vec<&str>, Vec<&str>) = rules.iter().partition(|rule| rule.starts_with('!'));
        let refused: Vec<&str> = refused.iter().map(|rule| &rule[1..]).collect();
        let whole = |patterns: &[&str]| patterns.iter().map(|one| Regex::new(one).unwrap()).collect();
        Self {
            dialling,
            allowed: whole(&allowed),
            refused: whole(&refused),
            never: whole(never),
        }
    }

    /// What is wrong with having let `dialled` through as `sent`.
    pub(crate) fn objection(&self, dialled: &str, sent: &str) -> Option<&'static str> {
        if dialled.len() > 64 || !dialled.is_ascii() || dialled.bytes().any(|c| c < b' ' || c == 0x7f) {
            return Some("too long, or with bytes that no dial string has");
        }
        let meanings = self.meanings(dialled);
        let comes_from = |meaning: &String| meaning == sent || self.dialling.all_the_world && is_tidied(meaning, sent);
        if !meanings.iter().any(comes_from) {
            return Some("what was sent is not what was dialled");
        }
        let allows = self.allowed.iter().any(|pattern| pattern.is_match(sent));
        if !allows || self.refused.iter().any(|pattern| pattern.is_match(sent)) {
            return Some("no rule allows it");
        }
        let is_never = |meaning: &str| self.never.iter().any(|pattern| pattern.is_match(meaning));
        let mut all = meanings.iter().map(String::as_str).chain([sent]);
        all.any(is_never).then_some("it may never be called")
    }

    /// Everything that a dial string could mean, likely or not.
    fn meanings(&self, dialled: &str) -> Vec<String> {
        let text = dialled.trim_matches(' ').to_ascii_lowercase();
        if let Some(address) = text.strip_prefix("sip:") {
            let user = address.split('@').next().unwrap_or_default();
            let spoken = dialled.trim_matches(' ')[4..4 + user.len()].to_owned();
            // As an address, and as what a gateway would dial.
            let mut meanings = vec![format!("sip:{spoken}{}", &address[user.len()..])];
            meanings.extend(
                self.numbers(user)
                    .into_iter()
                    .map(|number| format!("behind sip:{number}")),
            );
            return meanings;
        }
        self.numbers(text.strip_prefix("tel:").unwrap_or(&text))
    }

    fn numbers(&self, text: &str) -> Vec<String> {
        if !text.bytes().all(|c| b"0123456789+*#()-. ".contains(&c)) {
            return Vec::new();
        }
        let dialled: String = text.chars().filter(|c| !"()-. ".contains(*c)).collect();
        let Dialling {
            outside,
            abroad,
            inland,
            home,
            ..
        } = self.dialling;
        let mut meanings = vec![dialled.clone()];
        for digits in [Some(dialled.as_str()), dialled.strip_prefix(outside)]
            .into_iter()
            .flatten()
        {
            meanings.extend(digits.strip_prefix(abroad).map(|rest| format!("+{rest}")));
        }
        // +49 (0) 30: the inland prefix where it does not belong, before a number and not before 112.
        for meaning in meanings.clone() {
            for (code, inland) in [("49", "0"), ("43", "0"), ("41", "0"), ("33", "0"), ("1", "1")] {
                let mended = meaning.strip_prefix(&format!("+{code}{inland}"));
                let mended = mended.filter(|rest| rest.len() > 3);
                meanings.extend(mended.map(|rest| format!("+{code}{rest}")));
            }
        }
        for digits in [Some(dialled.as_str()), dialled.strip_prefix(outside)]
            .into_iter()
            .flatten()
        {
            let Some(rest) = digits.strip_prefix(inland) else {
                continue;
            };
            meanings.push(format!("+{home}{rest}"));
            // With the 1 that North America may or may not dial.
            if let Some(rest) = rest.strip_prefix('1').filter(|_| home == "1") {
                meanings.push(format!("+{home}{rest}"));
            }
        }
        meanings
    }
}
