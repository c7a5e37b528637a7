//! When something is due, of all transactions.

use std::{collections::BTreeSet, time::Duration};

use super::ServerId;
use crate::moment::Moment;

/// Names a client transaction while it lives; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClientId(pub(super) u64);

/// Whom the wheel wakes. Of those that are due at one moment, clients come before servers and the older before the younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Client(ClientId),
    Server(ServerId),
}

/// When, and which timer: its letter in RFC 3261 appendix A.
pub(super) type Due = (Moment, &'static str);

/// One place for each transaction that waits for time to pass: at its earliest timer.
///
/// A transaction that is told something moves its place, be it to later or to earlier. So what stands first is always
/// really due, and nothing here outlives its transaction.
#[derive(Debug, Default)]
pub(super) struct Wheel(BTreeSet<(Moment, Whose)>);

impl Wheel {
    /// Moves the place of a transaction from where its earliest timer was to where it is now.
    pub(super) fn turn(&mut self, whose: Whose, before: Option<Due>, now: Option<Due>) {
        let (before, now) = (before.map(|(at, _)| at), now.map(|(at, _)| at));
        if before == now {
            return;
        }
        if let Some(at) = before {
            self.0.remove(&(at, whose));
        }
        if let Some(at) = now {
            self.0.insert((at, whose));
        }
    }

    /// Takes off what stands first, when it is due by now.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(Moment, Whose)> {
        self.first().filter(|(at, _)| *at <= now)?;
        self.0.pop_first()
    }

    pub(super) fn first(&self) -> Option<(Moment, Whose)> {
        self.0.first().copied()
    }
}

/// A message that leaves again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) at: Moment,
    interval: Duration,
}

impl Repeat {
    pub(super) fn new(now: Moment, interval: Duration) -> Self {
        Self {
            at: now + interval,
            interval,
        }
    }

    /// The one after this, twice as far away but no farther than `longest`.
    pub(super) fn next(self, longest: Duration) -> Self {
        Self::new(self.at, self.interval.saturating_mul(2).min(longest))
    }
}

/// The earlier of a repetition and an end. At one moment the end comes first: nothing leaves for what is over.
pub(super) fn earlier(repeat: Option<Due>, end: Option<Due>) -> Option<Due> {
    match (repeat, end) {
        (Some(repeat), Some(end)) => Some(if repeat.0 < end.0 { repeat } else { end }),
        (repeat, end) => repeat.or(end),
    }
}
