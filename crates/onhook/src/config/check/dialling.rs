//! `[dial]`: rules that say what their kind does not take, or name what is not there.

use std::collections::HashSet;

use dial::{NumberFormat, Plan};

use crate::config::dialling::{Dial, RuleKind};
use crate::config::error::Problem;
use crate::config::read::Document;

/// What is wrong between the keys of `[dial]`.
pub(super) fn check(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let Dial { plan, rule, group, .. } = &document.config.dial;
    for (key, prefix) in [
        ("national_prefix", &plan.national_prefix),
        ("international_prefix", &plan.international_prefix),
    ] {
        if prefix.is_some() && plan.country.is_none() {
            problems.push(
                Problem::new(
                    document.place(&format!("dial.plan.{key}")),
                    format!("{key} needs a country: without one nobody knows what the digits behind it are"),
                )
                .help(r#"for example: country = "DE""#),
            );
        }
    }
    if plan.send == NumberFormat::OutsideLine && Plan::from(plan).international_prefix().is_empty() {
        let (message, help) = match plan.country {
            None => (
                "send = \"outside-line\" needs a country, whose prefixes it writes".to_owned(),
                r#"for example: country = "DE""#,
            ),
            Some(country) => (
                format!(
                    "send = \"outside-line\" needs an international_prefix: {country} has no usual one, callers choose a carrier"
                ),
                r#"for example, for a carrier of Brazil: international_prefix = "0021""#,
            ),
        };
        problems.push(Problem::new(document.place("dial.plan.send"), message).help(help));
    }
    let mut groups = HashSet::new();
    for (index, group) in group.iter().enumerate() {
        if !groups.insert(group.name.as_str()) {
            let place = document.place(&format!("dial.group.{index}.name"));
            let message = format!("there are two groups named `{}`", group.name);
            problems.push(Problem::new(place, message));
        }
    }
    let mut names = HashSet::new();
    for (index, rule) in rule.iter().enumerate() {
        let mut wrong = |key: &str, message: String| {
            problems.push(Problem::new(
                document.place(&format!("dial.rule.{index}.{key}")),
                message,
            ));
        };
        if !names.insert(&rule.name) {
            wrong("name", format!("there are two rules named `{}`", rule.name));
        }
        let (masks, countries, hosts) = (
            !rule.masks.is_empty(),
            !rule.countries.is_empty(),
            !rule.hosts.is_empty(),
        );
        let takes_masks = matches!(rule.kind, RuleKind::Extensions | RuleKind::National);
        if masks && !takes_masks {
            wrong(
                "masks",
                "masks are for rules of kind \"extensions\" and \"national\"".to_owned(),
            );
        }
        if countries != (rule.kind == RuleKind::International) {
            wrong(
                "countries",
                "a rule of kind \"international\", and no other, names its countries".to_owned(),
            );
        }
        if hosts != (rule.kind == RuleKind::Sip) {
            wrong(
                "hosts",
                "a rule of kind \"sip\", and no other, names its hosts".to_owned(),
            );
        }
        if rule.kind == RuleKind::National && plan.country.is_none() {
            wrong(
                "kind",
                "a rule of kind \"national\" needs [dial.plan] country".to_owned(),
            );
        }
        if rule.kind == RuleKind::Extensions && plan.extensions.is_none() {
            wrong(
                "kind",
                "a rule of kind \"extensions\" needs [dial.plan] extensions".to_owned(),
            );
        }
        if rule.kind == RuleKind::Extensions && rule.masks.iter().any(|mask| mask.plus) {
            wrong("masks", "an extension does not begin with +".to_owned());
        }
        if let Some(unknown) = rule.groups.iter().find(|name| !groups.contains(name.as_str())) {
            // What is hardly a name is not shown: it may be anything.
            let is_name = unknown.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
            let named = if is_name {
                format!("named `{unknown}`")
            } else {
                "of that name".to_owned()
            };
            wrong("groups", format!("there is no [[dial.group]] {named}"));
        }
    }
}
