//! What operators and their scripts read about refusals: one line each, with a running count of its kind. The count is
//! the metric until there is a better place for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{debug, info};

use super::caps::Cap;
use super::{Capped, Decision, Number, Refusal};
use crate::auth::Caller;
use crate::numbering::Danger;

/// The stable words for why, in `dial.refused`: those of the rules, then the keys of the caps.
const REASONS: [&str; 16] = [
    "not-a-number",
    "sip-uri",
    "no-rule",
    "emergency",
    "premium-rate",
    "shared-cost",
    "satellite",
    Cap::ALL[0].key(),
    Cap::ALL[1].key(),
    Cap::ALL[2].key(),
    Cap::ALL[3].key(),
    Cap::ALL[4].key(),
    Cap::ALL[5].key(),
    Cap::ALL[6].key(),
    Cap::ALL[7].key(),
    Cap::ALL[8].key(),
];

static COUNTS: [AtomicU64; REASONS.len()] = [const { AtomicU64::new(0) }; REASONS.len()];

/// How many refusals of this kind there have been, with this one.
fn count(reason: &str) -> u64 {
    let of = REASONS.iter().position(|known| *known == reason);
    of.map_or(0, |at| COUNTS[at].fetch_add(1, Ordering::Relaxed) + 1)
}

fn of_refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotANumber => "not-a-number",
        Refusal::SipUri => "sip-uri",
        Refusal::NotAllowed => "no-rule",
        Refusal::Never(Danger::Emergency) => "emergency",
        Refusal::Never(Danger::PremiumRate) => "premium-rate",
        Refusal::Never(Danger::SharedCost) => "shared-cost",
        Refusal::Never(Danger::Satellite) => "satellite",
    }
}

/// The rules refused.
pub(super) fn refused(caller: &Caller, decision: &Decision, refusal: Refusal) {
    let reason = of_refusal(refusal);
    let address = caller.address.map(tracing::field::display);
    info!(
        dial.refused = reason,
        count = count(reason),
        caller = caller.name.as_deref(),
        address,
        "call refused: {}",
        decision.masked()
    );
    debug!(dial.refused = reason, "{}", decision.in_full());
}

/// A cap refused.
pub(super) fn capped(caller: &Caller, number: &Number, capped: Capped) {
    let reason = capped.key();
    let address = caller.address.map(tracing::field::display);
    info!(
        dial.refused = reason,
        count = count(reason),
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
    fn every_reason_is_counted() {
        for refusal in [
            Refusal::NotANumber,
            Refusal::SipUri,
            Refusal::NotAllowed,
            Refusal::Never(Danger::Emergency),
            Refusal::Never(Danger::PremiumRate),
            Refusal::Never(Danger::SharedCost),
            Refusal::Never(Danger::Satellite),
        ] {
            assert!(count(of_refusal(refusal)) > 0, "{refusal}");
        }
        for cap in Cap::ALL {
            assert!(count(cap.key()) > 0, "{cap:?}");
        }
        assert_eq!(count("nonsense"), 0);
    }
}
