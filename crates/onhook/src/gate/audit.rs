//! What operators and their scripts learn of refusals: a log line and a count each.

use dial::{Cap, Capped, Danger, Decision, Number, Refusal};
use tracing::{debug, info};

use crate::auth::Caller;
use crate::metrics;

/// The stable words for why, in the log and in the metric: those of the rules, then the keys of the caps.
const REASONS: [&str; 21] = [
    "not-a-number",
    "sip-uri",
    "no-rule",
    "not-enabled",
    "emergency",
    "premium-rate",
    "shared-cost",
    "satellite",
    "personal",
    "short-number",
    Cap::ALL[0].key(),
    Cap::ALL[1].key(),
    Cap::ALL[2].key(),
    Cap::ALL[3].key(),
    Cap::ALL[4].key(),
    Cap::ALL[5].key(),
    Cap::ALL[6].key(),
    Cap::ALL[7].key(),
    Cap::ALL[8].key(),
    Cap::ALL[9].key(),
    Cap::ALL[10].key(),
];

/// So that each can be read before it has happened.
pub(super) fn announce() {
    for reason in REASONS {
        metrics::dial_refused(reason, 0);
    }
}

fn of_refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotANumber => "not-a-number",
        Refusal::SipUri => "sip-uri",
        Refusal::NotAllowed => "no-rule",
        Refusal::NotEnabled => "not-enabled",
        Refusal::Never(Danger::Emergency) => "emergency",
        Refusal::Never(Danger::PremiumRate) => "premium-rate",
        Refusal::Never(Danger::SharedCost) => "shared-cost",
        Refusal::Never(Danger::Satellite) => "satellite",
        Refusal::Never(Danger::Personal) => "personal",
        Refusal::Never(Danger::ShortNumber) => "short-number",
    }
}

/// The rules refused.
pub(super) fn refused(caller: &Caller, decision: &Decision, refusal: Refusal) {
    let reason = of_refusal(refusal);
    metrics::dial_refused(reason, 1);
    let address = caller.address.map(tracing::field::display);
    info!(
        dial.refused = reason,
        caller = caller.name.as_deref(),
        address,
        "call refused: {}",
        decision.masked()
    );
    debug!(dial.refused = reason, "{}", decision.in_full());
}

/// A cap refused.
pub(crate) fn capped(caller: &dial::Caller, number: &Number, capped: Capped) {
    let reason = capped.key();
    metrics::dial_refused(reason, 1);
    let address = caller.address.map(tracing::field::display);
    info!(
        dial.refused = reason,
        caller = caller.name.as_deref(),
        address,
        %number,
        "call refused: {capped}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_announced() {
        for refusal in [
            Refusal::NotANumber,
            Refusal::SipUri,
            Refusal::NotAllowed,
            Refusal::NotEnabled,
            Refusal::Never(Danger::Emergency),
            Refusal::Never(Danger::PremiumRate),
            Refusal::Never(Danger::SharedCost),
            Refusal::Never(Danger::Satellite),
            Refusal::Never(Danger::Personal),
            Refusal::Never(Danger::ShortNumber),
        ] {
            assert!(REASONS.contains(&of_refusal(refusal)), "{refusal}");
        }
        for cap in Cap::ALL {
            assert!(REASONS.contains(&cap.key()), "{cap:?}");
        }
    }
}
