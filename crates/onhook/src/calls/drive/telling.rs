//! Events of the switch, for the log and for metrics.

use switch::Event;

use crate::{gate, metrics};

pub(super) fn tell(event: &Event) {
    match event {
        Event::Placing {
            key,
            call_id,
            trunk,
            number,
        } => {
            tracing::info!(call = %key, sip.call_id = %call_id, trunk, number = %number, "placing a call");
        }
        Event::Capped { caller, number, capped } => gate::capped(caller, number, *capped),
        Event::UnusableAnswer { key, trunk, why } => {
            tracing::warn!(call = %key, trunk, %why, "the answer was not taken");
        }
        Event::Ended { key, cause, end } => {
            tracing::info!(call = %key, cause, confirmed = end.confirmed, "call ended");
        }
        Event::Abandoned(key) => tracing::info!(call = %key, "whoever ordered the call is gone: it is not sent"),
        Event::NeverDelivered(key) => {
            tracing::info!(call = %key, "whoever ordered the call could not be told its id: it is hung up");
        }
        // The journal's own words are in the log already.
        Event::NotSaved { .. } => {}
        Event::Unreachable { key, why: Some(why) } => {
            tracing::warn!(call = %key, %why, "a request could not be sent");
        }
        Event::Unreachable { key, why: None } => {
            tracing::warn!(call = %key, "a request may not have arrived: its connection is gone, or too many wait");
        }
        Event::Redirected { trunk, why } => {
            tracing::warn!(trunk, %why, "a call's requests go to its trunk instead of where its peer wants them");
        }
        Event::Stray { key, call_id } => {
            tracing::warn!(call = %key, sip.call_id = %call_id, "a call was answered after it was forgotten: hanging up");
        }
        Event::LeftoversFound(calls) => {
            tracing::warn!(calls, "calls were up when the last server stopped: hanging up");
        }
        Event::LeftoverLeftAlone(key) => {
            tracing::error!(call = %key, "three starts in a row died when this call was taken up: it is left alone, and its phone may be off-hook; with a newer onhook, remove the file beside the store to have it tried again");
        }
        Event::LeftoverLast(key) => {
            tracing::error!(call = %key, "two starts in a row died when this call was taken up: it is taken up last, now");
        }
        Event::LeftoverUnreadable(key) => {
            tracing::error!(call = %key, "a leftover call cannot be read, or there is no trunk: its phone may be off-hook");
        }
        Event::StaleAddresses { host, age, why } => {
            let age = age.as_secs();
            tracing::warn!(
                host,
                age,
                why,
                "a name is not found; the addresses that it had so many seconds ago are used"
            );
        }
        Event::FoundAgain(host) => tracing::info!(host, "a name is found again"),
        Event::TrunkUp(trunk) => tracing::info!(trunk, "trunk up"),
        Event::TrunkDown { trunk, why } => tracing::warn!(trunk, %why, "trunk down"),
        Event::Registered(trunk) => tracing::info!(trunk, "registered"),
        Event::RegisterFailed { trunk, why } => tracing::warn!(trunk, error = %why, "registration failed"),
        Event::TurnedAway { what, path, times } => {
            tracing::info!(host = %path.remote.ip(), times, "{what} from nobody we deal with ([sip] peers) was dropped");
        }
        Event::Live(live) => metrics::calls_live(*live),
    }
}
