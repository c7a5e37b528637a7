//! The named waits of a call. SIP's transaction timers (A to K) belong to the transactions below; these are ours.

use sip::Moment;

/// Why a call wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The phone has rung long enough (`calls.ring_limit`).
    NoAnswer,
    /// The call has lasted long enough (`calls.max_duration`).
    MaxDuration,
    /// CANCEL was sent, yet no final response to the INVITE came within 64·T1 (RFC 3261 §9.1).
    GiveUp,
    /// A CANCEL could not be sent: time for another try.
    AnotherCancel,
    /// A BYE was not confirmed: time for another one.
    AnotherBye,
    /// It is our turn to refresh the session (RFC 4028 §7.4).
    Refresh,
    /// Nobody has refreshed the session in time (RFC 4028 §10).
    SessionExpires,
}

/// All timers of one call; each is either off or due at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimerTable {
    due: [Option<Moment>; Self::ALL.len()],
}

impl TimerTable {
    const ALL: [Timer; 7] = [
        Timer::NoAnswer,
        Timer::MaxDuration,
        Timer::GiveUp,
        Timer::AnotherCancel,
        Timer::AnotherBye,
        Timer::Refresh,
        Timer::SessionExpires,
    ];

    pub(crate) fn set(&mut self, timer: Timer, due: Moment) {
        self.due[timer as usize] = Some(due);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn due(&self, timer: Timer) -> Option<Moment> {
        self.due[timer as usize]
    }

    /// The earliest timer.
    pub(crate) fn next(&self) -> Option<(Moment, Timer)> {
        Self::ALL
            .into_iter()
            .filter_map(|timer| Some((self.due[timer as usize]?, timer)))
            .min_by_key(|(due, _)| *due)
    }

    /// Takes the earliest timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: Moment) -> Option<Timer> {
        let (_, timer) = self.next().filter(|(due, _)| *due <= now)?;
        self.stop(timer);
        Some(timer)
    }
}
