//! Who may call what. The first rule that covers a number decides; what none covers is refused.

use serde::Deserialize;

use crate::mask::Mask;
use crate::numbering::{Country, Kind};
use crate::pattern::Pattern;
use crate::sip_host::SipHost;

use crate::dial_string::DialString;
use crate::plan::{Plan, Target};

/// The user whose call it would be, as rules see one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialler {
    /// In lower case, as the store keeps it.
    pub name: Option<String>,
    pub extension: Option<String>,
    /// The user's registered phones, as written when they were registered.
    pub phones: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As an explanation names it.
    pub name: String,
    pub action: RuleAction,
    /// The users it is for, in lower case; `None` for everybody.
    pub users: Option<Vec<String>>,
    pub covers: Covers,
}

/// What a rule does with what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAction {
    Allow,
    Refuse,
}

/// What a rule covers.
#[derive(Clone, Debug)]
pub enum Covers {
    /// The user's own extension and phones.
    Own,
    /// The site's extensions that one of the masks fits; all where there is none.
    Extensions(Vec<Mask>),
    /// Numbers of the site's country that one of the masks fits; all where there is none. A mask is meant however it is written.
    National(Vec<Mask>),
    /// Numbers of these countries.
    International(Vec<Country>),
    /// SIP addresses at these hosts.
    Sip(Vec<SipHost>),
    /// Numbers and extensions that one of these matches, as [`Plan`] reads them.
    Patterns(Vec<Pattern>),
}

/// What a rule says of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Covers,
    /// Not, and why not.
    Misses(&'static str),
}

/// What the operator wrote, ready to be asked, and behind it the default that nobody has to write.
pub(crate) fn with_default(rules: Vec<Rule>, plan: &Plan) -> Vec<Rule> {
    let default = Rule {
        name: "default: own extension and phones".to_owned(),
        action: RuleAction::Allow,
        users: None,
        covers: Covers::Own,
    };
    rules.into_iter().map(|rule| rule.read(plan)).chain([default]).collect()
}

impl Dialler {
    fn has_numbers(&self) -> bool {
        self.extension.is_some() || !self.phones.is_empty()
    }
}

impl Rule {
    /// The same with masks as numbers of the world are written.
    fn read(mut self, plan: &Plan) -> Self {
        if let Covers::National(masks) = &mut self.covers {
            for mask in masks {
                *mask = plan.international(mask);
            }
        }
        self
    }

    /// Whether it lets this user call anything.
    pub(crate) fn lets_call(&self, dialler: &Dialler) -> bool {
        let is_empty = matches!(self.covers, Covers::Own) && !dialler.has_numbers();
        self.action == RuleAction::Allow && self.is_for(dialler) && !is_empty
    }

    fn is_for(&self, dialler: &Dialler) -> bool {
        let names = |users: &Vec<String>| dialler.name.as_ref().is_some_and(|name| users.contains(name));
        self.users.as_ref().is_none_or(names)
    }

    /// Whether the rule covers this target for this user.
    pub(crate) fn verdict(&self, dialler: &Dialler, target: &Target, plan: &Plan) -> Verdict {
        if !self.is_for(dialler) {
            return Verdict::Misses("it is for other users");
        }
        let covers = |covers, or_else| {
            if covers {
                Verdict::Covers
            } else {
                Verdict::Misses(or_else)
            }
        };
        match (&self.covers, target) {
            (Covers::Own, Target::Uri(_)) => Verdict::Misses("it is for numbers"),
            (Covers::Own, _) if !dialler.has_numbers() => Verdict::Misses("the user has no extension and no phones"),
            (Covers::Own, target) => covers(is_own(dialler, target, plan), "it is not the user's own"),
            (Covers::Extensions(masks), Target::Extension(digits)) => {
                let matches = masks.is_empty() || masks.iter().any(|mask| mask.fits(digits));
                covers(matches, "no mask fits")
            }
            (Covers::Extensions(_), _) => Verdict::Misses("it is not an extension"),
            (Covers::National(_) | Covers::International(_), Target::Number(number))
                if number.kind == Kind::Special =>
            {
                Verdict::Misses("universal access and voice mail numbers are not covered")
            }
            (Covers::National(_), Target::Number(number))
                if number.country.is_none() || number.country != plan.home =>
            {
                Verdict::Misses("it is not a national number")
            }
            (Covers::National(masks), Target::Number(number)) => {
                let matches = masks.is_empty() || masks.iter().any(|mask| mask.fits(&number.e164));
                covers(matches, "no mask fits")
            }
            (Covers::National(_), _) => Verdict::Misses("it is not a national number"),
            (Covers::International(countries), Target::Number(number)) => {
                let listed = number.country.is_some_and(|country| countries.contains(&country));
                covers(listed, "its country is not listed")
            }
            (Covers::International(_), _) => Verdict::Misses("it is not a number with a country"),
            (Covers::Sip(hosts), Target::Uri(uri)) => covers(hosts.contains(&uri.host), "its host is not listed"),
            (Covers::Sip(_), _) => Verdict::Misses("it is not a SIP address"),
            (Covers::Patterns(_), Target::Uri(_)) => Verdict::Misses("it is for numbers"),
            (Covers::Patterns(patterns), target) => {
                let text = match target {
                    Target::Number(number) => &number.e164,
                    Target::Extension(digits) | Target::Digits(digits) => digits,
                    Target::Uri(_) => return Verdict::Misses("it is for numbers"),
                };
                covers(
                    patterns.iter().any(|pattern| pattern.matches(text)),
                    "no pattern matches",
                )
            }
        }
    }
}

/// Whether the target is the dialler's extension, or means what one of the registered phones means.
pub(crate) fn is_own(dialler: &Dialler, target: &Target, plan: &Plan) -> bool {
    let own_extension = match target {
        Target::Extension(digits) | Target::Digits(digits) => dialler.extension.as_ref() == Some(digits),
        Target::Number(_) | Target::Uri(_) => false,
    };
    own_extension
        || dialler
            .phones
            .iter()
            .filter_map(|phone| DialString::parse(phone).ok())
            .any(|phone| plan.read(&phone) == *target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::plan_and_rules;

    struct Site {
        plan: Plan,
        rules: Vec<Rule>,
    }

    /// With all the plan there is.
    fn site_of(toml: &str) -> Site {
        let (plan, rules) = plan_and_rules(toml);
        let rules = with_default(rules, &plan);
        Site { plan, rules }
    }

    fn site(toml: &str) -> Site {
        site_of(&format!(
            "[dial.plan]\ncountry = \"DE\"\nextensions = \"[1-9][0-9]{{2,3}}\"\n{toml}"
        ))
    }

    impl Site {
        /// What the first rule says.
        fn ask(&self, name: &str, number: &str) -> Verdict {
            let target = self.plan.read(&DialString::parse(number).unwrap());
            let dialler = Dialler {
                name: Some(name.to_owned()),
                extension: Some("4711".to_owned()),
                phones: vec!["0171 2345678".to_owned()],
            };
            self.rules[0].verdict(&dialler, &target, &self.plan)
        }

        fn covers(&self, number: &str) -> bool {
            self.ask("alice", number) == Verdict::Covers
        }
    }

    #[test]
    fn own_is_the_extension_and_the_phones_however_they_are_written() {
        for own in [site(""), site("[[dial.rule]]\nname = \"x\"\nkind = \"own\"")] {
            for number in [
                "4711",
                "47 11",
                "+49 171 2345678",
                "0049 171/2345678".replace('/', " ").as_str(),
            ] {
                assert!(own.covers(number), "{number}");
            }
            for number in ["4712", "04711", "+491712345679", "sip:4711@example.com"] {
                assert!(!own.covers(number), "{number}");
            }
        }
    }

    #[test]
    fn extensions_are_the_plans_and_masks_choose_among_them() {
        let all = site("[[dial.rule]]\nname = \"x\"\nkind = \"extensions\"");
        assert!(all.covers("4711") && all.covers("100"));
        assert!(!all.covers("47110") && !all.covers("030123456") && !all.covers("12"));
        let some = site("[[dial.rule]]\nname = \"x\"\nkind = \"extensions\"\nmasks = [\"47??\", \"1*\"]");
        assert!(some.covers("4799") && some.covers("123") && some.covers("1234"));
        assert!(!some.covers("4811") && !some.covers("479"));
    }

    #[test]
    fn national_masks_are_written_as_dialled_or_with_a_plus() {
        let site = site("[[dial.rule]]\nname = \"x\"\nkind = \"national\"\nmasks = [\"030*\", \"+4917?2345678\"]");
        for number in ["030123456", "+4930123456", "004930123456", "01712345678"] {
            assert!(site.covers(number), "{number}");
        }
        for number in ["040123456", "017123456789", "+43301234567", "4711", "300"] {
            assert!(!site.covers(number), "{number}");
        }
    }

    #[test]
    fn a_mask_means_every_spelling_of_the_number() {
        for (country, masks, number, other) in [
            (
                "US",
                ["1212*", "212*", "+1212*", "0111212*", "+1 212*"],
                "(212) 555-0123",
                "(312) 555-0123",
            ),
            (
                "DE",
                ["030*", "30*", "+4930*", "004930*", "+49030*"],
                "030 23125000",
                "040 23125000",
            ),
            (
                "AU",
                ["02*", "2*", "+612*", "0011612*", "+6102*"],
                "02 5550 1234",
                "03 5550 1234",
            ),
            (
                "RU",
                ["8495*", "495*", "+7495*", "8107495*", "+78495*"],
                "8 495 606 3602",
                "8 812 606 3602",
            ),
        ] {
            for mask in masks.map(|mask| mask.replace(' ', "")) {
                let text = format!(
                    "[dial.plan]\ncountry = \"{country}\"\n[[dial.rule]]\nname = \"x\"\nkind = \"national\"\nmasks = [\"{mask}\"]"
                );
                let site = site_of(&text);
                assert!(site.covers(number), "{country}: {mask}");
                assert!(!site.covers(other), "{country}: {mask}");
            }
        }
    }

    #[test]
    fn all_national_numbers_are_those_that_cost_what_a_call_costs() {
        let site = site("[[dial.rule]]\nname = \"x\"\nkind = \"national\"");
        assert!(site.covers("030123456") && site.covers("01712345678") && site.covers("08001234567"));
        let user_group = site.ask("alice", "0181 123456");
        assert!(
            matches!(user_group, Verdict::Misses(why) if why.contains("universal access")),
            "{user_group:?}"
        );
        assert!(!site.covers("+431234567") && !site.covers("+80012345678"));
    }

    #[test]
    fn countries_are_countries_and_not_calling_codes() {
        let site = site("[[dial.rule]]\nname = \"x\"\nkind = \"international\"\ncountries = [\"AT\", \"US\"]");
        assert!(site.covers("+431234567") && site.covers("00431234567") && site.covers("+12125551234"));
        assert!(!site.covers("+18765551234"), "Jamaica, under the same +1");
        assert!(!site.covers("+4930123456") && !site.covers("+80012345678"));
    }

    #[test]
    fn sip_addresses_are_called_at_listed_hosts_alone() {
        let site =
            site("[[dial.rule]]\nname = \"x\"\nkind = \"sip\"\nhosts = [\"PBX.example.com\", \"192.0.2.1:5062\"]");
        for uri in [
            "sip:anna@pbx.example.com",
            "SIP:4711@PBX.EXAMPLE.COM",
            "sip:a@192.0.2.1:5062",
        ] {
            assert!(site.covers(uri), "{uri}");
        }
        for uri in [
            "sip:anna@pbx.example.com:5060",
            "sip:a@192.0.2.1",
            "sip:a@example.com",
            "sip:a@x.pbx.example.com",
            "sip:a@pbx.example.com.evil.example",
        ] {
            assert!(!site.covers(uri), "{uri}");
        }
        assert!(!site.covers("4711"));
    }

    #[test]
    fn the_short_form_matches_the_whole_number() {
        let short = |allow: &str| site_of(&format!("[dial]\nallow = {allow}"));
        assert!(short("[\"^[0-9]{2,6}$\"]").covers("4711"));
        assert!(!short("[\"11\"]").covers("4711"));
        assert!(!short("[\"^1|2$\"]").covers("1900"));
        assert!(short("['\\+49.*']").covers("+49 30 123456"));
        assert!(!short("[\".*\"]").covers("sip:a@b"));
    }

    #[test]
    fn a_rule_can_be_for_users() {
        let site = site("[[dial.rule]]\nname = \"x\"\nkind = \"extensions\"\nusers = [\"alice\", \"bob\"]");
        assert_eq!(site.ask("alice", "4712"), Verdict::Covers);
        assert_eq!(site.ask("bob", "4712"), Verdict::Covers);
        assert_eq!(site.ask("carol", "4712"), Verdict::Misses("it is for other users"));
        let target = site.plan.read(&DialString::parse("4712").unwrap());
        let nobody = Dialler::default();
        assert!(matches!(
            site.rules[0].verdict(&nobody, &target, &site.plan),
            Verdict::Misses(_)
        ));
    }
}
