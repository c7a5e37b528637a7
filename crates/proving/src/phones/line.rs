//! The line between server and phones, bad on purpose in both directions.

use std::time::Duration;

use crate::random::Random;

/// How bad it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quality {
    /// Packets that are lost, of a hundred.
    pub loss: u64,
    /// Packets that arrive twice, of a hundred.
    pub duplicates: u64,
    /// Every packet is held up by a time between none and this one, so that they overtake each other.
    pub delay: Duration,
}

pub(super) struct Line {
    pub(super) quality: Quality,
    pub(super) random: Random,
    pub(super) packets: u64,
    pub(super) lost: u64,
}

impl Line {
    /// After which time a packet arrives: not at all, once, or twice.
    pub(super) fn fates(&mut self) -> [Option<Duration>; 2] {
        let Quality {
            loss,
            duplicates,
            delay,
        } = self.quality;
        self.packets += 1;
        if self.random.chance(loss) {
            self.lost += 1;
            return [None, None];
        }
        let again = self.random.chance(duplicates);
        let arrives = self.random.up_to(delay);
        [Some(arrives), again.then(|| self.random.up_to(delay))]
    }
}
