//! Starts within a span of time, and time spent within a day. Both forget by themselves.

use std::collections::VecDeque;
use std::time::Duration;

use crate::wall_time::WallTime;

/// The last starts, as many as a cap needs to know.
#[derive(Debug, Default)]
pub(super) struct Window {
    starts: VecDeque<WallTime>,
}

impl Window {
    /// Whether one more may start now, when `cap` may in any `span`.
    ///
    /// # Errors
    /// How long it takes until one may.
    pub(super) fn room(&self, now: WallTime, span: Duration, cap: u32) -> Result<(), Duration> {
        let Some(nth_last) = self.starts.len().checked_sub(cap as usize) else {
            return Ok(());
        };
        // With no cap at all there is nothing to wait for.
        let Some(start) = self.starts.get(nth_last) else {
            return Err(span);
        };
        match span.checked_sub(now.since(*start)) {
            Some(wait) if !wait.is_zero() => Err(wait),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn add(&mut self, start: WallTime, cap: u32) {
        self.starts.push_back(start);
        while self.starts.len() > cap as usize {
            self.starts.pop_front();
        }
    }

    /// Whether no start is left within the span.
    pub(super) fn is_over(&self, now: WallTime, span: Duration) -> bool {
        self.starts.back().is_none_or(|last| now.since(*last) >= span)
    }
}

/// Time that calls took, by the hour they ended in: 26 entries at most for a day.
#[derive(Debug, Default)]
pub(super) struct Spent {
    hours: VecDeque<(WallTime, Duration)>,
}

const HOUR: Duration = Duration::from_secs(3600);
const MOST_HOURS: usize = 26;

impl Spent {
    /// Adds the time of a call that ended at `ended`. It counts at least as long as it should, and less than an hour more.
    pub(super) fn add(&mut self, time: Duration, ended: WallTime) {
        // Calls of an earlier server may be told of after the first ends of this one.
        let later = self.hours.partition_point(|(hour, _)| *hour <= ended);
        match later.checked_sub(1).and_then(|last| self.hours.get_mut(last)) {
            Some((hour, spent)) if ended < *hour + HOUR => *spent = spent.saturating_add(time),
            _ => self.hours.insert(later, (ended, time)),
        }
        while self.hours.len() > MOST_HOURS {
            self.hours.pop_front();
        }
    }

    /// The time spent in the last `span`.
    pub(super) fn within(&mut self, span: Duration, now: WallTime) -> Duration {
        // The last call of an hour ended up to an hour after its first.
        while self
            .hours
            .front()
            .is_some_and(|(hour, _)| now.since(*hour) >= span + HOUR)
        {
            self.hours.pop_front();
        }
        let spent = self.hours.iter().map(|(_, spent)| *spent);
        spent.fold(Duration::ZERO, Duration::saturating_add)
    }
}
