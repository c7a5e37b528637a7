//! The clock on the wall, which somebody sets, back or forward.

use super::{Millis, Odds};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockSet {
    pub(crate) at: Millis,
    /// In seconds.
    pub(crate) by: i64,
}

impl ClockSet {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds) -> Vec<Self> {
        let name = LaneName::run(Family::Clocks.name());
        let Some(lane) = odds.happens(lanes, Family::Clocks, name, 1000) else {
            return Vec::new();
        };
        let times = lane.between(1, 4);
        let set = (0..times).map(|_| {
            let at = lane.wait(&[120_000, 20_000, 3000, 300]);
            let by = lane.pick(&[1, HOUR, DAY, 10 * YEAR]);
            let by = if lane.chance(500) { -by } else { by };
            Self { at, by }
        });
        set.collect()
    }
}
