//! When the process is killed: at a moment, or just before or after any single thing that the switch wants done; and the next one, again.

use super::Millis;
use crate::lanes::{LaneName, Lanes};

/// The process is killed, and comes back `down` later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) at: CrashAt,
    pub(crate) down: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashAt {
    Time(Millis),
    Output(Kill),
}

/// A process is killed at one of the things that its switch wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Which process, counted from 0.
    pub process: usize,
    /// Which of its outputs, counted from 1.
    pub output: u64,
    pub side: Side,
}

/// Whether the output has been acted on by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

impl Crash {
    /// The first is of the first process, and each other one of the process that comes then: often while that starts.
    pub(super) fn draw(process: usize, number: u32, lanes: &mut Lanes, most_outputs: u64) -> Self {
        let lane = lanes.lane(LaneName::of("crash", number));
        let at = if lane.chance(600) {
            let most = match process {
                0 => most_outputs,
                _ => lane.pick(&[most_outputs, 24, 6]),
            };
            CrashAt::Output(Kill {
                process,
                output: lane.between(1, most + 1),
                side: lane.pick(&[Side::Before, Side::After]),
            })
        } else {
            CrashAt::Time(lane.wait(&[120_000, 20_000, 3000, 300]))
        };
        Self {
            at,
            down: 1 + lane.wait(&[100, 2000, 20_000, 90_000]),
        }
    }

    /// This one, and back soon.
    pub(super) fn of(kill: Kill) -> Self {
        Self {
            at: CrashAt::Output(kill),
            down: 100,
        }
    }
}
