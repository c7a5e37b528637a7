//! How often the faults of a run happen.

use std::collections::BTreeMap;

use crate::{
    lanes::{Lane, LaneName, Lanes},
    parts::Family,
};

/// The weight of each family that the run has: from 1 to 100, so that now one fault is everywhere and now another.
pub(crate) struct Odds(BTreeMap<Family, u64>);

impl Odds {
    pub(crate) fn draw(lanes: &mut Lanes) -> Self {
        let families = lanes.parts.families.clone();
        let weight = |family: Family| {
            // The first number of the family's own lane.
            (family, lanes.lane(LaneName::run(family.name())).between(1, 101))
        };
        Self(families.into_iter().map(weight).collect())
    }

    pub(crate) fn has(&self, family: Family) -> bool {
        self.0.contains_key(&family)
    }

    /// How often of a thousand it happens, when that is at most so often.
    pub(crate) fn permille(&self, family: Family, most: u64) -> u64 {
        self.0.get(&family).map_or(0, |weight| most * weight / 100)
    }

    /// The lane that says how, when it happens.
    pub(crate) fn happens<'a>(
        &self,
        lanes: &'a mut Lanes,
        family: Family,
        name: LaneName,
        most: u64,
    ) -> Option<&'a mut Lane> {
        if !self.has(family) {
            return None;
        }
        let lane = lanes.lane(name);
        lane.chance(self.permille(family, most)).then_some(lane)
    }
}
