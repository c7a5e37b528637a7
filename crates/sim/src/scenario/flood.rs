//! A flood: requests that belong to no call, from somebody whom we listen to or do not.

use sip::Transport;

use super::{Millis, Odds};
use crate::{
    lanes::{LaneName, Lanes},
    parts::Family,
};

/// Parts of a flood, and requests in each of them.
const PARTS: u64 = 12;
const AT_ONCE: u64 = 20;

#[derive(Clone, Copy, Debug)]
pub(crate) struct FloodScript {
    pub(crate) at: Millis,
    pub(crate) from: Stranger,
    pub(crate) transport: Transport,
    pub(crate) parts: u64,
    pub(crate) at_once: u64,
    /// Time between two parts.
    pub(crate) pause: Millis,
}

/// Who floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stranger {
    /// A trunk, by its place in the list, or somebody in its name.
    Trunk(usize),
    /// A peer that is listed.
    Listed,
    /// Somebody whom nobody has heard of.
    Unlisted,
}

impl FloodScript {
    pub(super) fn draw(lanes: &mut Lanes, odds: &Odds) -> Vec<Self> {
        let trunks = lanes.parts.trunks.len() as u64;
        let name = LaneName::run("flood");
        let Some(lane) = odds.happens(lanes, Family::Floods, name, 1000) else {
            return Vec::new();
        };
        let floods = (0..lane.between(1, 3)).map(|_| Self {
            at: lane.wait(&[20_000, 3000, 120_000]),
            from: match lane.below(3) {
                0 => Stranger::Unlisted,
                1 => Stranger::Listed,
                _ => Stranger::Trunk(lane.below(trunks) as usize),
            },
            transport: lane.pick(&[Transport::Udp, Transport::Udp, Transport::Tcp]),
            parts: lane.between(1, PARTS + 1),
            at_once: lane.between(1, AT_ONCE + 1),
            pause: lane.pick(&[1000, 1, 100, 4000]),
        });
        floods.collect()
    }
}
