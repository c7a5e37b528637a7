//! What a call holds of the caps, and the right to place it. Only [`Caps`](super::Caps) makes either.

use std::{net::IpAddr, time::Duration};

use crate::{Number, wall_time::WallTime};

/// What one call holds of the caps from before its INVITE until it is over.
#[derive(Debug)]
#[must_use = "only Caps::give_back returns it"]
pub struct Hold {
    pub(super) mailbox: [u8; 32],
    pub(super) trunk: String,
    pub(super) started: WallTime,
    /// Set aside of the mailbox's time.
    pub(super) time: Duration,
    /// What of it can be spent at most.
    pub(super) most: Duration,
    pub(super) own_phone: bool,
}

/// The right to place one call to one number over one trunk: what an INVITE is printed from.
#[derive(Debug)]
#[must_use = "only Caps::give_back returns what it holds"]
pub struct Grant {
    pub(super) number: Number,
    pub(super) address: Option<IpAddr>,
    pub(super) hold: Hold,
}

impl Grant {
    /// The number that may be called.
    pub fn number(&self) -> &Number {
        &self.number
    }

    /// The key of the caller who may.
    pub fn owner(&self) -> &[u8; 32] {
        &self.hold.mailbox
    }

    /// The client's address, as far as it is counted.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Whether the number is the caller's own.
    pub fn own_phone(&self) -> bool {
        self.hold.own_phone
    }

    /// The trunk it may be called over.
    pub fn trunk(&self) -> &str {
        &self.hold.trunk
    }

    /// How long the call may last: what was asked for, or what is left of the mailbox's time.
    pub fn longest(&self) -> Duration {
        self.hold.time
    }

    /// What is left when the INVITE's record is made.
    pub fn into_hold(self) -> Hold {
        self.hold
    }
}
