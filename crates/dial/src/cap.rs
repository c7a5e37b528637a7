//! What can be reached, and what is said when it is.

use std::time::Duration;

use thiserror::Error;

/// A cap, by what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cap {
    Live,
    LivePerMailbox,
    LivePerTrunk,
    StartsPerSecondPerTrunk,
    StartsPerMinutePerMailbox,
    StartsPerHourPerMailbox,
    MinutesPerDayPerMailbox,
    StartsPerMinutePerAddress,
    StartsPerTenMinutesPerNumber,
    StartsPerMinuteToOwnPhone,
    MinutesPerDayToOwnPhone,
}

impl Cap {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Live,
        Self::LivePerMailbox,
        Self::LivePerTrunk,
        Self::StartsPerSecondPerTrunk,
        Self::StartsPerMinutePerMailbox,
        Self::StartsPerHourPerMailbox,
        Self::MinutesPerDayPerMailbox,
        Self::StartsPerMinutePerAddress,
        Self::StartsPerTenMinutesPerNumber,
        Self::StartsPerMinuteToOwnPhone,
        Self::MinutesPerDayToOwnPhone,
    ];

    /// The key that sets it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Live => "max_live",
            Self::LivePerMailbox => "max_live_per_mailbox",
            Self::LivePerTrunk => "max_live_per_trunk",
            Self::StartsPerSecondPerTrunk => "starts_per_second_per_trunk",
            Self::StartsPerMinutePerMailbox => "starts_per_minute_per_mailbox",
            Self::StartsPerHourPerMailbox => "starts_per_hour_per_mailbox",
            Self::MinutesPerDayPerMailbox => "minutes_per_day_per_mailbox",
            Self::StartsPerMinutePerAddress => "starts_per_minute_per_address",
            Self::StartsPerTenMinutesPerNumber => "starts_per_ten_minutes_per_number",
            Self::StartsPerMinuteToOwnPhone => "starts_per_minute_to_own_phone",
            Self::MinutesPerDayToOwnPhone => "minutes_per_day_to_own_phone",
        }
    }
}

/// A cap is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("[calls] {} is reached", .cap.key())]
pub struct Capped {
    cap: Cap,
    /// How long it will last; for places of live calls, a guess.
    pub wait: Duration,
}

impl Capped {
    pub(crate) fn new(cap: Cap, wait: Duration) -> Self {
        Self { cap, wait }
    }

    /// Whether the minutes of the day are spent, for which there is a response code of its own.
    pub fn is_quota(&self) -> bool {
        matches!(self.cap, Cap::MinutesPerDayPerMailbox | Cap::MinutesPerDayToOwnPhone)
    }

    /// The key in `[calls]` that sets this cap.
    pub fn key(&self) -> &'static str {
        self.cap.key()
    }
}
