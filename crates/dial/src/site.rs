//! Sites for tests, in the words of the configuration file. How the program makes them of those, with groups and all, is tested there.

use serde::Deserialize;

use crate::{Country, Covers, DialPolicy, Mask, Pattern, Plan, PlanSettings, Rule, RuleAction, SipHost};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    dial: Dial,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dial {
    allow: Vec<Pattern>,
    plan: PlanSettings,
    rule: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: String,
    kind: String,
    #[serde(default = "allow")]
    action: RuleAction,
    #[serde(default)]
    masks: Vec<Mask>,
    #[serde(default)]
    countries: Vec<Country>,
    #[serde(default)]
    hosts: Vec<SipHost>,
    users: Option<Vec<String>>,
}

fn allow() -> RuleAction {
    RuleAction::Allow
}

impl From<WrittenRule> for Rule {
    fn from(rule: WrittenRule) -> Self {
        Self {
            name: format!("`{}`", rule.name),
            action: rule.action,
            users: rule.users,
            covers: match rule.kind.as_str() {
                "own" => Covers::Own,
                "extensions" => Covers::Extensions(rule.masks),
                "national" => Covers::National(rule.masks),
                "international" => Covers::International(rule.countries),
                "sip" => Covers::Sip(rule.hosts),
                kind => panic!("there is no such kind: {kind}"),
            },
        }
    }
}

/// What stands under `[dial.plan]`.
pub(crate) fn plan(toml: &str) -> Plan {
    Plan::new(toml::from_str(toml).unwrap())
}

/// A whole file, in which nothing but `[dial]` stands.
pub(crate) fn plan_and_rules(toml: &str) -> (Plan, Vec<Rule>) {
    let Dial { allow, plan, rule } = toml::from_str::<File>(toml).unwrap().dial;
    let mut rules: Vec<Rule> = rule.into_iter().map(Rule::from).collect();
    if !allow.is_empty() {
        rules.push(Rule {
            name: "[dial] allow".to_owned(),
            action: RuleAction::Allow,
            users: None,
            covers: Covers::Patterns(allow),
        });
    }
    (Plan::new(plan), rules)
}

/// The same, ready to decide.
pub(crate) fn policy(toml: &str) -> DialPolicy {
    let (plan, rules) = plan_and_rules(toml);
    DialPolicy::new(plan, rules)
}
