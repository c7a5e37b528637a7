//! What the policy says to one dial string of one user, with every step that led there: the one text for
//! `onhook dial explain` and for the log. Callers never see it.

use std::fmt;

use crate::danger::danger;
use crate::dial_string::{DialString, Malformed};
use crate::masked::Masked;
use crate::numbering::Danger;
use crate::plan::{Plan, Target};
use crate::rules::{self, Dialler, Rule, RuleAction, Verdict};
use crate::{Number, Refusal};

/// What the operator allows.
#[derive(Clone, Debug)]
pub struct DialPolicy {
    plan: Plan,
    rules: Vec<Rule>,
}

impl DialPolicy {
    /// The first of the rules that covers a number decides. Behind the last one stands that a user's own extension and phones
    /// may be called.
    pub fn new(plan: Plan, rules: Vec<Rule>) -> Self {
        let rules = rules::with_default(rules, &plan);
        Self { plan, rules }
    }

    /// Whether there is a rule by which this user may call anything.
    pub fn may_call(&self, dialler: &Dialler) -> bool {
        self.rules.iter().any(|rule| rule.lets_call(dialler))
    }

    /// Whether a dial string means the dialler's own extension or one of the registered phones, whichever rule covers it. A SIP
    /// address never does.
    pub(crate) fn is_own_phone(&self, dialler: &Dialler, dial_string: &str) -> bool {
        let dialled = DialString::parse(dial_string);
        dialled.is_ok_and(|dialled| rules::is_own(dialler, &self.plan.read(&dialled), &self.plan))
    }

    /// Decides. It counts nothing and reads no clock.
    pub fn decide(&self, dialler: &Dialler, dial_string: &str) -> Decision {
        let mut steps = Vec::new();
        let outcome = self.walk(dialler, dial_string, &mut steps);
        Decision {
            dialler: dialler.name.clone(),
            dial_string: dial_string.to_owned(),
            steps,
            outcome,
        }
    }

    fn walk(&self, dialler: &Dialler, dial_string: &str, steps: &mut Vec<Step>) -> Result<Number, Refusal> {
        let dialled = DialString::parse(dial_string).map_err(|malformed| {
            steps.push(Step::Malformed(malformed));
            match malformed {
                Malformed::Number => Refusal::NotANumber,
                Malformed::Uri => Refusal::SipUri,
            }
        })?;
        let target = self.plan.read(&dialled);
        steps.push(Step::Means(target.clone()));
        let is_extension = match &target {
            Target::Extension(_) => true,
            Target::Digits(digits) => dialler.extension.as_ref() == Some(digits),
            Target::Number(_) | Target::Uri(_) => false,
        };
        if let Some(danger) = danger(&self.plan, &dialled, is_extension) {
            steps.push(Step::Never(danger));
            return Err(Refusal::Never(danger));
        }
        let refused = match &target {
            Target::Uri(uri) if uri.is_sips => {
                steps.push(Step::Sips);
                return Err(Refusal::SipUri);
            }
            Target::Uri(_) => Refusal::SipUri,
            Target::Extension(_) | Target::Number(_) | Target::Digits(_) => Refusal::NotAllowed,
        };
        let otherwise = match self.rules.iter().any(|rule| rule.action == RuleAction::Refuse) {
            true => self.plan.otherwise(&dialled, &target),
            false => Vec::new(),
        };
        for (index, rule) in self.rules.iter().enumerate() {
            let ask = |target| rule.verdict(dialler, target, &self.plan);
            let refuses_otherwise =
                rule.action == RuleAction::Refuse && otherwise.iter().any(|target| ask(target) == Verdict::Covers);
            let verdict = if refuses_otherwise {
                Verdict::Covers
            } else {
                ask(&target)
            };
            steps.push(Step::Rule {
                number: index + 1,
                name: rule.name.clone(),
                action: rule.action,
                verdict,
            });
            match (verdict, rule.action) {
                (Verdict::Misses(_), _) => {}
                (Verdict::Covers, RuleAction::Refuse) => return Err(refused),
                (Verdict::Covers, RuleAction::Allow) => {
                    let number = Number::new(&target, &self.plan);
                    steps.push(Step::Sent(number.clone()));
                    return Ok(number);
                }
            }
        }
        steps.push(Step::NoRule);
        Err(if self.may_call(dialler) {
            refused
        } else {
            Refusal::NotEnabled
        })
    }
}

/// A decision and how it came about.
#[derive(Clone, Debug)]
pub struct Decision {
    dialler: Option<String>,
    dial_string: String,
    steps: Vec<Step>,
    pub(crate) outcome: Result<Number, Refusal>,
}

#[derive(Clone, Debug)]
enum Step {
    Malformed(Malformed),
    Means(Target),
    Never(Danger),
    Sips,
    Rule {
        number: usize,
        name: String,
        action: RuleAction,
        verdict: Verdict,
    },
    NoRule,
    Sent(Number),
}

impl Decision {
    /// Whether the number may be called.
    pub fn is_allowed(&self) -> bool {
        self.outcome.is_ok()
    }

    /// The number that may be called.
    pub fn number(&self) -> Option<&Number> {
        self.outcome.as_ref().ok()
    }

    /// Why it may not.
    pub fn refusal(&self) -> Option<Refusal> {
        self.outcome.as_ref().err().copied()
    }

    /// Every step in words, a line each, with the number itself.
    pub fn in_full(&self) -> impl fmt::Display {
        InWords {
            decision: self,
            masked: false,
        }
    }

    /// The same with the number masked, for logs.
    pub fn masked(&self) -> impl fmt::Display {
        InWords {
            decision: self,
            masked: true,
        }
    }
}

struct InWords<'a> {
    decision: &'a Decision,
    masked: bool,
}

impl InWords<'_> {
    fn number<'n>(&self, number: &'n str) -> Shown<'n> {
        Shown {
            number,
            masked: self.masked,
        }
    }

    fn step(&self, f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
        match step {
            Step::Malformed(malformed) => write!(f, "refused: {malformed}"),
            Step::Means(Target::Extension(digits)) => write!(f, "means extension {}", self.number(digits)),
            Step::Means(Target::Number(number)) => {
                write!(f, "means {}, ", self.number(&number.e164))?;
                match number.country {
                    Some(country) => write!(f, "{country}, {}", number.kind),
                    None => write!(f, "of no country, {}", number.kind),
                }
            }
            Step::Means(Target::Digits(digits)) => write!(
                f,
                "means {}: no extension of the plan, and no number that the plan can place",
                self.number(digits)
            ),
            Step::Means(Target::Uri(uri)) => write!(f, "means the SIP address {}", self.number(&uri.to_string())),
            Step::Never(danger) => write!(f, "refused: {danger} is never called, whatever the rules say"),
            Step::Sips => f.write_str("refused: no call is placed to a sips: address"),
            Step::Rule {
                number,
                name,
                action,
                verdict,
            } => match (verdict, action) {
                (Verdict::Misses(why), _) => write!(f, "rule {number}, {name}: no, {why}"),
                (Verdict::Covers, RuleAction::Allow) => write!(f, "rule {number}, {name}: allowed"),
                (Verdict::Covers, RuleAction::Refuse) => write!(f, "rule {number}, {name}: refused"),
            },
            Step::NoRule => f.write_str("refused: no rule covers it"),
            Step::Sent(number) => write!(f, "sent to the trunk as {}", self.number(&number.text)),
        }
    }
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decision {
            dialler,
            dial_string,
            steps,
            ..
        } = self.decision;
        let who = dialler.as_deref().unwrap_or("a nameless user");
        write!(f, "{who} dials {}", self.number(dial_string))?;
        for step in steps {
            f.write_str("\n  ")?;
            self.step(f, step)?;
        }
        Ok(())
    }
}

/// A number in words, or its last two digits.
struct Shown<'a> {
    number: &'a str,
    masked: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.masked {
            write!(f, "{}", Masked(self.number))
        } else {
            // Escaped: a terminal shall show what was dialled, not obey it.
            write!(f, "{}", self.number.escape_debug())
        }
    }
}

#[cfg(test)]
mod tests;
