//! The time of day as an argument.

use std::{ops::Add, time::Duration};

use serde::{Deserialize, Serialize};

/// A point in time by the clock on the wall, as far after the Unix epoch; what is before that is the epoch. It is compared
/// across processes, and so says nothing of how much time has passed where somebody sets the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WallTime(Duration);

impl WallTime {
    /// `elapsed` after the Unix epoch.
    #[must_use]
    pub const fn after_epoch(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the Unix epoch this is.
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// How long after `earlier`; zero when it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_and_never_overflows() {
        let [early, late] = [1, 4].map(|seconds| WallTime::after_epoch(Duration::from_secs(seconds)));
        assert_eq!(late.since(early), Duration::from_secs(3));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early + Duration::from_secs(3), late);
        assert!(early + Duration::MAX > late);
        let written = serde_json::to_string(&late).unwrap();
        assert_eq!(serde_json::from_str::<WallTime>(&written).unwrap(), late, "{written}");
    }
}
