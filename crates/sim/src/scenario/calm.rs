//! Liveness: at a drawn moment the faults stop, but for a part of the world that stays broken for ever. What is sound has to come to rest.

use super::{Crash, CrashAt, Millis, Network, Odds, Scenario, T1, TRANSACTION, TrunkScript};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

/// Longer than any run.
const FOR_EVER: Millis = Millis::MAX / 2;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Calm {
    pub(crate) at: Millis,
    /// The trunk, by its number, where nobody is from then on; there may be none.
    pub(crate) broken: Option<u32>,
}

impl Calm {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds) -> Option<Self> {
        let trunks = lanes.parts.trunks.clone();
        let lane = odds.happens(lanes, Family::Calm, LaneName::run("calm-at"), 1000)?;
        let at = lane.wait(&[120_000, 20_000, 60_000]);
        let which = lane.below(trunks.len() as u64 + 1) as usize;
        Some(Self {
            at,
            broken: which.checked_sub(1).map(|which| trunks[which]),
        })
    }

    /// What was still to come from then on does not, or does for ever.
    pub(super) fn ends(&self, trunks: &mut [TrunkScript], crashes: &mut Vec<Crash>) {
        crashes.retain(|crash| !matches!(crash.at, CrashAt::Time(at) if at >= self.at));
        for trunk in trunks {
            trunk.outages.retain(|(from, _)| *from < self.at);
            for (_, until) in &mut trunk.outages {
                *until = (*until).min(self.at.max(1));
            }
            if self.broken == Some(trunk.number) {
                trunk.outages.push((self.at, FOR_EVER));
            }
        }
    }
}

impl Scenario {
    /// Whether the faults have stopped.
    pub(crate) fn is_calm(&self, now: Millis) -> bool {
        self.calm.is_some_and(|calm| now >= calm.at)
    }

    /// What the network does to datagrams now.
    pub(crate) fn network(&self, now: Millis) -> Network {
        if self.is_calm(now) {
            Network {
                lost_out: 0,
                lost_back: 0,
                twice: 0,
                delay: 1,
                late: 0,
            }
        } else {
            self.network
        }
    }

    /// How long leftovers wait to be taken up when only so many are taken up within a T1.
    pub(crate) fn recovery(&self) -> Millis {
        T1 * self.calls.len() as Millis / self.bounds.leftovers as Millis
    }

    /// By when every call has ended and every answer is given, though one trunk is away: a call may ring and be up as long as may be, one
    /// that a crash left is taken up within a minute and a half of it, and each end takes three transactions at most, twice when it is
    /// answered after all.
    pub(crate) fn rests_by(&self) -> Option<Millis> {
        let calm = self.calm?;
        let placed = self.calls.iter().map(|call| call.placed_at).max().unwrap_or(0);
        let begun = calm.at.max(placed) + 90_000 + self.recovery();
        Some(begun + self.ring_limit + self.max_duration + 6 * TRANSACTION + 60_000)
    }
}
