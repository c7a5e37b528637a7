//! What dialled digits mean: an extension of the site, a number of the world, or neither.
//!
//! What is checked here is what is sent: the number that goes to the trunk is printed from the target, never from the
//! text that a client wrote.

use serde::Deserialize;

use crate::dial_string::{DialString, Digits, SipUri};
use crate::numbering::{self, Assigned, Country, Prefixes};
use crate::pattern::Pattern;
use crate::readings::{COULD_BE_A_NUMBER, Effort, Place, Readings};

/// With the calling code; shorter ones there are few, and all of them known.
const SHORTEST_FOREIGN_NUMBER: usize = 9;

/// Digits that a number may have more as it is dialled at home: a trunk prefix, Brazil's carrier.
const MOST_DROPPED: usize = 3;

/// What an operator says of the site's numbering plan.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
pub struct PlanSettings {
    /// The country that is dialled from.
    pub country: Option<Country>,
    /// What is dialled before a national number; without it, the country's own.
    pub national_prefix: Option<String>,
    /// What is dialled before a country calling code; without it, the country's own.
    pub international_prefix: Option<String>,
    /// What is dialled for an outside line; empty where there is none.
    pub outside_line: String,
    /// The site's own extensions.
    pub extensions: Option<Pattern>,
    pub send: NumberFormat,
}

/// How a trunk wants numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberFormat {
    /// `+4930123456`
    #[default]
    E164,
    /// `4930123456`
    Digits,
    /// As a desk phone would dial: `0030123456`.
    OutsideLine,
}

/// The site's numbering plan.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) home: Option<Country>,
    /// The country calling code of `home`.
    home_code: String,
    national_prefix: String,
    international_prefix: String,
    outside_line: String,
    extensions: Option<Pattern>,
    send: NumberFormat,
}

/// Whom a dial string means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Extension(String),
    Number(Assigned),
    /// Digits that are neither; with `+`, `*` and `#` as dialled.
    Digits(String),
    Uri(SipUri),
}

/// A number that may have been assigned since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Possible {
    AtHome,
    /// As the site dials abroad.
    Abroad,
    /// By another way that the country has.
    AbroadByAnyWay,
}

impl Plan {
    pub fn new(settings: PlanSettings) -> Self {
        let home = settings.country;
        let national_prefix = settings.national_prefix.or(home.map(Country::national_prefix));
        let own = || home.map(|home| home.international_prefix().to_owned());
        Self {
            home,
            home_code: home.map(Country::calling_code).unwrap_or_default(),
            national_prefix: national_prefix.unwrap_or_default(),
            international_prefix: settings.international_prefix.or_else(own).unwrap_or_default(),
            outside_line: settings.outside_line,
            extensions: settings.extensions,
            send: settings.send,
        }
    }

    /// The country that is dialled from.
    pub fn home(&self) -> Option<Country> {
        self.home
    }

    /// The site's own extensions.
    pub fn extensions(&self) -> Option<&Pattern> {
        self.extensions.as_ref()
    }

    /// What is dialled before a national number; empty where nothing is, or nothing is known of the country.
    pub fn national_prefix(&self) -> &str {
        &self.national_prefix
    }

    /// The country calling code of `home`; empty where there is none.
    pub(crate) fn home_code(&self) -> &str {
        &self.home_code
    }

    /// What is dialled before a country calling code; empty where it is not known.
    pub fn international_prefix(&self) -> &str {
        &self.international_prefix
    }

    /// What is dialled for an outside line; empty where there is none.
    pub fn outside_line(&self) -> &str {
        &self.outside_line
    }

    /// What a dial string means here.
    pub(crate) fn read(&self, dialled: &DialString) -> Target {
        let digits = match dialled {
            DialString::Uri(uri) => return Target::Uri(uri.clone()),
            DialString::Digits(digits) => digits,
        };
        if !digits.plus
            && let Some(extensions) = &self.extensions
            && extensions.matches(&digits.digits)
        {
            return Target::Extension(digits.digits.clone());
        }
        let mut readings = self.readings(digits).into_iter();
        // The library drops whole relay codes (180020 in Britain), which would be dialled no more.
        let no_number = format!("+{}00", self.home_code);
        let is_same = |number: &str, found: &Assigned| {
            found.e164.len() + MOST_DROPPED >= number.len() && !(self.home.is_some() && number.starts_with(&no_number))
        };
        match readings.find_map(|number| numbering::look_up(&number).filter(|found| is_same(&number, found))) {
            Some(assigned) => Target::Number(assigned),
            None => Target::Digits(digits.to_string()),
        }
    }

    /// What a gateway or an exchange may make of a dial string besides: of digits behind a SIP address, of a number behind other
    /// prefixes, without its own, or with digits too many. Rules that refuse look at these, too.
    pub(crate) fn otherwise(&self, dialled: &DialString, target: &Target) -> Vec<Target> {
        let spoken = match (dialled, target) {
            (DialString::Uri(uri), _) => uri.spoken(),
            (DialString::Digits(digits), Target::Digits(_)) => vec![digits.clone()],
            (DialString::Digits(_), _) => Vec::new(),
        };
        spoken
            .into_iter()
            .flat_map(|digits| self.numbers_within(digits))
            .collect()
    }

    /// Every way to read digits.
    pub(crate) fn readings_of<'d>(&'d self, digits: &'d Digits) -> Readings<'d> {
        let place = if digits.plus { Place::Abroad } else { Place::Dialled };
        Readings::new(self, Effort::Thorough, place, &digits.digits)
    }

    /// The longest extension that digits begin with, of digits that are too few for anything but an extension.
    pub(crate) fn extension_beginning<'d>(&self, digits: &'d Digits) -> Option<&'d str> {
        let could_be = !digits.plus && digits.digits.len() < COULD_BE_A_NUMBER;
        let extensions = self.extensions.as_ref().filter(|_| could_be)?;
        let mut beginnings = (1..=digits.digits.len())
            .rev()
            .filter_map(|length| digits.digits.get(..length));
        beginnings.find(|beginning| extensions.matches(beginning))
    }

    /// Every number of the world that digits could mean or begin with, and what the plan makes of them.
    fn numbers_within(&self, digits: Digits) -> Vec<Target> {
        let readings = self.readings_of(&digits);
        let numbers = readings.numbers();
        let numbers = numbers.filter_map(|number| numbering::look_up_beginning(&number).map(Target::Number));
        let mut targets: Vec<Target> = numbers.collect();
        targets.push(self.read(&DialString::Digits(digits)));
        targets
    }

    /// Whether digits are as long as a number is: of the site's own country, or of a foreign one, whose assignments may be younger than
    /// what we know.
    pub(crate) fn possible_number(&self, digits: &Digits) -> Option<Possible> {
        let is_abroad = |number: &String| {
            let is_foreign = !number[1..].starts_with(&self.home_code) && number.len() > SHORTEST_FOREIGN_NUMBER;
            is_foreign && numbering::is_possible_phone(number) && numbering::danger_of_beginning(number).is_none()
        };
        let readings = self.readings(digits);
        if readings.iter().any(is_abroad) {
            return Some(Possible::Abroad);
        }
        let ways = self
            .prefixes()
            .abroad
            .iter()
            .filter(|way| way.is_distinct() && !digits.plus);
        let mut abroad = ways.flat_map(|way| self.candidates(digits).filter_map(|digits| way.strip(digits)));
        if abroad.any(|number| is_abroad(&format!("+{number}"))) {
            return Some(Possible::AbroadByAnyWay);
        }
        let no_number = format!("+{}0", self.home_code);
        let is_at_home = |number: &String| {
            let is_prefixed_twice = !self.national_prefix.is_empty() && number.starts_with(&no_number);
            !is_prefixed_twice && numbering::is_possible_phone(number)
        };
        let is_told = digits.plus || !self.national_prefix.is_empty();
        (is_told && readings.iter().any(is_at_home)).then_some(Possible::AtHome)
    }

    /// What may stand before numbers in the country.
    pub(crate) fn prefixes(&self) -> &'static Prefixes {
        self.home.map_or_else(numbering::anywhere, Country::prefixes)
    }

    /// The numbers of the world that digits could mean, each with a `+`; the likeliest first. The trunk is sent one of them, so only
    /// prefixes that say nothing but where the number is are taken off: not a carrier that the caller chose.
    fn readings(&self, digits: &Digits) -> Vec<String> {
        if digits.plus {
            return vec![digits.to_string()];
        }
        // A feature code is no number, whatever digits it has.
        let is_code = digits.digits.contains(['*', '#']);
        self.candidates(digits)
            .filter(|_| !is_code)
            .filter_map(|digits| {
                if !self.international_prefix.is_empty()
                    && let Some(abroad) = digits.strip_prefix(self.international_prefix.as_str())
                {
                    return Some(format!("+{abroad}"));
                }
                let home = self.home?;
                let national = digits.strip_prefix(self.national_prefix.as_str());
                // The library would drop a second prefix, and nobody dials two.
                let is_prefixed = |rest: &&str| self.national_prefix == "0" && rest.starts_with('0');
                let national = national.filter(|rest| !is_prefixed(rest));
                let bare = || Some(digits).filter(|digits| !is_prefixed(digits) && home.may_dial_bare(digits));
                let national = national.or_else(bare)?;
                Some(format!("+{}{national}", self.home_code))
            })
            .collect()
    }

    /// The digits, and what is left of them after an outside line.
    fn candidates<'d>(&'d self, digits: &'d Digits) -> impl Iterator<Item = &'d str> {
        let outside = (!self.outside_line.is_empty())
            .then(|| digits.digits.strip_prefix(self.outside_line.as_str()))
            .flatten()
            .filter(|rest| !rest.is_empty());
        [Some(digits.digits.as_str()), outside].into_iter().flatten()
    }

    /// The user part of the Request-URI, for everything that is no URI itself.
    pub(crate) fn print(&self, target: &Target) -> String {
        match target {
            Target::Extension(digits) | Target::Digits(digits) => digits.clone(),
            Target::Uri(uri) => uri.to_string(),
            Target::Number(number) => self.print_number(&number.e164),
        }
    }

    fn print_number(&self, e164: &str) -> String {
        let digits = e164.trim_start_matches('+');
        match self.send {
            NumberFormat::E164 => e164.to_owned(),
            NumberFormat::Digits => digits.to_owned(),
            NumberFormat::OutsideLine => {
                let home = self.home.and_then(|_| digits.strip_prefix(self.home_code.as_str()));
                match home {
                    Some(national) if self.home.is_some_and(|home| home.dials_bare(national)) => {
                        format!("{}{national}", self.outside_line)
                    }
                    Some(national) => format!("{}{}{national}", self.outside_line, self.national_prefix),
                    None if self.international_prefix.is_empty() => e164.to_owned(),
                    None => format!("{}{}{digits}", self.outside_line, self.international_prefix),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::plan;

    fn meaning(plan: &Plan, text: &str) -> String {
        let target = plan.read(&DialString::parse(text).unwrap());
        let kind = match &target {
            Target::Extension(_) => "extension",
            Target::Number(_) => "number",
            Target::Digits(_) => "digits",
            Target::Uri(_) => "address",
        };
        format!("{kind} {}", plan.print(&target))
    }

    const BERLIN: &str = "country = \"DE\"\noutside_line = \"0\"\nextensions = \"[1-9][0-9]{2,3}\"";

    #[test]
    fn a_german_site_behind_an_outside_line() {
        let plan = plan(BERLIN);
        for (dialled, meaning_) in [
            ("4711", "extension 4711"),
            ("47 11", "extension 4711"),
            ("030 123456", "number +4930123456"),
            ("0030123456", "number +4930123456"),
            ("+49 (0)30 123456", "number +4930123456"),
            ("0049 30 123456", "number +4930123456"),
            ("0 00 43 1 234567", "number +431234567"),
            ("0171 2345678", "number +491712345678"),
            ("30123456", "digits 30123456"),
            ("47110", "digits 47110"),
            ("*97", "digits *97"),
            ("030*123456", "digits 030*123456"),
            ("sip:4711@pbx.example.com", "address sip:4711@pbx.example.com"),
        ] {
            assert_eq!(meaning(&plan, dialled), meaning_, "{dialled}");
        }
    }

    #[test]
    fn an_american_site() {
        let plan = plan("country = \"US\"\noutside_line = \"9\"\nextensions = \"[2-8][0-9]{3}\"");
        for (dialled, meaning_) in [
            ("4711", "extension 4711"),
            ("(212) 555-1234", "number +12125551234"),
            ("1 212 555 1234", "number +12125551234"),
            ("9 1 212 555 1234", "number +12125551234"),
            ("011 49 30 123456", "number +4930123456"),
            ("9 011 49 30 123456", "number +4930123456"),
            ("876 555 1234", "number +18765551234"),
        ] {
            assert_eq!(meaning(&plan, dialled), meaning_, "{dialled}");
        }
    }

    #[test]
    fn without_a_plan_digits_are_digits() {
        let plan = plan("");
        for (dialled, meaning_) in [
            ("4711", "digits 4711"),
            ("030123456", "digits 030123456"),
            ("+4930123456", "number +4930123456"),
            ("+49", "digits +49"),
        ] {
            assert_eq!(meaning(&plan, dialled), meaning_, "{dialled}");
        }
    }

    #[test]
    fn a_number_is_sent_as_the_trunk_wants_it() {
        for (send, at_home, abroad) in [
            ("e164", "+4930123456", "+431234567"),
            ("digits", "4930123456", "431234567"),
            ("outside-line", "0030123456", "000431234567"),
        ] {
            let plan = plan(&format!("{BERLIN}\nsend = \"{send}\""));
            assert_eq!(meaning(&plan, "030 123456"), format!("number {at_home}"));
            assert_eq!(meaning(&plan, "+43 1 234567"), format!("number {abroad}"));
            assert_eq!(meaning(&plan, "4711"), "extension 4711");
        }
    }

    #[test]
    fn an_outside_line_is_followed_by_the_countrys_own_prefix() {
        for (country, berlin, home, dialled) in [
            ("AU", "0001149302312500", "0 2 5550 1234", "00255501234"),
            ("AU", "0001149302312500", "1800 123 456", "01800123456"),
            ("JP", "001049302312500", "03 5253 5111", "00352535111"),
            ("RU", "081049302312500", "8 495 606 3602", "084956063602"),
            ("US", "001149302312500", "212 555 0123", "02125550123"),
            ("IT", "00049302312500", "06 3204 1234", "00632041234"),
        ] {
            let plan = plan(&format!(
                "country = \"{country}\"\noutside_line = \"0\"\nsend = \"outside-line\""
            ));
            assert_eq!(
                meaning(&plan, "+49 30 2312500"),
                format!("number {berlin}"),
                "{country}"
            );
            assert_eq!(meaning(&plan, home), format!("number {dialled}"), "{country}");
        }
        let brazil = plan("country = \"BR\"\ninternational_prefix = \"0021\"\nsend = \"outside-line\"");
        assert_eq!(meaning(&brazil, "+49 30 2312500"), "number 002149302312500");
    }
}
