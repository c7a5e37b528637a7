//! The disk: how long a batch takes, which entries are refused, when it stalls, is full, or is kept by another program, and when a flush fails.

use super::{Millis, Odds};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

/// How long a batch waits for a store that another program has locked, before it is refused.
pub(crate) const LOCK_PATIENCE: Millis = 5000;

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) delay: Millis,
    /// Entries of a thousand that are refused.
    pub(crate) fails: u64,
    pub(crate) troubles: Vec<DiskTrouble>,
    /// The first batch from then on is not flushed, though it may have been written: after that the process writes nothing any more.
    pub(crate) flush_fails: Option<Millis>,
}

/// Something is wrong with it for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskTrouble {
    pub(crate) kind: Family,
    pub(crate) from: Millis,
    pub(crate) until: Millis,
}

impl Disk {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds) -> Self {
        let delay = if odds.has(Family::SlowDisk) {
            let lane = lanes.lane(LaneName::run(Family::SlowDisk.name()));
            lane.pick(&[5, 50, 1, 2000])
        } else {
            5
        };
        // A crash is to find something.
        let most = if lanes.parts.crashes.is_empty() { 500 } else { 50 };
        let fails = odds.permille(Family::Refusals, most);
        let failed = LaneName::run(Family::FailedFlush.name());
        let flush_fails = odds.happens(lanes, Family::FailedFlush, failed, 200);
        let flush_fails = flush_fails.map(|lane| lane.wait(&[120_000, 20_000, 3000, 300]));
        let kinds = [
            (Family::Stalls, 600, 10_000, &[10_000, 110_001]),
            (Family::FullDisk, 300, 1000, &[5000, 120_001]),
            (Family::LockedDisk, 300, 1, &[5000, 40_001]),
        ];
        let mut troubles = Vec::new();
        for (kind, most, shortest, longer) in kinds {
            let Some(lane) = odds.happens(lanes, kind, LaneName::run(kind.name()), most) else {
                continue;
            };
            let mut from = 0;
            for _ in 0..lane.between(1, 3) {
                from += lane.wait(&[120_000, 20_000, 3000, 300]);
                let until = from + shortest + lane.wait(longer);
                troubles.push(DiskTrouble { kind, from, until });
                // A store is locked again only when what had waited for it is through.
                from = until + LOCK_PATIENCE;
            }
        }
        Self {
            delay,
            fails,
            troubles,
            flush_fails,
        }
    }

    /// Whether it may refuse what a call that exists already wants written.
    pub(crate) fn refuses(&self) -> bool {
        let is_long = |trouble: &DiskTrouble| trouble.until - trouble.from > LOCK_PATIENCE;
        let mut locks = self
            .troubles
            .iter()
            .filter(|trouble| trouble.kind == Family::LockedDisk);
        self.fails > 0 || self.flush_fails.is_some() || locks.any(is_long)
    }

    /// Until when it has this trouble, if so now.
    pub(crate) fn until(&self, kind: Family, now: Millis) -> Option<Millis> {
        let mut troubles = self.troubles.iter().filter(|trouble| trouble.kind == kind);
        let trouble = troubles.find(|trouble| (trouble.from..trouble.until).contains(&now))?;
        Some(trouble.until)
    }

    /// It is sound from then on.
    pub(super) fn is_sound_from(&mut self, calm: Millis) {
        self.flush_fails = self.flush_fails.filter(|at| *at < calm);
        self.troubles.retain(|trouble| trouble.from < calm);
        for trouble in &mut self.troubles {
            trouble.until = trouble.until.min(calm);
        }
    }
}
