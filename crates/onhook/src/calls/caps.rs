//! The caps and what operators learn of them: how many calls hold a place, and who was refused one.

use std::time::{Duration, SystemTime};

use dial::{Capped, CapsSettings, CountedNumbers, Grant, Hold, Permit, Started};

use crate::{
    gate::{self, wall_time},
    metrics,
};

/// [`dial::Caps`], counted and logged.
pub(super) struct Caps(dial::Caps);

impl Caps {
    pub(super) fn new(settings: CapsSettings, counted: CountedNumbers) -> Self {
        Self(dial::Caps::new(settings, counted))
    }

    /// See [`dial::Caps::live`].
    pub(super) fn live(&self) -> usize {
        self.0.live()
    }

    /// See [`dial::Caps::grant`].
    pub(super) fn grant(
        &mut self,
        permit: Permit,
        trunks: &[&str],
        longest: Duration,
        now: SystemTime,
    ) -> Result<Grant, Capped> {
        let (caller, number) = (permit.caller().clone(), permit.number().clone());
        let granted = self.0.grant(permit, trunks, longest, wall_time(now));
        match &granted {
            Ok(_) => self.tell(),
            Err(capped) => gate::capped(&caller, &number, *capped),
        }
        granted
    }

    /// See [`dial::Caps::hold`].
    pub(super) fn hold(
        &mut self,
        mailbox: [u8; 32],
        trunk: &str,
        started: SystemTime,
        longest: Duration,
        own_phone: bool,
    ) -> Hold {
        let hold = self.0.hold(mailbox, trunk, wall_time(started), longest, own_phone);
        self.tell();
        hold
    }

    /// See [`dial::Caps::give_back`].
    pub(super) fn give_back(&mut self, hold: Hold, now: SystemTime) {
        self.0.give_back(hold, wall_time(now));
        self.tell();
    }

    /// See [`dial::Caps::remember`].
    pub(super) fn remember(&mut self, call: Started<'_>, now: SystemTime) {
        self.0.remember(call, wall_time(now));
    }

    fn tell(&self) {
        metrics::calls_live(self.live());
    }
}
