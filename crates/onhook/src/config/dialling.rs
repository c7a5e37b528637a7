//! The keys of `[dial]`: the plan that says what digits mean, and the rules that say who may be called. Their values
//! with their own spelling, and what is wrong between them; the deciding is done elsewhere.

use std::str::FromStr;

use dial::{Country, Covers, DialPolicy, Mask, NumberFormat, Pattern, Plan, PlanSettings, Rule, RuleAction, SipHost};
use serde::Deserialize;

use super::section::section;
use super::values::{ValueError, from_text};
use crate::store::UserName;

section! {
    /// `[dial]`
    pub struct Dial {
        /// The shortest form: regular expressions for numbers that everybody may call. A number must match one of them
        /// as a whole, after [dial.plan] has said what it is. For extensions of two to six digits: ["^[0-9]{2,6}$"]
        allow: Vec<Pattern> = default([]),
        /// What dialled digits mean. Without a country, what is never called is recognised with a + alone, and of emergency
        /// numbers 112 and 911. With one, say which extensions there are: other short digits are short numbers of the network.
        plan: DialPlan = table(DialPlan),
        /// Who may call what, any number: the first rule that covers a number decides. What no rule covers may be called if
        /// it is the user's own extension or phone (see `onhook user set`), and else not.
        rule: Vec<DialRule> = tables(DialRule),
        /// Users that rules speak of together, any number.
        group: Vec<DialGroup> = tables(DialGroup),
    }
}

section! {
    /// `[dial.plan]`
    pub struct DialPlan {
        /// The country that onhook dials from, by its two letters (ISO 3166).
        country: Option<Country> = optional("DE"),
        /// What is dialled before a national number; without it, the country's own. Not without a country.
        national_prefix: Option<Prefix> = optional("0"),
        /// What is dialled before a country calling code; without it, the country's own. Not without a country.
        international_prefix: Option<Prefix> = optional("00"),
        /// What is dialled for an outside line; "" where there is none. A number with and without it is understood.
        outside_line: Prefix = default(""),
        /// A regular expression for the site's own extensions.
        extensions: Option<Pattern> = optional("[1-9][0-9]{2,3}"),
        /// How numbers (not extensions) are sent to the trunk: "e164" for +4930123456, "digits" for 4930123456,
        /// "outside-line" as a desk phone would dial, with the country's prefixes: 0030123456, 000431234567.
        send: NumberFormat = default("e164"),
    }
}

section! {
    /// `[[dial.rule]]`
    pub struct DialRule {
        /// A name of your own, for the log and for `onhook dial explain`; unique.
        name: String = required("berlin"),
        /// What it covers: "own" (the user's extension and phones), "extensions", "national", "international" or "sip".
        kind: RuleKind = required("national"),
        /// "allow" or "refuse".
        action: RuleAction = default("allow"),
        /// For "extensions" and "national": which of them; [] for all. ? is one digit, a * at the end is any number of
        /// them. A national number may be written as it is dialled or with +, and is meant however it is dialled:
        /// ["030*", "+4917?*"]
        masks: Vec<Mask> = default([]),
        /// For "international": the countries, by two letters.
        countries: Vec<Country> = default([]),
        /// For "sip": the hosts, each with a port where the address has one.
        hosts: Vec<SipHost> = default([]),
        /// Whom it is for; with no users and no groups, for everybody.
        users: Vec<UserName> = default([]),
        /// Groups whom it is for.
        groups: Vec<String> = default([]),
    }
}

section! {
    /// `[[dial.group]]`
    pub struct DialGroup {
        /// The group's name, for `groups` of rules.
        name: String = required("sales"),
        /// Its users.
        users: Vec<UserName> = required(["alice", "bob"]),
    }
}

impl From<&DialPlan> for Plan {
    fn from(plan: &DialPlan) -> Self {
        let prefix = |prefix: &Option<Prefix>| prefix.as_ref().map(|prefix| prefix.0.clone());
        Self::new(PlanSettings {
            country: plan.country,
            national_prefix: prefix(&plan.national_prefix),
            international_prefix: prefix(&plan.international_prefix),
            outside_line: plan.outside_line.0.clone(),
            extensions: plan.extensions.clone(),
            send: plan.send,
        })
    }
}

/// The rules in their order, and behind them the short form.
impl From<&Dial> for DialPolicy {
    fn from(dial: &Dial) -> Self {
        let mut rules: Vec<Rule> = dial.rule.iter().map(|rule| rule_of(rule, &dial.group)).collect();
        if !dial.allow.is_empty() {
            rules.push(Rule {
                name: "[dial] allow".to_owned(),
                action: RuleAction::Allow,
                users: None,
                covers: Covers::Patterns(dial.allow.clone()),
            });
        }
        Self::new(Plan::from(&dial.plan), rules)
    }
}

fn rule_of(rule: &DialRule, groups: &[DialGroup]) -> Rule {
    let groups = groups.iter().filter(|group| rule.groups.contains(&group.name));
    let users = rule.users.iter().chain(groups.flat_map(|group| &group.users));
    let for_everybody = rule.users.is_empty() && rule.groups.is_empty();
    Rule {
        name: format!("`{}`", rule.name),
        action: rule.action,
        users: (!for_everybody).then(|| users.map(ToString::to_string).collect()),
        covers: match rule.kind {
            RuleKind::Own => Covers::Own,
            RuleKind::Extensions => Covers::Extensions(rule.masks.clone()),
            RuleKind::National => Covers::National(rule.masks.clone()),
            RuleKind::International => Covers::International(rule.countries.clone()),
            RuleKind::Sip => Covers::Sip(rule.hosts.clone()),
        },
    }
}

from_text!(Prefix);

/// Digits that are dialled before others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix(pub String);

impl FromStr for Prefix {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.len() > 5 || !text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(ValueError::new(text, "a prefix: up to five digits"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a rule covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    Own,
    Extensions,
    National,
    International,
    Sip,
}

#[cfg(test)]
mod tests {
    use dial::{Decision, Dialler};

    use super::*;
    use crate::config::Config;

    fn decide(name: Option<&str>, number: &str) -> Decision {
        let text = "[dial.plan]\nextensions = \"[1-9][0-9]{2,3}\"\n\
             [[dial.rule]]\nname = \"x\"\nkind = \"extensions\"\nusers = [\" Alice\"]\ngroups = [\"sales\"]\n\
             [[dial.group]]\nname = \"sales\"\nusers = [\"Bob\"]\n[[dial.group]]\nname = \"other\"\nusers = [\"carol\"]";
        let config = Config::parse(text, std::path::Path::new("onhook.toml")).unwrap();
        let dialler = Dialler {
            name: name.map(str::to_owned),
            extension: Some("4711".to_owned()),
            phones: Vec::new(),
        };
        DialPolicy::from(&config.dial).decide(&dialler, number)
    }

    #[test]
    fn a_rule_can_be_for_users_and_groups() {
        assert!(decide(Some("alice"), "4712").is_allowed());
        assert!(decide(Some("bob"), "4712").is_allowed());
        for other in [Some("carol"), None] {
            let decision = decide(other, "4712");
            let explanation = decision.in_full().to_string();
            assert!(
                !decision.is_allowed() && explanation.contains("rule 1, `x`: no, it is for other users"),
                "{explanation}"
            );
        }
    }
}
