//! What dialled digits mean: an extension of the site, a number of the world, or neither.
//!
//! What is checked here is what is sent: the number that goes to the trunk is printed from the target, never from the
//! text that a client wrote.

use super::dial_string::{DialString, Digits, SipUri};
use crate::config::{DialPlan, NumberFormat, Pattern};
use crate::numbering::{self, Assigned, Country, Danger, EMERGENCY_EVERYWHERE};

/// From this length on, digits that mean nothing to the plan could be a number that only lacks its prefix.
const COULD_BE_A_NUMBER: usize = 8;

/// The site's numbering plan.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) home: Option<Country>,
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
pub(super) enum Target {
    Extension(String),
    Number(Assigned),
    /// Digits that are neither; with `+`, `*` and `#` as dialled.
    Digits(String),
    Uri(SipUri),
}

impl Plan {
    pub(super) fn from_config(plan: &DialPlan) -> Self {
        let national = plan.national_prefix.as_ref().map(|prefix| prefix.0.clone());
        let international = plan.international_prefix.as_ref().map(|prefix| prefix.0.clone());
        let home = plan.country;
        let of_country = |country: Country| country.international_prefix().to_owned();
        Self {
            home,
            home_code: home.map(Country::calling_code).unwrap_or_default(),
            national_prefix: national.or(home.map(Country::national_prefix)).unwrap_or_default(),
            international_prefix: international.or(home.map(of_country)).unwrap_or_default(),
            outside_line: plan.outside_line.0.clone(),
            extensions: plan.extensions.clone(),
            send: plan.send,
        }
    }

    pub(super) fn national_prefix(&self) -> &str {
        &self.national_prefix
    }

    pub(super) fn home_code(&self) -> &str {
        &self.home_code
    }

    /// What a dial string means here.
    pub(super) fn read(&self, dialled: &DialString) -> Target {
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
        match readings.find_map(|number| numbering::look_up(&number)) {
            Some(assigned) => Target::Number(assigned),
            None => Target::Digits(digits.to_string()),
        }
    }

    /// The danger in a dial string, whatever the plan makes of it: every way to read it counts, also what a gateway
    /// behind a SIP address would dial.
    pub(super) fn danger(&self, dialled: &DialString, target: &Target) -> Option<Danger> {
        let digits = match dialled {
            DialString::Digits(digits) => digits.clone(),
            DialString::Uri(uri) => uri.digits()?,
        };
        // After a feature code there may be a number.
        let parts = digits.digits.split(['*', '#']).filter(|part| !part.is_empty());
        parts.into_iter().find_map(|part| {
            let part = Digits {
                plus: digits.plus,
                digits: part.to_owned(),
            };
            self.danger_of(&part, matches!(target, Target::Number(_)))
        })
    }

    /// What a gateway or an exchange may make of a dial string besides: of digits behind a SIP address, of a number without
    /// its prefix, and of one with digits too many. Rules that refuse look at these, too.
    pub(super) fn otherwise(&self, dialled: &DialString, target: &Target) -> Vec<Target> {
        let digits = match (dialled, target) {
            (DialString::Uri(uri), _) => uri.digits(),
            (DialString::Digits(digits), Target::Digits(_)) => Some(digits.clone()),
            (DialString::Digits(_), _) => None,
        };
        let Some(digits) = digits else { return Vec::new() };
        let readings = self.all_readings(&digits, false).into_iter();
        let numbers = readings.filter_map(|number| numbering::look_up_beginning(&number).map(Target::Number));
        let behind = self.read(&DialString::Digits(digits));
        numbers.chain([behind]).collect()
    }

    /// The likely readings and, unless one of them is a number for sure, what else could be one.
    fn all_readings(&self, digits: &Digits, is_assigned: bool) -> Vec<String> {
        let mut readings = self.readings(digits);
        if !is_assigned && !digits.plus && digits.digits.len() >= COULD_BE_A_NUMBER {
            for digits in self.candidates(digits) {
                readings.push(format!("+{}", digits.trim_start_matches('0')));
                readings.push(format!("+{}{digits}", self.home_code));
            }
        }
        readings
    }

    fn danger_of(&self, digits: &Digits, is_assigned: bool) -> Option<Danger> {
        // With a +, too: no number of the world is as short, but whoever drops the + has one that is.
        if self.candidates(digits).any(|digits| self.is_emergency(digits)) {
            return Some(Danger::Emergency);
        }
        self.all_readings(digits, is_assigned).iter().find_map(|number| {
            let international = number.strip_prefix('+');
            let national = international.and_then(|digits| digits.strip_prefix(self.home_code.as_str()));
            if self.home.is_some() && national.is_some_and(|digits| self.is_emergency(digits)) {
                return Some(Danger::Emergency);
            }
            numbering::danger(number)
        })
    }

    fn is_emergency(&self, digits: &str) -> bool {
        let bare = digits.strip_prefix(self.national_prefix.as_str()).unwrap_or(digits);
        // However often somebody has asked for an outside line before.
        let without_zeros = digits.trim_start_matches('0');
        [digits, bare, without_zeros].iter().any(|digits| {
            EMERGENCY_EVERYWHERE.contains(digits) || self.home.is_some_and(|home| home.has_emergency_number(digits))
        })
    }

    /// The digits, and what is left of them after an outside line.
    fn candidates<'d>(&'d self, digits: &'d Digits) -> impl Iterator<Item = &'d str> {
        let outside = (!self.outside_line.is_empty() && !digits.plus)
            .then(|| digits.digits.strip_prefix(self.outside_line.as_str()))
            .flatten()
            .filter(|rest| !rest.is_empty());
        [Some(digits.digits.as_str()), outside].into_iter().flatten()
    }

    /// The numbers of the world that digits could mean, each with a `+`; the likeliest first.
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
                self.home?;
                let national = digits.strip_prefix(self.national_prefix.as_str())?;
                Some(format!("+{}{national}", self.home_code))
            })
            .collect()
    }

    /// The user part of the Request-URI, for everything that is no URI itself.
    pub(super) fn print(&self, target: &Target) -> String {
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
                    Some(national) => format!("{}{}{national}", self.outside_line, self.national_prefix),
                    None if self.international_prefix.is_empty() => format!("{}00{digits}", self.outside_line),
                    None => format!("{}{}{digits}", self.outside_line, self.international_prefix),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn plan(toml: &str) -> Plan {
        let text = format!("[dial.plan]\n{toml}");
        let config = Config::parse(&text, std::path::Path::new("onhook.toml")).unwrap();
        Plan::from_config(&config.dial.plan)
    }

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

    fn danger(plan: &Plan, text: &str) -> Option<Danger> {
        let dialled = DialString::parse(text).unwrap();
        plan.danger(&dialled, &plan.read(&dialled))
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
        assert_eq!(danger(&plan, "870 234 5678"), None, "Arkansas, no satellite");
        assert_eq!(danger(&plan, "900 555 1234"), Some(Danger::PremiumRate));
        assert_eq!(danger(&plan, "9911"), Some(Danger::Emergency));
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
    fn every_reading_of_a_dangerous_number_is_seen() {
        let plan = plan(BERLIN);
        for (dialled, expected) in [
            ("112", Danger::Emergency),
            ("110", Danger::Emergency),
            ("0112", Danger::Emergency),
            ("00112", Danger::Emergency),
            ("0 110", Danger::Emergency),
            ("+49 112", Danger::Emergency),
            ("+110", Danger::Emergency),
            ("+00112", Danger::Emergency),
            ("sip:+112@gateway.example.com", Danger::Emergency),
            ("0049110", Danger::Emergency),
            ("0900 1234567", Danger::PremiumRate),
            ("00900 1234567", Danger::PremiumRate),
            ("0049 900 1234567", Danger::PremiumRate),
            ("+49 900 1234567 89", Danger::PremiumRate),
            ("0 00 49 900 1234567", Danger::PremiumRate),
            ("00000 49 900 1234567", Danger::PremiumRate),
            ("499001234567", Danger::PremiumRate),
            ("9001234567", Danger::PremiumRate),
            ("*31#09001234567", Danger::PremiumRate),
            ("*31#112", Danger::Emergency),
            ("01803 123456", Danger::SharedCost),
            ("+8816 12345678", Danger::Satellite),
            ("00881612345678", Danger::Satellite),
            ("881612345678", Danger::Satellite),
            ("sip:09001234567@gateway.example.com", Danger::PremiumRate),
            ("sip:+499001234567@gateway.example.com", Danger::PremiumRate),
            ("sip:112@gateway.example.com", Danger::Emergency),
            ("tel:112", Danger::Emergency),
        ] {
            assert_eq!(danger(&plan, dialled), Some(expected), "{dialled}");
        }
        for dialled in [
            "4711",
            "1120",
            "030123456",
            "+431234567",
            "sip:anna@example.com",
            "*97",
            "0171 2345678",
        ] {
            assert_eq!(danger(&plan, dialled), None, "{dialled}");
        }
    }

    #[test]
    fn a_plan_without_a_country_knows_what_it_knows() {
        let plan = plan("");
        assert_eq!(danger(&plan, "112"), Some(Danger::Emergency));
        assert_eq!(danger(&plan, "911"), Some(Danger::Emergency));
        assert_eq!(danger(&plan, "0112"), Some(Danger::Emergency));
        assert_eq!(danger(&plan, "+499001234567"), Some(Danger::PremiumRate));
        assert_eq!(danger(&plan, "110"), None);
        assert_eq!(danger(&plan, "09001234567"), None);
    }
}
