//! The keys of `[dial]`: the plan that says what digits mean, and the rules that say who may be called. Their values
//! with their own spelling, and what is wrong between them; the deciding is done elsewhere.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::Deserialize;

use super::masks::Mask;
use super::section::section;
use super::values::{Pattern, ValueError, from_text};
use crate::numbering::Country;
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

impl DialPlan {
    /// What is dialled before a national number; empty where nothing is, or nothing is known of the country.
    pub(crate) fn national_prefix_or_own(&self) -> String {
        let given = self.national_prefix.as_ref().map(|prefix| prefix.0.clone());
        given.or(self.country.map(Country::national_prefix)).unwrap_or_default()
    }

    /// What is dialled before a country calling code; empty where it is not known.
    pub(crate) fn international_prefix_or_own(&self) -> &str {
        let given = self.international_prefix.as_ref().map(|prefix| prefix.0.as_str());
        given
            .or(self.country.map(Country::international_prefix))
            .unwrap_or_default()
    }
}

from_text!(Prefix, SipHost, Country);

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

/// A host name or IP address (IPv6 in brackets) in lower case, perhaps with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SipHost(String);

impl FromStr for SipHost {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = match lower.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (lower.as_str(), None),
        };
        let is_port =
            |port: &str| port.bytes().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_label = |label: &str| {
            let inner = label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => host.split('.').all(is_label),
        };
        if !is_host || !port.is_none_or(is_port) {
            return Err(ValueError::new(
                text,
                r#"a host, like "pbx.example.com" or "192.0.2.1:5062""#,
            ));
        }
        Ok(Self(lower))
    }
}

impl fmt::Display for SipHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a trunk wants numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberFormat {
    E164,
    Digits,
    OutsideLine,
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

/// What a rule does with what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAction {
    Allow,
    Refuse,
}
